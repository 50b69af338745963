"""Database: connections, and what is committed on them."""
