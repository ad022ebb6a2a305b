"""The journal: every posting of a community in order, for an accountant's program."""
