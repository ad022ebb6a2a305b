"""Voltage, current and power that sites send along."""
