"""Entries that must be covered: an owner gives only what is there."""
