"""Points that an owner gives to another."""
