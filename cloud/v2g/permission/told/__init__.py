"""Telling sites at once: a change and the notice about it are one transaction."""
