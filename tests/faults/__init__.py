"""What the service does when something breaks: each test really breaks it."""
