"""Hands corrections to the providers that subscribed to them, at least once, in order."""
