"""Keeps what was settled, and finds what is not yet."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
import secrets

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    func,
    select,
    update,
)

from cloud.database import RAW, STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, upsert
from cloud.ingest.readings.store import reading_table
from cloud.sites.store import sites_of
from cloud.sites.trees.store import tree_table
from cloud.tariff.book import PriceBook
from cloud.tariff.store import book, first_valid_from

from .cycle import Expected

NEVER = -1  # no interval begins then
SECRET_BYTES = 32

# one row per community: nothing from `first` up to `open_from` is open any more; also the row that settlers lock
settlement_table = Table(
    "settlement",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("first", WHOLE, nullable=False),
    Column("open_from", WHOLE, nullable=False),
    Column("secret", TEXT),  # owners' names in the documents of intervals are blinded by it
    Column("corrected_through", WHOLE),  # batches derived before were looked at: what they changed is corrected
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

settled_interval_table = Table(
    "settled_interval",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("seconds", WHOLE, nullable=False),
    Column("readings", WHOLE, nullable=False),
    Column("grid_wh", WHOLE, nullable=False),
    Column("grid_points_micro", WHOLE, nullable=False),
    Column("evidence", TEXT, nullable=False),
    Column("entry", WHOLE),
    Column("settled_at", WHOLE, nullable=False),
    Column("local_micro_per_wh", WHOLE),
    Column("batches", TEXT),  # one digest for those the readings came from
    Column("document", RAW),  # where there is no entry that it lies beside
    CheckConstraint("seconds > 0 AND readings > 0", name="of_readings"),
    ForeignKeyConstraint(["bucket", "community", "entry"], ["entry.bucket", "entry.community", "entry.number"]),
    **STRICT,
)

settled_owner_interval_table = Table(
    "settled_owner_interval",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("owner", TEXT, primary_key=True),
    Column("net_wh", WHOLE, nullable=False),
    Column("local_wh", WHOLE, nullable=False),
    Column("grid_wh", WHOLE, nullable=False),
    Column("points_micro", WHOLE, nullable=False),
    Column("quality", TEXT, nullable=False),
    Column("local_micro_per_wh", WHOLE),
    Column("grid_micro_per_wh", WHOLE),
    Column("direct_wh", WHOLE),
    Column("direct_points_micro", WHOLE),
    Column("blind", TEXT),
    CheckConstraint("net_wh = local_wh + grid_wh", name="net_is_local_and_grid"),
    CheckConstraint("quality IN ('ok', 'estimated', 'missing', 'reset')", name="quality_known"),
    ForeignKeyConstraint(
        ["bucket", "community", "start"],
        ["settled_interval.bucket", "settled_interval.community", "settled_interval.start"],
    ),
    Index("ix_settled_owner_interval_owner_start", "bucket", "community", "owner", "start"),
    **STRICT,
)

settled_without_table = Table(
    "settled_without",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("site", TEXT, primary_key=True),
    ForeignKeyConstraint(
        ["bucket", "community", "start"],
        ["settled_interval.bucket", "settled_interval.community", "settled_interval.start"],
    ),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Horizon:
    """Where open intervals lie: between the first and last that has readings and a price, from the first still open."""

    first: int
    last: int
    open_from: int
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """What is known of the intervals that begin within some time: which are settled, who reported in the others."""

    settled: frozenset[int]
    reported: Mapping[int, frozenset[str]]
    book: PriceBook


def horizon(conn: Connection, community: str) -> Horizon | None:
    """Return where open intervals may lie, None as long as no interval has both readings and a price."""
    owned = {"bucket": bucket_of(community), "community": community}
    priced_from = first_valid_from(conn, community)
    if priced_from is None:
        return None
    start = reading_table.c.start
    priced = select(start).filter_by(**owned).where(start >= priced_from).limit(1)
    first = conn.execute(priced.order_by(start)).scalar_one_or_none()
    last = conn.execute(priced.order_by(start.desc())).scalar_one_or_none()
    if first is None or last is None:
        return None
    # an older tariff, or a site with older readings than anybody's, opens the time before: then all is looked at again
    rows = select(settlement_table.c.open_from).filter_by(**owned, first=first)
    open_from = conn.execute(rows).scalar_one_or_none()
    return Horizon(first, last, first if open_from is None else open_from, expected(conn, community))


def expected(conn: Connection, community: str) -> tuple[Expected, ...]:
    """Return the sites that report, each from when on, by id."""
    since = select(tree_table.c.site, func.min(tree_table.c.valid_from))
    since = since.filter_by(bucket=bucket_of(community), community=community).group_by(tree_table.c.site)
    begun = dict(conn.execute(since).tuples().all())
    return tuple(
        Expected(site.site, begun[site.site], quarantined=site.quarantined_at is not None)
        for site in sites_of(conn, community)
        if site.site in begun
    )


def set_open_from(conn: Connection, community: str, first: int, open_from: int) -> None:
    """Remember that nothing from `first` up to `open_from` is open any more."""
    key = {"bucket": bucket_of(community), "community": community}
    upsert(conn, settlement_table, [*key], key | {"first": first, "open_from": open_from})


def hold(conn: Connection, community: str) -> str:
    """Keep other settlers off this community until the caller's transaction ends; return its secret."""
    key = {"bucket": bucket_of(community), "community": community}
    insert_new(conn, settlement_table, key | {"first": NEVER, "open_from": NEVER})
    rows = select(settlement_table.c.secret).filter_by(**key).with_for_update()
    secret: str | None = conn.execute(rows).scalar_one()
    if secret is None:
        secret = secrets.token_hex(SECRET_BYTES)
        conn.execute(update(settlement_table).filter_by(**key).values(secret=secret))
    return secret


