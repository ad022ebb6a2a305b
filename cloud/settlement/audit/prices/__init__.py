"""Every price that was ever taken in, with the texts it was read from."""
