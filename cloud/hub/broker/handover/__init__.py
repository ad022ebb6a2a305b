"""Tells the broker who may log in: durable here first, forgotten once the broker has confirmed it."""
