"""What clients and operators can rely on, seen from outside."""
