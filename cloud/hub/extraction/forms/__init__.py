"""How an extraction is written: JSON, one JSON text a line, a table of text, or columns in a file."""
