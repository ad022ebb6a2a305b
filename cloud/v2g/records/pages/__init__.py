"""Pages of what cables signed, to the letter."""
