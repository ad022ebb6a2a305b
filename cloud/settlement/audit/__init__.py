"""Reads everything that is kept and trusts nothing: what follows from the signed batches is worked out once more."""
