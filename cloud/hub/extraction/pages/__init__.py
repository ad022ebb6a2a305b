"""One page after another of all readings that answer a question, in the order of their measurement time."""
