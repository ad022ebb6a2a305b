"""What a tariff promises: one price at all times, prices by the local clock, or one for each time of a market."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

from .price import Prices, PriceTexts

HOUR_MINUTES = 60
DAY_MINUTES = 24 * HOUR_MINUTES
WEEK_MINUTES = 7 * DAY_MINUTES
RULES_MAX = 50  # of one tariff: a price for every hour of workdays and one for those of weekends
SERIES_SECONDS_MAX = 86_400  # the longest time one price of a market holds


@dataclass(frozen=True, slots=True)
class Rule:
    """Prices between two local times, in minutes since midnight, of the days it begins on (0 is Monday).

    One that ends no later than it begins goes over midnight and ends on the day after.
    """

    weekdays: tuple[int, ...]
    from_minute: int
    until_minute: int
    prices: Prices
    texts: PriceTexts = field(compare=False)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the minutes of the week it covers, half open; what goes over Sunday's midnight begins the week."""
        minutes = (self.until_minute - self.from_minute) % DAY_MINUTES or DAY_MINUTES
        for day in self.weekdays:
            begin = day * DAY_MINUTES + self.from_minute
            yield begin, min(begin + minutes, WEEK_MINUTES)
            if begin + minutes > WEEK_MINUTES:
                yield 0, begin + minutes - WEEK_MINUTES


@dataclass(frozen=True, slots=True)
class TimeOfUse:
    """Prices by the wall clock of a time zone: those of the rule that covers it, or else the default ones."""

    time_zone: str
    default: Prices
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class SeriesPrice:
    """Prices that hold for some seconds from `start` on."""

    start: int
    seconds: int
    prices: Prices
    texts: PriceTexts = field(compare=False)

    @property
    def end(self) -> int:
        """When another price, or none, begins."""
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class Series:
    """A market's prices as far as they are known here, in order of time; where there is none, there is no price."""

    known: tuple[SeriesPrice, ...] = field(default=(), compare=False)


type Terms = Prices | TimeOfUse | Series
type Kind = Literal["flat", "time_of_use", "series"]


def kind_of(terms: Terms) -> Kind:
    """Return the word for these terms."""
    if isinstance(terms, Prices):
        return "flat"
    return "time_of_use" if isinstance(terms, TimeOfUse) else "series"


def prices_of(terms: Terms, start: int) -> Prices | None:
    """Return the prices of the interval that begins at `start`: those in force at that instant, to its end."""
    match terms:
        case Prices():
            return terms
        case TimeOfUse():
            return _by_the_clock(terms, start)
        case Series():
            begun = bisect_right(terms.known, start, key=lambda price: price.start)
            found = terms.known[begun - 1] if begun else None
            return found.prices if found is not None and start < found.end else None
        case _:
            assert_never(terms)


def minute_of_week(time_zone: str, at: int) -> int:
    """Return what the wall clock of a time zone shows, in minutes since Monday's midnight."""
    local = datetime.fromtimestamp(at, ZoneInfo(time_zone))
    return local.weekday() * DAY_MINUTES + local.hour * HOUR_MINUTES + local.minute


def _by_the_clock(terms: TimeOfUse, start: int) -> Prices:
    minute = minute_of_week(terms.time_zone, start)
    for rule in terms.rules:
        if any(begin <= minute < end for begin, end in rule.spans()):
            return rule.prices
    return terms.default


def first_overlap(rules: Sequence[Rule]) -> tuple[int, int] | None:
    """Return the places of two rules that cover the same minute of the week, None if every minute has one price."""
    spans = sorted((*span, place) for place, rule in enumerate(rules) for span in rule.spans())
    for (_, end, one), (begin, _, other) in pairwise(spans):
        if begin < end:
            return min(one, other), max(one, other)
    return None
