"""Keeps the readings derived from batches, and gives them to settlement by community and interval."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKeyConstraint,
    Index,
    RowMapping,
    Select,
    Table,
    func,
    select,
)

from cloud.bulk import insert_many
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata
from cloud.ingest.reading import Reading
from cloud.sites.trees.boundary import BoundaryTap
from cloud.wire import Batch
from cloud.wire.batch import INTERVAL_SECONDS_MAX

type Registers = tuple[int, int]

# the order of the key: settlement reads one interval of one community at a time
reading_table = Table(
    "reading",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("site", TEXT, primary_key=True),
    Column("tap", TEXT, primary_key=True),
    Column("seconds", WHOLE, nullable=False),
    Column("owner", TEXT, nullable=False),
    Column("upstream_owner", TEXT),
    Column("island", WHOLE, nullable=False),
    Column("import_wh", WHOLE, nullable=False),
    Column("export_wh", WHOLE, nullable=False),
    Column("import_register_wh", WHOLE, nullable=False),
    Column("export_register_wh", WHOLE, nullable=False),
    Column("quality", TEXT, nullable=False),
    Column("epoch", WHOLE, nullable=False),
    Column("seq", WHOLE, nullable=False),
    Column("private", WHOLE),
    CheckConstraint("import_wh >= 0 AND export_wh >= 0", name="energy_not_negative"),
    CheckConstraint("island = 0 OR upstream_owner IS NULL", name="island_has_no_upstream"),
    CheckConstraint("quality IN ('ok', 'estimated', 'missing', 'reset')", name="quality_known"),
    ForeignKeyConstraint(
        ["bucket", "community", "site", "epoch", "seq"],
        ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
    ),
    Index("ix_reading_site_start", "bucket", "community", "site", "start"),
    **STRICT,
)

# what stood until a later batch of the same site measured it better
replaced_reading_table = Table(
    "replaced_reading",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("site", TEXT, primary_key=True),
    Column("tap", TEXT, primary_key=True),
    Column("seconds", WHOLE, nullable=False),
    Column("owner", TEXT, nullable=False),
    Column("upstream_owner", TEXT),
    Column("island", WHOLE, nullable=False),
    Column("import_wh", WHOLE, nullable=False),
    Column("export_wh", WHOLE, nullable=False),
    Column("import_register_wh", WHOLE, nullable=False),
    Column("export_register_wh", WHOLE, nullable=False),
    Column("quality", TEXT, nullable=False),
    Column("epoch", WHOLE, primary_key=True, autoincrement=False),
    Column("seq", WHOLE, primary_key=True, autoincrement=False),
    Column("private", WHOLE),
    Column("by_epoch", WHOLE, nullable=False),
    Column("by_seq", WHOLE, nullable=False),
    Column("replaced_at", WHOLE, nullable=False),
    ForeignKeyConstraint(
        ["bucket", "community", "site", "by_epoch", "by_seq"],
        ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
    ),
    Index("ix_replaced_reading_site_start", "bucket", "community", "site", "start"),
    **STRICT,
)


MEMBERS = tuple(member.name for member in fields(Reading))
ROW = ("bucket", "community", *MEMBERS)
COLUMNS = (
    *("bucket", "community", "site", "tap", "seconds", "owner", "upstream_owner", "island", "private"),
    *("epoch", "seq", "start"),
    *("import_wh", "export_wh", "import_register_wh", "export_register_wh", "quality"),
)

_members = attrgetter(*MEMBERS)


def readings_at(conn: Connection, community: str, start: int) -> list[Reading]:
    """Return every reading of a community in the interval that begins at `start`, by site and tap."""
    rows = _readings(community).where(reading_table.c.start == start)
    return [_reading(row) for row in conn.execute(rows.order_by(reading_table.c.site, reading_table.c.tap)).mappings()]


def sites_reported(conn: Connection, community: str, start: int) -> frozenset[str]:
    """Return the sites whose readings of the interval that begins at `start` are there."""
    rows = select(reading_table.c.site).filter_by(bucket=bucket_of(community), community=community, start=start)
    return frozenset(conn.execute(rows.distinct()).scalars())


def intervals_known(conn: Connection, community: str) -> tuple[int, int] | None:
    """Return the starts of the first and of the last interval any site of a community has reported."""
    rows = select(func.min(reading_table.c.start), func.max(reading_table.c.start))
    first, last = conn.execute(rows.filter_by(bucket=bucket_of(community), community=community)).one()
    return None if first is None else (first, last)


def _readings(community: str) -> Select[Any]:
    columns = [reading_table.c[name] for name in MEMBERS]
    return select(*columns).filter_by(bucket=bucket_of(community), community=community)


def _reading(row: RowMapping) -> Reading:
    return Reading(**{**row, "island": bool(row["island"]), "private": bool(row["private"])})


def registers_at_end(conn: Connection, community: str, site: str, end: int) -> dict[str, Registers]:
    """Return each tap's registers at the end of the reading that ends there, as far as it is derived."""
    c = reading_table.c
    rows = select(c.tap, c.import_register_wh, c.export_register_wh).where(*_of_site(community, site))
    last = rows.where(c.start.between(end - INTERVAL_SECONDS_MAX, end - 1), c.start + c.seconds == end)
    return {tap: (imported, exported) for tap, imported, exported in conn.execute(last)}


