"""Signed once, kept for ever: batches are verified, stored as they came, and readings are derived from them."""
