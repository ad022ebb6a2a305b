"""How far the clocks of connected systems are from ours, and what they are told about it."""
