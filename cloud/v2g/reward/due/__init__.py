"""Finds what is to be given back to hosts and paid to drivers."""
