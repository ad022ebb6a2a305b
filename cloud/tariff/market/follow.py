"""What becomes of a series when its market has spoken: which prices are new, take another's place, or come too late."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cloud.tariff.price import Prices
from cloud.tariff.terms import SeriesPrice

from .rule import Market, NoPrice, Rule, price_of


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to be written, and the intervals that have no price yet, each with the reason.

    `corrections` come after their intervals were settled, or where somebody else set the price: they stand beside.
    """

    new: tuple[SeriesPrice, ...]
    replaced: tuple[SeriesPrice, ...]
    corrections: tuple[SeriesPrice, ...]
    without: tuple[tuple[int, NoPrice], ...]


def wanted(rule: Rule, market: Market, starts: range) -> Iterator[SeriesPrice | tuple[int, NoPrice]]:
    """Yield the price of each interval by the market, or the interval with why it has none."""
    for start in starts:
        found = price_of(rule, market, start, starts.step)
        yield found if isinstance(found, SeriesPrice) else (start, found)


def decide(
    prices: Iterable[SeriesPrice | tuple[int, NoPrice]],
    known: Sequence[SeriesPrice],
    corrected: Mapping[int, Prices],
    used_through: int,
) -> Decided:
    """Compare what the market says with what stands; `corrected` is what was said last of an interval, beside it."""
    standing = {price.start: price for price in known}
    new, replaced, corrections, without = [], [], [], []
    for price in prices:
        if isinstance(price, tuple):
            without.append(price)
        elif (same := standing.get(price.start)) is not None and same.seconds == price.seconds:
            if price.start >= used_through:
                replaced += [price] if price.prices != same.prices else []
            elif price.prices != corrected.get(price.start, same.prices):
                corrections.append(price)
        elif (there := _holds(known, price)) is None:
            new.append(price)
        elif price.prices != corrected.get(price.start, there.prices):
            corrections.append(price)
    return Decided(tuple(new), tuple(replaced), tuple(corrections), tuple(without))


def _holds(known: Sequence[SeriesPrice], price: SeriesPrice) -> SeriesPrice | None:
    return next((each for each in known if each.start < price.end and price.start < each.end), None)


def since(rules: Sequence[Rule], rule: Rule | None, boundary: int) -> tuple[Rule, ...]:
    """Return the rules as they are when another one, or none, holds from a boundary on; what is settled keeps its own.

    `rules` are in order of time.
    """
    kept = [
        each if each.until is not None and each.until <= boundary else replace(each, until=boundary)
        for each in rules
        if each.since < boundary
    ]
    return (*kept, replace(rule, since=boundary)) if rule is not None else tuple(kept)
