"""Routes: one function each."""
