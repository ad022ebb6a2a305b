"""Adds up what was settled: today's cost and local share, and the running sum that long-term statistics keep."""

from collections.abc import Iterable
from dataclasses import dataclass

HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Settled:
    """A settled interval of an owner: what was taken (positive) in all and from the neighbourhood, in whole Wh."""

    start: int
    seconds: int
    net_wh: int
    near_wh: int
    points_micro: int


@dataclass(frozen=True, slots=True)
class Moved:
    """An amount that belongs to a time: micro-points of an interval or of a later correction, or Wh."""

    at: int
    amount: int


@dataclass(frozen=True, slots=True)
class Day:
    """A day so far: what its energy cost, and how much of what was used came from the neighbourhood."""

    cost_micro: int
    used_wh: int
    near_wh: int
    through: int | None

    @property
    def near_percent(self) -> float | None:
        """The share of the neighbourhood in what was used; None if nothing was."""
        return None if self.used_wh == 0 else 100 * self.near_wh / self.used_wh


@dataclass(frozen=True, slots=True)
class Tally:
    """The sum of everything before `before`, which lies on a full hour and only moves on."""

    before: int
    total: int


@dataclass(frozen=True, slots=True)
class Hour:
    """A full hour and the sum of everything up to its end."""

    start: int
    total: int


def day(intervals: Iterable[Settled], moved: Iterable[Moved], midnight: int, end: int) -> Day:
    """Add up the local day [midnight, end); `moved` are costs, and a correction counts in the day it was booked in."""
    here = [item for item in intervals if midnight <= item.start < end]
    return Day(
        cost_micro=sum(item.amount for item in moved if midnight <= item.at < end),
        used_wh=sum(max(item.net_wh, 0) for item in here),
        near_wh=sum(min(max(item.near_wh, 0), max(item.net_wh, 0)) for item in here),
        through=max((item.start + item.seconds for item in here), default=None),
    )


def roll(tally: Tally, moved: Iterable[Moved], settled_before: int) -> tuple[Tally, list[Hour]]:
    """Return the hours from the tally on, each with its running sum, and the tally moved up to what is settled.

    `moved` is everything at or after `tally.before`; `settled_before` is a time before which nothing more is awaited.
    Told again with the same it returns the same hours, so writing them twice changes nothing.
    """
    by_hour: dict[int, int] = {}
    for item in moved:
        if item.at >= tally.before:
            hour = item.at - item.at % HOUR_SECONDS
            by_hour[hour] = by_hour.get(hour, 0) + item.amount
    total, hours = tally.total, []
    before = max(tally.before, settled_before - settled_before % HOUR_SECONDS)
    carried = tally.total
    for hour in sorted(by_hour):
        total += by_hour[hour]
        hours.append(Hour(hour, total))
        if hour < before:
            carried = total
    return Tally(before, carried), hours
