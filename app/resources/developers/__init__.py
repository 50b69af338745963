"""Developers: who they are and what they are good at."""
