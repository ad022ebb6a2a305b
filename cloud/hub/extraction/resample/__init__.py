"""Readings brought onto windows of equal length."""
