"""Clients of every role: who may ask for tokens in a community, and how one is stopped."""
