"""Lets a series follow a device's prices, and takes them over while nobody else changes or uses its tariff."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection, select

from cloud.hub.context.store import known_until, newest_message, series as context_series
from cloud.hub.devices.store import device_of
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.hub.quantity import Quantity
from cloud.sites.store import Changed, community_of
from cloud.tariff.book import TariffKey
from cloud.tariff.market import store as market
from cloud.tariff.market.follow import Decided, decide, since, wanted
from cloud.tariff.market.rule import Known, NoPrice, Rule
from cloud.tariff.series import store as series
from cloud.tariff.store import hold, tariff_of, tariff_table
from cloud.tariff.terms import Series, SeriesPrice
from cloud.tariff.validity import Tariff
from cloud.wire import time_text

LOOK_INTERVALS_MAX = 1500  # looked at in one transaction: a month of half hours
RULES_MAX = 200  # of one tariff: a new one each time somebody thinks better of it after it was used
CORRECTIONS_TOLD = 100
GAPS_TOLD = 50
WHO = "market"  # in the event log

type Trouble = Literal["no-device", "currency-differs"]
type NotPut = Literal["not-found", "no-series", "no-device", "no-currency", "currency-differs", "too-many"]


@dataclass(frozen=True, slots=True)
class Following:
    """How a series stands beside its market.

    `known_until` is until when the market's prices are known; `gaps` are intervals of the month past, or of what is
    known of the time to come, that have no price. `trouble` is why nothing more is taken over.
    """

    rules: tuple[Rule, ...]
    trouble: Trouble | None
    known_until: int | None
    gaps: tuple[tuple[int, int, NoPrice], ...]
    corrections: int
    latest: tuple[tuple[SeriesPrice, SeriesPrice | None, int], ...]  # what was said, what stands, when it was noticed


def put_market(
    conn: Connection, community: str, tariff: TariffKey, rule: Rule, now: int
) -> Literal["created", "exists", "replaced"] | NotPut:
    """Let a series follow a device's prices, from the first interval on that is not settled.

    The rule is bound to the community's currency, and to its points for a unit of it, as they are now.
    """
    settings = community_of(conn, community)
    if settings is None:
        return "not-found"
    hold(conn, community)
    found = _tariff(conn, community, tariff)
    if not isinstance(found, Tariff):
        return found
    if settings.currency is None or settings.points_per_unit is None:
        return "no-currency"
    rule = replace(rule, currency=settings.currency, points_per_unit=settings.points_per_unit)
    if (trouble := _trouble(conn, community, rule)) is not None:
        return trouble
    rules = market.rules_of(conn, community, tariff)
    if rules and rules[-1] == replace(rule, since=rules[-1].since):
        return "exists"
    changed = since(rules, rule, _boundary(found))
    if len(changed) > RULES_MAX:
        return "too-many"
    market.put_rules(conn, community, tariff, changed, now)
    return "replaced" if rules else "created"


def stop_following(
    conn: Connection, community: str, tariff: TariffKey, now: int
) -> Literal["stopped", "not-found", "no-series"]:
    """Let a series follow no market from the first interval on that is not settled; its prices stay."""
    hold(conn, community)
    found = _tariff(conn, community, tariff)
    if not isinstance(found, Tariff):
        return found
    rules = market.rules_of(conn, community, tariff)
    if not rules or rules[-1].until is not None:
        return "not-found"
    market.put_rules(conn, community, tariff, since(rules, None, _boundary(found)), now)
    return "stopped"


def _boundary(tariff: Tariff) -> int:
    return max(tariff.valid_from, tariff.used_through or 0)


def _tariff(conn: Connection, community: str, tariff: TariffKey) -> Tariff | Literal["not-found", "no-series"]:
    row = conn.execute(select(tariff_table).filter_by(**market.key_of(community, tariff))).one_or_none()
    if row is None:
        return "not-found"
    found = tariff_of(row)
    return found if isinstance(found.terms, Series) else "no-series"


def _trouble(conn: Connection, community: str, rule: Rule) -> Trouble | None:
    device = device_of(conn, community, rule.device)
    if device is None or device.kind != "context":
        return "no-device"
    return None if device.currency == rule.currency else "currency-differs"


def spans(conn: Connection, community: str, tariff: TariffKey) -> list[range]:
    """Return the intervals that each rule is about, as far as its market's prices are known."""
    found, settings = _tariff(conn, community, tariff), community_of(conn, community)
    if not isinstance(found, Tariff) or settings is None:
        return []
    seconds = settings.interval_seconds
    spans = []
    for rule in market.rules_of(conn, community, tariff):
        until = _known_until(conn, community, rule)
        if until is None or _trouble(conn, community, rule) is not None:
            continue
        ends = [end for end in (until, rule.until, found.valid_until) if end is not None]
        spans.append(range(rule.since, min(ends) - min(ends) % seconds, seconds))
    return [span for span in spans if span]


