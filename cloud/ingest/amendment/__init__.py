"""A later batch that measures better what was estimated: it moves energy in time and never makes any."""
