"""Whether more prices of a market fit those that are known: the same again is fine, another word on a time is not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cloud.tariff.terms import SeriesPrice
from cloud.tariff.validity import Tariff


@dataclass(frozen=True, slots=True)
class Fits:
    """The prices that are new, and how many were known already."""

    new: tuple[SeriesPrice, ...]
    known: int


@dataclass(frozen=True, slots=True)
class Contradicts:
    """Two prices for one time."""

    stands: SeriesPrice
    wanted: SeriesPrice


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A price that is not for whole intervals within its tariff's validity."""

    wanted: SeriesPrice


@dataclass(frozen=True, slots=True)
class Added:
    """How many prices were new, how many known already, and the end of the last one known now."""

    new: int
    known: int
    known_until: int


def misplaced(price: SeriesPrice, tariff: Tariff, interval_seconds: int) -> Misplaced | None:
    """Tell whether a price lies off the boundaries of intervals, or outside its tariff's validity."""
    off_boundary = price.start % interval_seconds or price.seconds % interval_seconds
    late = tariff.valid_until is not None and price.end > tariff.valid_until
    return Misplaced(price) if off_boundary or late or price.start < tariff.valid_from else None


def merge(known: Iterable[SeriesPrice], more: Sequence[SeriesPrice]) -> Fits | Contradicts:
    """Put prices beside those known about the same time; a price sent twice is taken once."""
    standing = {price.start: price for price in known}
    new: dict[int, SeriesPrice] = {}
    for price in more:
        there = standing.get(price.start) or new.setdefault(price.start, price)
        if there != price:
            return Contradicts(there, price)
    for one, other in pairwise(sorted([*standing.values(), *new.values()], key=lambda price: price.start)):
        if one.end > other.start:
            return Contradicts(one, other) if other.start in new else Contradicts(other, one)
    return Fits(tuple(new.values()), len(more) - len(new))
