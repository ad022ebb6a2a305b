"""Pays drivers what their cables have earned."""
