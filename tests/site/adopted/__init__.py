"""Adopting entities that Home Assistant already has."""
