"""Lets the bytes of messages go when the policy says so; what became of them stays."""
