"""What an interval's entry in the ledger is called: one name for ever, so that it posts once."""

from cloud.wire import time_text

ENERGY_PREFIX = "energy:"


def energy_cause(start: int) -> str:
    """Return the cause of the entry of the interval that begins at `start`."""
    return f"{ENERGY_PREFIX}{time_text(start)}"
