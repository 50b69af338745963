"""HTTP: what is between the socket and a handler."""
