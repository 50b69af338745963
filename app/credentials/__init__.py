"""Credentials: passwords, their hashes of whatever kind, and tokens."""
