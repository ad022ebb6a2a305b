"""What of the watch somebody may see, and the lines that say who saw it."""
