"""One pull as a dry run: what would be kept, or exactly why not."""
