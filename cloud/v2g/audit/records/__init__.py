"""The signed records behind a period, verified once more."""
