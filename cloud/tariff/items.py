"""Tariffs as answers: what was written beside what it was read as."""

from dataclasses import asdict

from cloud.wire import time_text

from .bodies import WEEKDAYS, GapItem, RuleItem, TariffItem
from .price import Prices
from .quote.kept import Kept
from .terms import HOUR_MINUTES, Rule, Series, TimeOfUse, kind_of
from .validity import Gap


def tariff_item(community: str, kept: Kept) -> TariffItem:
    """Return a tariff as it is told."""
    tariff, terms = kept.tariff, kept.tariff.terms
    prices = None if isinstance(terms, Series) else terms if isinstance(terms, Prices) else terms.default
    return TariffItem(
        community=community,
        owner=tariff.owner or None,
        kind=kind_of(terms),
        valid_from=time_text(tariff.valid_from),
        valid_until=_time(tariff.valid_until),
        local=None if kept.texts is None else kept.texts.local,
        grid_buy=None if kept.texts is None else kept.texts.grid_buy,
        grid_sell=None if kept.texts is None else kept.texts.grid_sell,
        local_micro_per_wh=None if prices is None else prices.local_micro_per_wh,
        grid_buy_micro_per_wh=None if prices is None else prices.grid_buy_micro_per_wh,
        grid_sell_micro_per_wh=None if prices is None else prices.grid_sell_micro_per_wh,
        time_zone=terms.time_zone if isinstance(terms, TimeOfUse) else None,
        rules=[_rule(rule) for rule in terms.rules] if isinstance(terms, TimeOfUse) else None,
        known_until=_time(kept.known_until),
        used_through=_time(tariff.used_through),
    )


def gap_item(gap: Gap) -> GapItem:
    """Return a gap as it is told."""
    return GapItem(start=time_text(gap.start), end=_time(gap.until))


def _rule(rule: Rule) -> RuleItem:
    return RuleItem(
        weekdays=[WEEKDAYS[day] for day in rule.weekdays],
        from_time=_clock(rule.from_minute),
        to_time=_clock(rule.until_minute),
        **asdict(rule.texts),
        **asdict(rule.prices),
    )


def _clock(minute: int) -> str:
    return f"{minute // HOUR_MINUTES:02}:{minute % HOUR_MINUTES:02}"


def _time(at: int | None) -> str | None:
    return None if at is None else time_text(at)
