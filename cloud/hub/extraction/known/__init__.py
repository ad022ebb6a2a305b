"""What there is to be read, and the newest of it."""
