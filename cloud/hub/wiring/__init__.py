"""How the grid is wired: what hangs below what, which sites and systems each piece of equipment feeds, its load."""
