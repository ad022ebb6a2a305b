"""The network watch: voltage, current and power of many points at one instant, and what of them is out of tolerance."""
