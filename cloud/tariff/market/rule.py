"""From a market's price to the price of an interval: exact until it is rounded, once, to micro-points per Wh. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from operator import attrgetter
from typing import Literal, Self

from cloud.hub.context.value import ContextValue
from cloud.hub.quantity import Quantity
from cloud.tariff.price import MICRO_PER_WH, Prices, PriceTexts
from cloud.tariff.terms import SeriesPrice

MARKET_UNIT = 1_000_000  # the hub keeps prices in millionths of a currency per kWh
POINTS_BELOW = 1_000_000  # per kWh, on either side of zero: what every price of a tariff is held to
DECIMALS = 14  # as many as a price has that is not the mean of several: 6 of the market, 6 of a factor, 2 of a share


@dataclass(frozen=True, slots=True)
class Leg:
    """What a market's price becomes: times a factor, and so many points per kWh added."""

    factor: Decimal
    add: Decimal
    quantity: Quantity = Quantity.PRICE

    def points_per_kwh(self, market: Fraction, points_per_unit: int) -> Fraction:
        """Return the exact price; `market` is in currency per kWh."""
        return market * points_per_unit * Fraction(self.factor) + Fraction(self.add)


@dataclass(frozen=True, slots=True)
class Between:
    """A local price between what is paid to the grid and what the grid pays: 0 is the latter, 1 the former."""

    share: Decimal


@dataclass(frozen=True, slots=True)
class Rule:
    """How a series follows a device's prices, for intervals from `since` on.

    `currency` and `points_per_unit` are the community's when the rule was made: a later change of theirs moves none.
    """

    device: str
    point: str
    buy: Leg
    sell: Leg
    local: Leg | Between | None
    currency: str
    points_per_unit: int
    since: int
    until: int | None = None

    def quantities(self) -> frozenset[Quantity]:
        """Return which prices of the market it needs."""
        legs = (self.buy, self.sell, *([self.local] if isinstance(self.local, Leg) else []))
        return frozenset(leg.quantity for leg in legs)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one price of a market, in order of time, and the longest time that one of the values holds."""

    values: tuple[ContextValue, ...] = ()
    longest_ms: int = 0

    @classmethod
    def of(cls, values: Iterable[ContextValue]) -> Self:
        """Leave out what holds for no time."""
        lasting = tuple(value for value in values if value.seconds > 0)
        return cls(lasting, max((value.seconds for value in lasting), default=0) * 1000)

    def touching(self, begin_ms: int, end_ms: int) -> Iterator[ContextValue]:
        """Yield what holds at some time in [begin_ms, end_ms)."""
        first = bisect_left(self.values, begin_ms - self.longest_ms, key=_start)
        for value in islice(self.values, first, bisect_left(self.values, end_ms, key=_start)):
            if value.end_ms > begin_ms:
                yield value


_start = attrgetter("start_ms")

type NoPrice = Literal["missing", "contradicts", "beyond"]
type Market = Mapping[Quantity, Known]

NOTHING = Known()


def price_of(rule: Rule, market: Market, start: int, seconds: int) -> SeriesPrice | NoPrice:
    """Return the prices of one interval.

    Where several prices of the market hold within the interval, it is their mean by time. `missing`: some of the
    interval has no price; `contradicts`: some of it has two; `beyond`: it would be no price of a tariff.
    """
    said: dict[Quantity, Fraction] = {}
    for quantity in sorted(rule.quantities()):
        found = mean(market.get(quantity, NOTHING), start, seconds)
        if not isinstance(found, Fraction):
            return found
        said[quantity] = found / MARKET_UNIT
    buy = rule.buy.points_per_kwh(said[rule.buy.quantity], rule.points_per_unit)
    sell = rule.sell.points_per_kwh(said[rule.sell.quantity], rule.points_per_unit)
    match rule.local:
        case None:
            local = None
        case Between(share):
            local = sell + (buy - sell) * Fraction(share)
        case Leg():
            local = rule.local.points_per_kwh(said[rule.local.quantity], rule.points_per_unit)
    if any(price is not None and abs(price) >= POINTS_BELOW for price in (buy, sell, local)):
        return "beyond"
    prices = Prices(None if local is None else micro_per_wh(local), micro_per_wh(buy), micro_per_wh(sell))
    texts = PriceTexts(None if local is None else written(local), written(buy), written(sell))
    return SeriesPrice(start, seconds, prices, texts)


def mean(known: Known, start: int, seconds: int) -> Fraction | NoPrice:
    """Return the exact mean by time of what holds in an interval, if all of it is covered and nothing contradicts."""
    begin, end = start * 1000, (start + seconds) * 1000
    total, reached, said = 0, begin, None
    for value in known.touching(begin, end):
        if value.start_ms > reached:
            return "missing"
        if said not in (None, value.value) and value.start_ms < reached:
            return "contradicts"
        until = min(value.end_ms, end)
        total += value.value * max(until - reached, 0)
        reached, said = max(reached, until), value.value
    return Fraction(total, end - begin) if reached == end else "missing"


def micro_per_wh(points_per_kwh: Fraction) -> int:
    """Round a price once, half to even, to whole micro-points per Wh."""
    return round(points_per_kwh * MICRO_PER_WH)


def written(points_per_kwh: Fraction) -> str:
    """Write a price as the text it is kept with: exact, or to DECIMALS where it has no end, and read as it was rounded.

    Whoever reads the text by the tariffs' rule gets the very price the interval is settled by.
    """
    scaled = round(points_per_kwh * 10**DECIMALS)
    if round(Fraction(scaled, 10**DECIMALS) * MICRO_PER_WH) != micro_per_wh(points_per_kwh):
        scaled += 1 if Fraction(scaled, 10**DECIMALS) < points_per_kwh else -1  # off a tie that only the text is on
    text = f"{Decimal(scaled).scaleb(-DECIMALS):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
