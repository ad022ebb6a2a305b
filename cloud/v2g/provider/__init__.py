"""What a power provider tells: its own readings of supply points, and how loaded its grid equipment is."""
