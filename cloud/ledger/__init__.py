"""Append-only double entry: what moved between whom is written once, chained by hash, and sums to zero."""
