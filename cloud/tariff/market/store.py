"""Keeps by which rules series follow markets, and what a market said after its price was used."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Row, Table, delete, func, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert, metadata
from cloud.hub.quantity import Quantity
from cloud.tariff.book import TariffKey
from cloud.tariff.price import Prices
from cloud.tariff.series.store import price_of
from cloud.tariff.terms import SeriesPrice

from .rule import Between, Leg, Rule

TO_TARIFF: Any = (
    ["bucket", "community", "owner", "valid_from"],
    ["tariff.bucket", "tariff.community", "tariff.owner", "tariff.valid_from"],
)

tariff_market_table = Table(
    "tariff_market",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("valid_from", WHOLE, primary_key=True, autoincrement=False),
    Column("since", WHOLE, primary_key=True, autoincrement=False),
    Column("until", WHOLE),
    Column("device", TEXT, nullable=False),
    Column("point", TEXT, nullable=False),
    Column("buy_quantity", TEXT, nullable=False),
    Column("buy_factor", TEXT, nullable=False),
    Column("buy_add", TEXT, nullable=False),
    Column("sell_quantity", TEXT, nullable=False),
    Column("sell_factor", TEXT, nullable=False),
    Column("sell_add", TEXT, nullable=False),
    Column("local_between", TEXT),
    Column("local_quantity", TEXT),
    Column("local_factor", TEXT),
    Column("local_add", TEXT),
    Column("currency", TEXT, nullable=False),
    Column("points_per_unit", WHOLE, nullable=False),
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("until IS NULL OR until > since", name="ends_after_it_begins"),
    CheckConstraint("(local_factor IS NULL) = (local_add IS NULL)", name="local_leg_whole"),
    CheckConstraint("(local_factor IS NULL) = (local_quantity IS NULL)", name="local_leg_of_something"),
    CheckConstraint("local_between IS NULL OR local_factor IS NULL", name="local_in_one_way"),
    CheckConstraint("owner = '' OR (local_between IS NULL AND local_factor IS NULL)", name="local_of_the_community"),
    ForeignKeyConstraint(*TO_TARIFF),
    **STRICT,
)

# what a market said of an interval after it was settled, or after somebody had set its price by hand
tariff_correction_table = Table(
    "tariff_correction",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("valid_from", WHOLE, primary_key=True, autoincrement=False),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("noticed_at", WHOLE, primary_key=True, autoincrement=False),
    Column("seconds", WHOLE, nullable=False),
    Column("local_text", TEXT),
    Column("grid_buy_text", TEXT, nullable=False),
    Column("grid_sell_text", TEXT, nullable=False),
    Column("local_micro_per_wh", WHOLE),
    Column("grid_buy_micro_per_wh", WHOLE, nullable=False),
    Column("grid_sell_micro_per_wh", WHOLE, nullable=False),
    ForeignKeyConstraint(*TO_TARIFF),
    **STRICT,
)


def rules_of(conn: Connection, community: str, tariff: TariffKey) -> tuple[Rule, ...]:
    """Return the rules of a series in order of time."""
    rows = select(tariff_market_table).filter_by(**key_of(community, tariff)).order_by(tariff_market_table.c.since)
    return tuple(_rule(row) for row in conn.execute(rows))


def put_rules(conn: Connection, community: str, tariff: TariffKey, rules: Iterable[Rule], now: int) -> None:
    """Let a series have these rules."""
    key = key_of(community, tariff)
    made = select(tariff_market_table.c.since, tariff_market_table.c.made_at).filter_by(**key)
    stood = dict(conn.execute(made).tuples().all())
    conn.execute(delete(tariff_market_table).filter_by(**key))
    for rule in rules:
        conn.execute(tariff_market_table.insert().values(key | _row(rule) | {"made_at": stood.get(rule.since, now)}))


def drop(conn: Connection, community: str, tariff: TariffKey) -> None:
    """Forget the rules of a tariff that settled nothing, and what was corrected."""
    for table in (tariff_market_table, tariff_correction_table):
        conn.execute(delete(table).filter_by(**key_of(community, tariff)))


def key_of(community: str, tariff: TariffKey) -> dict[str, Any]:
    """Return the columns that name a tariff."""
    owner, valid_from = tariff
    return {"bucket": bucket_of(community), "community": community, "owner": owner, "valid_from": valid_from}


def followed(conn: Connection, after: tuple[str, str, int], limit: int) -> list[tuple[str, str, int]]:
    """Return community, owner and beginning of tariffs that follow a market, in order."""
    c = tariff_market_table.c
    names = (c.community, c.owner, c.valid_from)
    community, owner, valid_from = after
    later = (c.owner > owner) | ((c.owner == owner) & (c.valid_from > valid_from))
    rows = select(*names).distinct().where((c.community > community) | ((c.community == community) & later))
    return [(row.community, row.owner, row.valid_from) for row in conn.execute(rows.order_by(*names).limit(limit))]


def add_corrections(
    conn: Connection, community: str, tariff: TariffKey, prices: Iterable[SeriesPrice], now: int
) -> None:
    """Note what a market says of intervals whose prices stand."""
    key = key_of(community, tariff) | {"noticed_at": now}
    rows = [
        key
        | {"start": price.start, "seconds": price.seconds}
        | {f"{name}_text": text for name, text in asdict(price.texts).items()}
        | asdict(price.prices)
        for price in prices
    ]
    if rows:
        # of two in one second, the later one is noticed at the next look
        conn.execute(insert(conn, tariff_correction_table).on_conflict_do_nothing(), rows)


def corrected(conn: Connection, community: str, tariff: TariffKey, first: int, last: int) -> Mapping[int, Prices]:
    """Return what was said last, beside what stands, of the intervals that begin in [first, last)."""
    c = tariff_correction_table.c
    rows = (
        select(tariff_correction_table).filter_by(**key_of(community, tariff)).where(c.start >= first, c.start < last)
    )
    return {row.start: price_of(row).prices for row in conn.execute(rows.order_by(c.start, c.noticed_at))}


def newest_corrections(
    conn: Connection, community: str, tariff: TariffKey, limit: int
) -> tuple[int, list[tuple[SeriesPrice, int]]]:
    """Return how many corrections there are, and the latest intervals' with when each was noticed."""
    c, key = tariff_correction_table.c, key_of(community, tariff)
    count: int = conn.execute(select(func.count()).select_from(tariff_correction_table).filter_by(**key)).scalar_one()
    rows = select(tariff_correction_table).filter_by(**key).order_by(c.start.desc(), c.noticed_at.desc()).limit(limit)
    return count, [(price_of(row), row.noticed_at) for row in conn.execute(rows)]


