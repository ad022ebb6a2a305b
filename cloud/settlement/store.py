"""Keeps what was settled, and finds what is not yet."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    func,
    select,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, upsert
from cloud.ingest.readings.store import intervals_known, reading_table
from cloud.sites.store import Community, sites_of
from cloud.sites.trees.store import tree_table
from cloud.tariff.store import first_valid_from, tariffs_between
from cloud.tariff.validity import Tariff

from .cycle import Expected, last_ended
from .statement import Line

NEVER = -1  # no interval begins then

# one row per community: nothing from `first` up to `open_from` is open any more; also the row that settlers lock
settlement_table = Table(
    "settlement",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("first", WHOLE, nullable=False),
    Column("open_from", WHOLE, nullable=False),
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
    Column("tariff_valid_from", WHOLE, nullable=False),
    Column("readings", WHOLE, nullable=False),
    Column("grid_wh", WHOLE, nullable=False),
    Column("grid_points_micro", WHOLE, nullable=False),
    Column("evidence", TEXT, nullable=False),
    Column("entry", WHOLE),
    Column("settled_at", WHOLE, nullable=False),
    CheckConstraint("seconds > 0 AND readings > 0", name="of_readings"),
    ForeignKeyConstraint(
        ["bucket", "community", "tariff_valid_from"], ["tariff.bucket", "tariff.community", "tariff.valid_from"]
    ),
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
    tariffs: tuple[Tariff, ...]


@dataclass(frozen=True, slots=True)
class SettledInterval:
    """A settled interval as it is listed. `late` counts readings that came after; they are kept, and moved nothing."""

    start: int
    grid_wh: int
    entry: int | None
    without: tuple[str, ...]
    late: int


@dataclass(frozen=True, slots=True)
class Overview:
    """A page of ended intervals, with all it takes to say of each whether it is settled or what it waits for."""

    starts: range
    span: Span
    settled: Mapping[int, SettledInterval]
    expected: tuple[Expected, ...]


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


def hold(conn: Connection, community: str) -> None:
    """Keep other settlers off this community until the caller's transaction ends."""
    key = {"bucket": bucket_of(community), "community": community}
    insert_new(conn, settlement_table, key | {"first": NEVER, "open_from": NEVER})
    conn.execute(select(settlement_table.c.open_from).filter_by(**key).with_for_update())


def settled_starts(conn: Connection, community: str, first: int, last: int) -> frozenset[int]:
    """Return which of the intervals that begin between two times, both included, are settled."""
    rows = select(settled_interval_table.c.start).filter_by(bucket=bucket_of(community), community=community)
    return frozenset(conn.execute(rows.where(settled_interval_table.c.start.between(first, last))).scalars())


def span(conn: Connection, community: str, first: int, last: int) -> Span:
    """Return what there is to judge the intervals by that begin between two times, both included."""
    return Span(
        settled=settled_starts(conn, community, first, last),
        reported=_reported(conn, community, first, last),
        tariffs=tuple(tariffs_between(conn, community, first, last)),
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


def overview(conn: Connection, community: Community, after: int, limit: int, now: int) -> Overview | None:
    """Return what there is to tell of the ended intervals that begin after a time, None before the first reading."""
    known = intervals_known(conn, community.community)
    if known is None:
        return None
    seconds = community.interval_seconds
    first = max(known[0], after - after % seconds + seconds)
    starts = range(first, min(last_ended(now, seconds) + seconds, first + limit * seconds), seconds)
    last = starts.stop - seconds
    return Overview(
        starts=starts,
        span=span(conn, community.community, first, last),
        settled={item.start: item for item in settled_between(conn, community.community, first, last)},
        expected=expected(conn, community.community),
    )


def settled_between(conn: Connection, community: str, first: int, last: int) -> list[SettledInterval]:
    """Return the settled intervals that begin between two times, both included, in order."""
    owned = {"bucket": bucket_of(community), "community": community}
    interval, absent = settled_interval_table.c, settled_without_table.c
    without: defaultdict[int, list[str]] = defaultdict(list)
    rows = select(absent.start, absent.site).filter_by(**owned).where(absent.start.between(first, last))
    for start, site in conn.execute(rows.order_by(absent.start, absent.site)):
        without[start].append(site)
    count = select(reading_table.c.start, func.count()).filter_by(**owned).group_by(reading_table.c.start)
    readings = dict(conn.execute(count.where(reading_table.c.start.between(first, last))).tuples().all())
    settled = select(settled_interval_table).filter_by(**owned).where(interval.start.between(first, last))
    return [
        SettledInterval(
            start=row.start,
            grid_wh=row.grid_wh,
            entry=row.entry,
            without=tuple(without[row.start]),
            late=readings[row.start] - row.readings,
        )
        for row in conn.execute(settled.order_by(interval.start))
    ]


def lines(conn: Connection, community: str, owner: str, start: int, end: int) -> list[Line]:
    """Return an owner's settled intervals that begin in [start, end), in order."""
    part, interval = settled_owner_interval_table.c, settled_interval_table.c
    same = (part.bucket == interval.bucket) & (part.community == interval.community) & (part.start == interval.start)
    rows = select(part.start, interval.seconds, part.net_wh, part.local_wh, part.grid_wh, part.points_micro)
    rows = rows.add_columns(part.quality).join_from(settled_owner_interval_table, settled_interval_table, same)
    rows = rows.where(part.bucket == bucket_of(community), part.community == community, part.owner == owner)
    rows = rows.where(part.start >= start, part.start < end).order_by(part.start)
    return [Line(*row) for row in conn.execute(rows)]


def settled_through(conn: Connection, community: str) -> int | None:
    """Return the end of the newest settled interval."""
    interval = settled_interval_table.c
    rows = select(interval.start + interval.seconds).filter_by(bucket=bucket_of(community), community=community)
    return conn.execute(rows.order_by(interval.start.desc()).limit(1)).scalar_one_or_none()
