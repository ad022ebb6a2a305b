"""Readings that come late, or in place of others, move what they change: what stands is never altered."""
