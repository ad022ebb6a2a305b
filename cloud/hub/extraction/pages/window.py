"""Merges what several streams hold into one page, and finds where the next one begins. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter

from cloud.hub.extraction.row import MEASURED, Position, Row

type Key = tuple[str, ...]
type Place = tuple[int, Key]  # in one stream: behind the reading of that time and key, before all of that time if empty


@dataclass(frozen=True, slots=True)
class Slice:
    """What one stream gave, in order of time, and until where it has looked; None: to the end of what was asked."""

    rows: Sequence[Row]
    key_of: Callable[[Row], Key]
    through: Place | None


@dataclass(frozen=True, slots=True)
class Page:
    """Readings in order, and where the next page begins; None: there is none."""

    rows: list[Row]
    next: Position | None


def place_in(position: Position, stream: int) -> Place:
    """Return where a stream goes on behind a position in the order of all."""
    if stream == position.stream:
        return position.ms, position.key
    return (position.ms + 1, ()) if stream < position.stream else (position.ms, ())


def joined(slices: Sequence[Slice], horizon: Position, end_ms: int, limit: int) -> Page:
    """Return a page of what lies before the horizon, until which every stream has looked."""
    cut = [_before(part, stream, horizon) for stream, part in enumerate(slices)]
    count = sum(map(len, cut))
    following = None if horizon.ms >= end_ms else horizon
    filled = [rows for rows in cut if rows]
    rows = list(filled[0]) if len(filled) == 1 else list(merge(*filled, key=itemgetter(MEASURED)))
    if count <= limit:
        return Page(rows, following)
    return Page(rows[:limit], _position_of(slices, cut, rows[limit - 1][MEASURED], limit))


def _before(part: Slice, stream: int, horizon: Position) -> Sequence[Row]:
    if stream == horizon.stream:
        return part.rows
    find = bisect_right if stream < horizon.stream else bisect_left
    return part.rows[: find(part.rows, horizon.ms, key=itemgetter(MEASURED))]


def _position_of(slices: Sequence[Slice], cut: Sequence[Sequence[Row]], ms: int, limit: int) -> Position:
    """Return the position of the row with which a full page ends: at one time, streams come in their order."""
    firsts = [bisect_left(rows, ms, key=itemgetter(MEASURED)) for rows in cut]
    left = limit - sum(firsts)
    for stream, (rows, first) in enumerate(zip(cut, firsts, strict=True)):
        of_that_time = bisect_right(rows, ms, key=itemgetter(MEASURED)) - first
        if left <= of_that_time:
            return Position(ms, stream, slices[stream].key_of(rows[first + left - 1]))
        left -= of_that_time
    raise AssertionError("the row with which the page ends lies in none of its streams")
