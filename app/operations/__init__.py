"""Operations: health, metrics, the server and its connections, for who runs the service."""
