"""Tests of register profiles: what a device of each kind shows, against its maker's words."""
