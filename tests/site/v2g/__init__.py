"""Tests of the room `v2g`."""
