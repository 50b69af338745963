"""Passwords: changed by who knows them, reset for who forgot them."""
