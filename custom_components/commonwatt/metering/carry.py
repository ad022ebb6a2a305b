"""A register made from a counter that begins anew, as one of the day does: what was counted before is carried on."""

from dataclasses import dataclass
import math

# A counter falls by a little when it is rounded anew; Home Assistant's statistics take less than this for no new run.
NEW_RUN_BELOW = 0.9


@dataclass(frozen=True, slots=True)
class Carry:
    """What the runs before this one came to, and what the counter of this run has shown at most, both in Wh."""

    base_wh: float
    last_wh: float

    @property
    def register_wh(self) -> float:
        """The register that this is: all runs together. It never falls."""
        return self.base_wh + self.last_wh


def carried(carry: Carry, value_wh: float) -> Carry:
    """Go on to what the counter shows now; a fall begins a new run, a slip of less than a tenth holds the register.

    Raises ValueError for what no counter shows; a counter that is unavailable is not asked.
    """
    if not (math.isfinite(value_wh) and value_wh >= 0):
        raise ValueError(f"no counter shows {value_wh}")
    if value_wh >= carry.last_wh:
        return Carry(carry.base_wh, value_wh)
    if value_wh < carry.last_wh * NEW_RUN_BELOW:
        return Carry(carry.register_wh, value_wh)
    return carry
