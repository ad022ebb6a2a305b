"""Credit: who has used up their points, and what the sites are told about it."""
