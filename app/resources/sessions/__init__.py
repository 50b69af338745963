"""Sessions: who has signed in, and what lets them."""
