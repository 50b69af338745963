"""Users: people with an address of their own."""
