"""Validation: what may go in."""
