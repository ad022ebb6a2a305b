"""A cable with its history and how far its records are here."""
