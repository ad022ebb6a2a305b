"""Readings of the systems connected to the hub."""
