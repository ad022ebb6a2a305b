"""Makers' clouds of a community: what is read from where, how often, with which secrets, and how it goes."""
