"""How far an upper system sees: which kinds, sites, places and quantities its client may read."""