def _known_until(conn: Connection, community: str, rule: Rule) -> int | None:
    """Return the second until which every price is known that a rule needs."""
    ends = [known_until(conn, community, rule.device, rule.point, quantity) for quantity in rule.quantities()]
    known = [end // 1000 for end in ends if end is not None]
    return min(known) if len(known) == len(ends) else None


def news(conn: Connection, community: str, tariff: TariffKey) -> tuple[str, int]:
    """Return what changes when there may be something to take over: the last message, and the rules."""
    return newest_message(conn, community), hash(market.rules_of(conn, community, tariff))


def look(conn: Connection, community: str, tariff: TariffKey, starts: range) -> Decided:
    """Compare what stands with what the market says of some intervals."""
    assert len(starts) <= LOOK_INTERVALS_MAX
    first, last = starts.start, starts[-1] + starts.step
    found = _tariff(conn, community, tariff)
    if not isinstance(found, Tariff):
        return Decided((), (), (), ())
    prices = []
    for rule in market.rules_of(conn, community, tariff):
        end = last if rule.until is None else min(last, rule.until)
        own = range(max(first, rule.since), end, starts.step)
        if own and _trouble(conn, community, rule) is None:
            prices += [*wanted(rule, _market(conn, community, rule, own), own)]
    known = series.known_between(conn, community, tariff, first, last - 1)
    corrected = market.corrected(conn, community, tariff, first, last)
    return decide(prices, known, corrected, found.used_through or 0)


def _market(conn: Connection, community: str, rule: Rule, starts: range) -> dict[Quantity, Known]:
    span = {"start_ms": starts.start * 1000, "end_ms": (starts[-1] + starts.step) * 1000}
    return {
        quantity: Known.of(context_series(conn, community, rule.device, rule.point, quantity, **span))
        for quantity in rule.quantities()
    }


def follow(
    conn: Connection,
    community: str,
    tariff: TariffKey,
    starts: range,
    now: int,
    *,
    changed: Changed | None = None,
) -> Decided:
    """Take over what the market says of some intervals; prices that settled something stand, and a word beside."""
    hold(conn, community)
    decided = look(conn, community, tariff, starts)
    series.add(conn, community, tariff, decided.new, now)
    series.replace_prices(conn, community, tariff, decided.replaced, now)
    market.add_corrections(conn, community, tariff, decided.corrections, now)
    told = (*decided.new, *decided.replaced)
    add_events(conn, [*_events(conn, community, tariff, decided, now)])
    if changed is not None and any(price.end > now for price in told):
        changed(conn, community, now)
    return decided


def _events(conn: Connection, community: str, tariff: TariffKey, decided: Decided, now: int) -> Sequence[Event]:
    rules = market.rules_of(conn, community, tariff)
    device = rules[-1].device if rules else None
    about: dict[str, str | int | None] = {"owner": tariff[0] or None, "valid_from": time_text(tariff[1])}
    made = []
    if taken := len(decided.new) + len(decided.replaced):
        made.append(Event(community, now * 1000, "price-taken", WHO, device, taken, about))
    if decided.corrections:
        about = {**about, "start": time_text(decided.corrections[0].start)}
        made.append(Event(community, now * 1000, "price-corrected", WHO, device, len(decided.corrections), about))
    return made


def following(conn: Connection, community: str, tariff: TariffKey, now: int) -> Following | None:
    """Return how a series stands beside its market; None if it follows none."""
    rules, settings = market.rules_of(conn, community, tariff), community_of(conn, community)
    if not rules or settings is None:
        return None
    last = rules[-1]
    until = _known_until(conn, community, last)
    count, latest = market.newest_corrections(conn, community, tariff, CORRECTIONS_TOLD)
    return Following(
        rules=rules,
        trouble=_trouble(conn, community, last),
        known_until=until,
        gaps=_gaps(conn, community, tariff, now),
        corrections=count,
        latest=tuple((price, _standing(conn, community, tariff, price), noticed) for price, noticed in latest),
    )


def _gaps(conn: Connection, community: str, tariff: TariffKey, now: int) -> tuple[tuple[int, int, NoPrice], ...]:
    """Return intervals without a price, those side by side for the same reason together: a look's worth of them."""
    found: list[tuple[int, int, NoPrice]] = []
    for span in spans(conn, community, tariff)[-1:]:
        begin = max(span.start, now - now % span.step - LOOK_INTERVALS_MAX * span.step // 2)
        starts = range(begin, min(span.stop, begin + LOOK_INTERVALS_MAX * span.step), span.step)
        for start, reason in look(conn, community, tariff, starts).without if starts else ():
            if found and found[-1][1:] == (start, reason):
                found[-1] = found[-1][0], start + span.step, reason
            else:
                found.append((start, start + span.step, reason))
    return tuple(found[:GAPS_TOLD])


def _standing(conn: Connection, community: str, tariff: TariffKey, said: SeriesPrice) -> SeriesPrice | None:
    held = series.known_between(conn, community, tariff, said.start, said.start)
    return held[0] if held else None
