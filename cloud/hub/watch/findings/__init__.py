"""What the watch found out of tolerance: since when, how far at worst, until when."""
