"""Voltage, current and power that sites send along with what is settled."""
