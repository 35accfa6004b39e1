"""HTTP: from the socket to the answer."""
