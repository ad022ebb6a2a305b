"""Intervals become postings: netting, community share, one entry per community and interval, statements."""
