"""Reads what a statement says of energy: its intervals, corrections and visiting cars, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..wire.strict import WireError, load, parse_time, take, whole
from .tally import Moved, Settled

WHERE = "statement"
LINES_MAX = 100_000
HOST_KIND = "v2g-host"


@dataclass(frozen=True, slots=True)
class Page:
    """Settled intervals and corrections in order of time, where the next page begins, and how far all is settled.

    `settled_through` is the end of the last interval that has every interval since the first before it.
    """

    intervals: tuple[Settled, ...]
    corrections: tuple[Moved, ...]
    next: int | None
    settled_through: int | None

    def joined(self, other: Page) -> Page:
        """Return this page and the one after it as one."""
        intervals = (*self.intervals, *other.intervals)
        return Page(intervals, (*self.corrections, *other.corrections), other.next, _through(intervals))


def read_page(raw: bytes) -> Page:
    """Read one page of a statement; raises WireError. Members of no concern here are left to whoever verifies it."""
    data = load(raw, WHERE)
    lines = [_line(item) for item in _list(data, "lines")]
    corrections = [_correction(item) for item in _list(data, "corrections")]
    corrections += [_visitors(item) for item in _list(data, "movements") if item.get("kind") == HOST_KIND]
    following = data.get("next")
    return Page(
        intervals=tuple(lines),
        corrections=tuple(corrections),
        next=None if following is None else parse_time(following, f"{WHERE}.next"),
        settled_through=_through(tuple(lines)),
    )


def _line(item: Mapping[str, Any]) -> Settled:
    where = f"{WHERE}.lines"
    near = ("local_wh", "direct_wh")
    return Settled(
        start=parse_time(take(item, "start", where), where),
        seconds=whole(take(item, "seconds", where), where, 1),
        net_wh=whole(take(item, "net_wh", where), where),
        near_wh=sum(whole(item.get(name, 0), where) for name in near),
        points_micro=whole(take(item, "points_micro", where), where),
    )


def _correction(item: Mapping[str, Any]) -> Moved:
    where = f"{WHERE}.corrections"
    booked_at = parse_time(take(item, "booked_at", where), where)
    return Moved(booked_at, -whole(take(item, "points_micro", where), where))


def _visitors(item: Mapping[str, Any]) -> Moved:
    """Read what takes a visiting car's energy out of the main owner's cost again: a line has it in."""
    where = f"{WHERE}.movements"
    at = parse_time(take(item, "at", where), where)
    return Moved(at, -whole(take(item, "points_micro", where), where))


def _list(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    items = data.get(name, [])
    if not isinstance(items, list) or len(items) > LINES_MAX or not all(isinstance(item, dict) for item in items):
        raise WireError(f"{WHERE}.{name}", "is not a list of objects")
    return items


def _through(intervals: tuple[Settled, ...]) -> int | None:
    end = None
    for item in intervals:
        if end is not None and item.start != end:
            break
        end = item.start + item.seconds
    return end