def secret_of(conn: Connection, community: str) -> str:
    """Return the secret of a community, empty where nothing was settled yet."""
    rows = select(settlement_table.c.secret).filter_by(bucket=bucket_of(community), community=community)
    return conn.execute(rows).scalar_one_or_none() or ""


def settled_starts(conn: Connection, community: str, first: int, last: int) -> frozenset[int]:
    """Return which of the intervals that begin between two times, both included, are settled."""
    rows = select(settled_interval_table.c.start).filter_by(bucket=bucket_of(community), community=community)
    return frozenset(conn.execute(rows.where(settled_interval_table.c.start.between(first, last))).scalars())


def span(conn: Connection, community: str, first: int, last: int) -> Span:
    """Return what there is to judge the intervals by that begin between two times, both included."""
    return Span(
        settled=settled_starts(conn, community, first, last),
        reported=_reported(conn, community, first, last),
        book=book(conn, community, first, last),
    )


def _reported(conn: Connection, community: str, first: int, last: int) -> Mapping[int, frozenset[str]]:
    settled = settled_interval_table.c
    same = (settled.bucket == reading_table.c.bucket) & (settled.community == reading_table.c.community)
    stands = select(1).where(same, settled.start == reading_table.c.start).exists()
    rows = select(reading_table.c.start, reading_table.c.site).distinct()
    rows = rows.where(reading_table.c.bucket == bucket_of(community), reading_table.c.community == community)
    found: defaultdict[int, set[str]] = defaultdict(set)
    for start, site in conn.execute(rows.where(reading_table.c.start.between(first, last), ~stands)):
        found[start].add(site)
    return {start: frozenset(sites) for start, sites in found.items()}


def settled_through(conn: Connection, community: str) -> int | None:
    """Return the end of the newest settled interval."""
    interval = settled_interval_table.c
    rows = select(interval.start + interval.seconds).filter_by(bucket=bucket_of(community), community=community)
    return conn.execute(rows.order_by(interval.start.desc()).limit(1)).scalar_one_or_none()
