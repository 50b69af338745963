"""Repository: what is between a resource and its table."""
