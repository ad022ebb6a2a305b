"""How the grid was wired at any time before."""
