"""Plain data that the other packages speak of."""
