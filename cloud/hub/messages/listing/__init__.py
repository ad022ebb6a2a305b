"""Messages as they are kept, to be looked at and taken again."""
