"""Prices of a market, added as they become known."""
