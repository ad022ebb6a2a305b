"""Which tariff is in force when, and whether a new one may come: prices that settled something stand."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from cloud.wire.strict import TIME_MAX

from .price import Prices
from .terms import Terms, prices_of

COMMUNITY = ""  # whose tariff it is, where it is not one owner's own

type Verdict = Literal["created", "exists", "replaced", "settled"]


@dataclass(frozen=True, slots=True)
class Tariff:
    """What energy costs from a time on: until `valid_until`, or open-ended until the next tariff begins.

    `used_through` is the end of the last interval that was settled by it.
    """

    valid_from: int
    terms: Terms
    used_through: int | None = None
    valid_until: int | None = None
    owner: str = COMMUNITY

    def prices_at(self, start: int) -> Prices | None:
        """Return what it says of an interval in its validity; None where a series has no price yet."""
        return prices_of(self.terms, start)


@dataclass(frozen=True, slots=True)
class Overlap:
    """A tariff that stands and ends or begins within the wanted one, which neither of them may."""

    stands: Tariff


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without any tariff: nothing in it can be settled. `until` is None where no tariff follows."""

    start: int
    until: int | None


def in_force(tariffs: Sequence[Tariff], start: int) -> Tariff | None:
    """Return the tariff of the interval that begins at `start`; `tariffs` are in the order of their validity."""
    begun = bisect_right(tariffs, start, key=lambda tariff: tariff.valid_from)
    found = tariffs[begun - 1] if begun else None
    if found is None or (found.valid_until is not None and found.valid_until <= start):
        return None
    return found


def judge(wanted: Tariff, own: Sequence[Tariff], settled: Sequence[tuple[int, int]]) -> Verdict | Overlap:
    """Tell what becomes of a wanted tariff among the others of the community, or of the same owner, in order.

    The same again changes nothing. `settled` is the no where the prices of a time that is settled would change:
    `settled` are the times, half open, that the community has settled. A used tariff may still be given an end.
    """
    place = bisect_left(own, wanted.valid_from, key=lambda tariff: tariff.valid_from)
    before = own[place - 1] if place else None
    same = own[place] if place < len(own) and own[place].valid_from == wanted.valid_from else None
    follows = place + (same is not None)
    after = own[follows] if follows < len(own) else None
    if same is not None and (same.terms, same.valid_until) == (wanted.terms, wanted.valid_until):
        return "exists"
    begin, end = _changed(wanted, same, after)
    if any(begin < until and first < end for first, until in settled):
        return "settled"
    if before is not None and before.valid_until is not None and before.valid_until > wanted.valid_from:
        return Overlap(before)
    if after is not None and wanted.valid_until is not None and wanted.valid_until > after.valid_from:
        return Overlap(after)
    return "created" if same is None else "replaced"


def _changed(wanted: Tariff, same: Tariff | None, after: Tariff | None) -> tuple[int, int]:
    """Return the time, half open, whose prices are others with the wanted tariff."""
    end = _end(wanted, after)
    if same is None:
        return wanted.valid_from, end
    before = _end(same, after)
    begin = min(end, before) if same.terms == wanted.terms else wanted.valid_from
    return begin, max(end, before)


def _end(tariff: Tariff, after: Tariff | None) -> int:
    following = TIME_MAX if after is None else after.valid_from
    return following if tariff.valid_until is None else min(tariff.valid_until, following)


def settled_times(tariffs: Sequence[Tariff]) -> list[tuple[int, int]]:
    """Return the times, half open, that a community has settled by these tariffs of its own."""
    return [(tariff.valid_from, tariff.used_through) for tariff in tariffs if tariff.used_through is not None]


def gaps(tariffs: Sequence[Tariff]) -> list[Gap]:
    """Return the times after the first tariff in which none is in force."""
    found = [
        Gap(one.valid_until, other.valid_from)
        for one, other in pairwise(tariffs)
        if one.valid_until is not None and one.valid_until < other.valid_from
    ]
    if tariffs and tariffs[-1].valid_until is not None:
        found.append(Gap(tariffs[-1].valid_until, None))
    return found
