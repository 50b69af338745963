"""Adoption: the tables of another service, taken over as they stand: look, plan, and change in one transaction."""