def _row(rule: Rule) -> dict[str, Any]:
    local: dict[str, Any] = {}
    if isinstance(rule.local, Between):
        local = {"local_between": str(rule.local.share)}
    elif rule.local is not None:
        local = _leg_row("local", rule.local)
    span = {"since": rule.since, "until": rule.until, "device": rule.device, "point": rule.point}
    money = {"currency": rule.currency, "points_per_unit": rule.points_per_unit}
    return span | money | _leg_row("buy", rule.buy) | _leg_row("sell", rule.sell) | local


def _leg_row(name: str, leg: Leg) -> dict[str, str]:
    return {f"{name}_quantity": leg.quantity, f"{name}_factor": f"{leg.factor:f}", f"{name}_add": f"{leg.add:f}"}


def _rule(row: Row[Any]) -> Rule:
    local: Leg | Between | None = None
    if row.local_between is not None:
        local = Between(Decimal(row.local_between))
    elif row.local_factor is not None:
        local = _leg(row.local_quantity, row.local_factor, row.local_add)
    return Rule(
        device=row.device,
        point=row.point,
        buy=_leg(row.buy_quantity, row.buy_factor, row.buy_add),
        sell=_leg(row.sell_quantity, row.sell_factor, row.sell_add),
        local=local,
        currency=row.currency,
        points_per_unit=row.points_per_unit,
        since=row.since,
        until=row.until,
    )


def _leg(quantity: str, factor: str, add: str) -> Leg:
    return Leg(Decimal(factor), Decimal(add), Quantity(quantity))
