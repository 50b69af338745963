"""Resources: what the service is about, a folder each."""
