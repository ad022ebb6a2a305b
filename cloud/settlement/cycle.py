"""When an interval is due: its cycle has ended, and every expected site has reported or the grace time is over."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from .calendar import cycle_end

type Reason = Literal["cycle", "sites", "tariff"]


@dataclass(frozen=True, slots=True)
class Terms:
    """How a community settles. A cycle is whole intervals; one of a day or a week is that of the local calendar."""

    interval_seconds: int
    cycle_seconds: int
    grace_seconds: int
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Expected:
    """A site that reports every interval from `since` on: its first tree is valid from then.

    Nothing more comes of a quarantined site; it is not waited for, and the intervals it lacks in say so.
    """

    site: str
    since: int
    quarantined: bool


LATE_SECONDS_MAX = 60 * 86_400  # longer than any cycle and grace time: an older interval is not looked at every turn


@dataclass(frozen=True, slots=True)
class Due:
    """The interval is to be settled now, without these sites."""

    without: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The interval stays open, for one reason; `sites` are those whose readings are still hoped for."""

    reason: Reason
    sites: tuple[str, ...]


def judge(
    start: int, terms: Terms, expected: Sequence[Expected], reported: Collection[str], *, priced: bool, now: int
) -> Due | Waiting:
    """Decide on an ended interval by itself: one that waits holds up no other.

    An interval nobody has reported in is not settled after the grace time: there is nothing to settle, and a whole
    community that was off line finds its intervals open when it comes back.
    """
    lacking = [item for item in expected if item.since <= start and item.site not in reported]
    hoped_for = tuple(sorted(item.site for item in lacking if not item.quarantined))
    closes_at = closes(start, terms)
    if now < closes_at:
        return Waiting("cycle", hoped_for)
    if not reported or (hoped_for and now < closes_at + terms.grace_seconds):
        return Waiting("sites", hoped_for)
    if not priced:
        return Waiting("tariff", ())
    return Due(tuple(sorted(item.site for item in lacking)))


def closes(start: int, terms: Terms) -> int:
    """Return when the cycle of an interval has ended, and the interval too: local midnight may fall within it."""
    return max(cycle_end(start, terms.cycle_seconds, terms.time_zone), start + terms.interval_seconds)


def last_ended(now: int, interval_seconds: int) -> int:
    """Return the start of the newest interval that has ended."""
    return now - now % interval_seconds - interval_seconds


def first_open(starts: range, settled: Collection[int], now: int) -> int:
    """Return the first of these starts that must be looked at again, the one after them if none must."""
    return next((start for start in starts if start not in settled and start + LATE_SECONDS_MAX >= now), starts.stop)
