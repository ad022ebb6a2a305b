"""Context data as values in order of time, and what is wrong with them: holes, and two words on one time. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class ContextValue:
    """A whole number in its quantity's unit, from `start_ms` on for `seconds`; 0 seconds is an instant."""

    start_ms: int
    seconds: int
    value: int

    @property
    def end_ms(self) -> int:
        """When it no longer holds."""
        return self.start_ms + self.seconds * 1000


@dataclass(frozen=True, slots=True)
class Held:
    """What a device holds of a quantity at a point in some time: how many values, from when on and until when.

    `gaps` are the holes between them, half open, in milliseconds; of instants there are none.
    """

    point: str
    quantity: str
    count: int
    first_ms: int
    until_ms: int
    gaps: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Contradiction:
    """That something else was said of a time before what stands now, or that two values overlap."""

    point: str
    quantity: str
    start_ms: int
    value_before: int
    value: int
    noticed_ms: int | None  # None: both stand, and they overlap


def gaps(values: Sequence[ContextValue], start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """Return the times in [start_ms, end_ms) that no value covers; `values` are in order of time."""
    found, reached = [], start_ms
    for value in values:
        if value.start_ms > reached:
            found.append((reached, min(value.start_ms, end_ms)))
        reached = max(reached, value.end_ms)
        if reached >= end_ms:
            break
    return [*found, (reached, end_ms)] if reached < end_ms else found


def overlaps(values: Sequence[ContextValue]) -> list[tuple[ContextValue, ContextValue]]:
    """Return neighbours of which the first still holds when the next begins, though it says something else."""
    return [(one, other) for one, other in pairwise(values) if one.end_ms > other.start_ms and one.value != other.value]
