"""What an interval's entries in the ledger are called: one name for ever, so that each posts once."""

from cloud.wire import time_text

ENERGY_PREFIX = "energy:"


def energy_cause(start: int, revision: int = 0) -> str:
    """Return the cause of the entry of the interval that begins at `start`, or of one of its corrections."""
    first = f"{ENERGY_PREFIX}{time_text(start)}"
    return f"{first}:{revision}" if revision else first
