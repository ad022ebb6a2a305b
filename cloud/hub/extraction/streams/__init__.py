"""Extractions as they run: page after page, each read in a moment, so that nothing that arrives ever waits."""
