"""The first contact of a connected system: its initial password becomes a unique one, once."""
