"""Who may come in: pairing codes, the sites' keys, and the clients that ask for access tokens."""
