"""How loaded grid equipment is: what its provider tells, or what the watch over it counts."""
