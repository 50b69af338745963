"""Bulk: thousands of rows at once."""
