"""Bodies become values: decimal texts whole prices, clock times minutes; the first that is wrong is named."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.wire import parse_time

from .bodies import WEEKDAYS, OwnerPriceBody, OwnerRuleBody, OwnerTariffBody, PriceBody, RuleBody, TariffBody
from .price import NotAPrice, PriceTexts, read_prices
from .terms import HOUR_MINUTES, Rule, Series, SeriesPrice, Terms, TimeOfUse, first_overlap


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What was written makes no tariff; the words name the member."""

    words: str


@dataclass(frozen=True, slots=True)
class Written:
    """What a tariff promises, and the texts of its prices: a series has none yet."""

    terms: Terms
    texts: PriceTexts | None


def read_terms(body: TariffBody | OwnerTariffBody) -> Written | Unreadable:
    """Read what a tariff promises; the time zone of its rules is filled in when it is kept."""
    if body.kind == "series":
        return Written(Series(), None)
    assert body.grid_buy is not None
    assert body.grid_sell is not None
    texts = PriceTexts(_local(body), body.grid_buy, body.grid_sell)
    prices = read_prices(texts)
    if isinstance(prices, NotAPrice):
        return Unreadable(str(prices))
    if body.rules is None:
        return Written(prices, texts)
    rules: list[Rule] = []
    for place, written in enumerate(body.rules):
        rule = _rule(written)
        if isinstance(rule, NotAPrice):
            return Unreadable(f"rules.{place}.{rule}")
        rules.append(rule)
    if (double := first_overlap(rules)) is not None:
        return Unreadable(f"rules.{double[0]} and rules.{double[1]} cover the same time")
    return Written(TimeOfUse("", prices, tuple(rules)), texts)


def read_series(written: Sequence[OwnerPriceBody]) -> list[SeriesPrice] | Unreadable:
    """Read prices to add to a series."""
    found: list[SeriesPrice] = []
    for place, body in enumerate(written):
        texts = PriceTexts(_local(body), body.grid_buy, body.grid_sell)
        prices = read_prices(texts)
        if isinstance(prices, NotAPrice):
            return Unreadable(f"prices.{place}.{prices}")
        found.append(SeriesPrice(parse_time(body.start, f"prices.{place}.start"), body.seconds, prices, texts))
    return found


def _rule(body: OwnerRuleBody) -> Rule | NotAPrice:
    texts = PriceTexts(_local(body), body.grid_buy, body.grid_sell)
    prices = read_prices(texts)
    if isinstance(prices, NotAPrice):
        return prices
    weekdays = tuple(sorted(WEEKDAYS.index(day) for day in body.weekdays))
    return Rule(weekdays, _minute(body.from_time), _minute(body.to_time), prices, texts)


def _local(body: TariffBody | OwnerTariffBody | OwnerRuleBody | OwnerPriceBody) -> str | None:
    return body.local if isinstance(body, (TariffBody, RuleBody, PriceBody)) else None


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * HOUR_MINUTES + int(minutes)
