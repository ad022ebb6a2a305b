"""How many messages a device may send: a store of them that refills, so that one device does not keep others out. Pure.

A device that was cut off for thirty days and sent each five minutes brings 8640 messages at once: they fit.
"""

from dataclasses import dataclass

BURST = 10_000
PER_SECOND = 20


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many messages a device may still send (in thousandths), as it stood at a time."""

    left_milli: int
    at_ms: int


def spent(before: Allowance | None, at_ms: int) -> tuple[Allowance, bool]:
    """Return the allowance after one more message, and whether the message is within it."""
    if before is None:
        return Allowance((BURST - 1) * 1000, at_ms), True
    elapsed_ms = max(0, at_ms - before.at_ms)  # a clock that is set back gives nothing and takes nothing
    left = min(BURST * 1000, before.left_milli + elapsed_ms * PER_SECOND)
    return (Allowance(left - 1000, at_ms), True) if left >= 1000 else (Allowance(left, at_ms), False)


def is_full(allowance: Allowance, at_ms: int) -> bool:
    """Tell whether an allowance is as good as new, and need not be remembered."""
    return allowance.left_milli + max(0, at_ms - allowance.at_ms) * PER_SECOND >= BURST * 1000
