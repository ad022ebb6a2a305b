"""The list of a community's devices, as staff keeps it: one by one, or many from a file."""
