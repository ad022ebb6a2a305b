"""V2G cables: what they signed, what a site may do with them, and what they earn."""