def registers_at_start(conn: Connection, community: str, site: str, start: int) -> dict[str, Registers]:
    """Return each tap's registers at the start of the reading that begins there; a reset one does not tell."""
    c = reading_table.c
    opening = c.import_register_wh - c.import_wh, c.export_register_wh - c.export_wh
    rows = select(c.tap, *opening).where(*_of_site(community, site), c.start == start, c.quality != "reset")
    return {tap: (imported, exported) for tap, imported, exported in conn.execute(rows)}


def any_between(conn: Connection, community: str, site: str, start: int, end: int) -> bool:
    """Tell whether a reading of this site begins in [start, end)."""
    c = reading_table.c
    rows = select(c.start).where(*_of_site(community, site), c.start >= start, c.start < end).limit(1)
    return conn.execute(rows).one_or_none() is not None


def _of_site(community: str, site: str) -> tuple[ColumnElement[bool], ...]:
    c = reading_table.c
    return c.bucket == bucket_of(community), c.community == community, c.site == site


def add_readings(conn: Connection, community: str, readings: Sequence[Reading]) -> None:
    """Add derived readings; a second one for the same tap and interval breaks the key, which is our mistake."""
    owned = bucket_of(community), community
    insert_many(conn, reading_table, ROW, [(*owned, *map(_stored, _members(item))) for item in readings])


def _stored(value: str | int | None) -> str | int | None:
    return int(value) if isinstance(value, bool) else value


def add_batches(conn: Connection, derived: Iterable[tuple[str, Batch, Mapping[str, BoundaryTap]]]) -> None:
    """Add what `readings_of` returns of many batches, each with its community and its site's boundary taps."""
    insert_many(conn, reading_table, COLUMNS, [row for item in derived for row in _rows(*item)])


def _rows(community: str, batch: Batch, taps: Mapping[str, BoundaryTap]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a batch without a value for each in between, which would cost more than keeping them."""
    intervals = batch.intervals
    if intervals is None:
        return
    seconds, owned, named = intervals.seconds, (bucket_of(community), community), (batch.epoch, batch.seq)
    starts = range(intervals.start, intervals.start + seconds * intervals.count, seconds)
    for tap, item in intervals.taps.items():
        place = int(taps[tap].island), int(taps[tap].private)
        whose = batch.site, tap, seconds, item.owner, item.upstream_owner, *place, *named
        columns = zip(starts, item.import_wh, item.export_wh, item.register_wh, item.quality, strict=True)
        for start, imported, exported, register_wh, quality in columns:
            yield *owned, *whose, start, imported, exported, *register_wh, quality
