"""Readings of connected systems, each under the time it was measured."""
