"""The hub at a real broker with TLS."""
