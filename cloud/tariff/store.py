"""Keeps a community's tariffs: the prices, the texts they were read from, and how far they have settled."""

from dataclasses import asdict
from typing import Any, Literal

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Row, Table, func, or_, select, update

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, upsert
from cloud.sites.store import community_of, community_table

from .price import Prices, PriceTexts
from .validity import Tariff, Verdict, in_force, judge

tariff_table = Table(
    "tariff",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("valid_from", WHOLE, primary_key=True, autoincrement=False),
    Column("local_text", TEXT),
    Column("grid_buy_text", TEXT, nullable=False),
    Column("grid_sell_text", TEXT, nullable=False),
    Column("local_micro_per_wh", WHOLE),
    Column("grid_buy_micro_per_wh", WHOLE, nullable=False),
    Column("grid_sell_micro_per_wh", WHOLE, nullable=False),
    Column("used_through", WHOLE),
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("(local_text IS NULL) = (local_micro_per_wh IS NULL)", name="local_with_its_text"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)


def put_tariff(
    conn: Connection, community: str, wanted: Tariff, texts: PriceTexts, now: int
) -> Verdict | Literal["no-community", "off-boundary"]:
    """Keep a tariff unless that would change what is settled; tell what became of it."""
    settings = community_of(conn, community)
    if settings is None:
        return "no-community"
    if wanted.valid_from % settings.interval_seconds:
        return "off-boundary"
    _hold(conn, community)
    verdict = judge(tariff_at(conn, community, wanted.valid_from), wanted)
    if verdict in ("created", "replaced"):
        key = {"bucket": bucket_of(community), "community": community, "valid_from": wanted.valid_from}
        written = {f"{name}_text": text for name, text in asdict(texts).items()}
        values = written | asdict(wanted.prices) | {"used_through": None, "made_at": now}
        upsert(conn, tariff_table, [*key], key | values)
    return verdict


def held_at(conn: Connection, community: str, start: int) -> Tariff | None:
    """Return the tariff an interval is to be settled by, and keep it from changing until this transaction ends."""
    _hold(conn, community)
    return tariff_at(conn, community, start)


def mark_used(conn: Connection, community: str, tariff: Tariff, through: int) -> None:
    """Let a tariff stand for every interval up to `through`, for one that ends then was settled by it."""
    if (tariff.used_through or 0) < through:
        owned = {"bucket": bucket_of(community), "community": community}
        rows = update(tariff_table).filter_by(**owned, valid_from=tariff.valid_from)
        conn.execute(rows.values(used_through=through))


def prices_at(conn: Connection, community: str, start: int) -> Prices | None:
    """Return the prices of the interval that begins at `start`, None where no tariff is valid yet."""
    tariff = tariff_at(conn, community, start)
    return None if tariff is None else tariff.prices


def tariff_at(conn: Connection, community: str, start: int) -> Tariff | None:
    """Return the tariff in force in the interval that begins at `start`."""
    return in_force(tariffs_between(conn, community, start, start), start)


def tariffs_between(conn: Connection, community: str, first: int, last: int) -> list[Tariff]:
    """Return the tariffs in force in the intervals that begin between two times, both included."""
    owned = {"bucket": bucket_of(community), "community": community}
    begun = tariff_table.c.valid_from <= first
    newest = select(func.max(tariff_table.c.valid_from)).filter_by(**owned).where(begun).scalar_subquery()
    rows = select(tariff_table).filter_by(**owned).where(tariff_table.c.valid_from <= last)
    rows = rows.where(or_(~begun, tariff_table.c.valid_from == newest))
    return [_tariff(row) for row in conn.execute(rows.order_by(tariff_table.c.valid_from))]


def first_valid_from(conn: Connection, community: str) -> int | None:
    """Return when a community's first tariff begins: nothing before has a price."""
    rows = select(func.min(tariff_table.c.valid_from)).filter_by(bucket=bucket_of(community), community=community)
    first: int | None = conn.execute(rows).scalar_one()
    return first


def _tariff(row: Row[Any]) -> Tariff:
    prices = Prices(row.local_micro_per_wh, row.grid_buy_micro_per_wh, row.grid_sell_micro_per_wh)
    return Tariff(row.valid_from, prices, row.used_through)


def _hold(conn: Connection, community: str) -> None:
    """Keep other transactions from changing or using this community's tariffs until this one ends."""
    rows = select(community_table.c.community).filter_by(bucket=bucket_of(community), community=community)
    conn.execute(rows.with_for_update(key_share=True))
