"""Keeps what batches say of V2G cables: what a site measured at each in an interval, and signed records that came."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    and_,
    select,
    text,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert, metadata
from cloud.wire import Batch
from cloud.wire.batch import INTERVAL_SECONDS_MAX

TO_BATCH: Any = (
    ["bucket", "community", "site", "epoch", "seq"],
    ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
)
NOT_PLACED = text("placed_at IS NULL")  # as literals: with a parameter, no planner would use the indexes
NOT_HANDLED = text("handled_at IS NULL")
NOT_KNOWN = text("outcome = 'unknown-cable'")

# what a site measured at a cable in an interval; the first report of it stands
cable_period_table = Table(
    "cable_period",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("cable", TEXT, primary_key=True),
    Column("seconds", WHOLE, nullable=False),
    Column("tap", TEXT, nullable=False),
    Column("user", TEXT),
    Column("vehicle", TEXT),
    Column("energy_wh", WHOLE, nullable=False),  # towards the car
    Column("connected", WHOLE, nullable=False),
    Column("latitude", WHOLE),  # millionths of a degree
    Column("longitude", WHOLE),
    Column("agreement", TEXT, nullable=False),
    Column("meter_wh", WHOLE),
    Column("consumption_wh", WHOLE),
    Column("before_wh", WHOLE),
    Column("epoch", WHOLE, nullable=False),
    Column("seq", WHOLE, nullable=False),
    Column("derived_at", WHOLE, nullable=False),
    Column("placed_at", WHOLE),  # noted with the cable's own facts; NULL while that is still to be done
    CheckConstraint("seconds > 0", name="lasts"),
    CheckConstraint("connected IN (0, 1)", name="connected_or_not"),
    CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="place_whole"),
    CheckConstraint("agreement IN ('match', 'mismatch', 'suspect', 'unknown')", name="agreement_known"),
    ForeignKeyConstraint(*TO_BATCH),
    Index("ix_cable_period_cable", "cable", "start"),
    Index("ix_cable_period_derived_at", "derived_at"),
    Index(
        "ix_cable_period_not_placed",
        *("bucket", "community", "site", "start", "cable"),
        sqlite_where=NOT_PLACED,
        postgresql_where=NOT_PLACED,
    ),
    **STRICT,
)

# a signed record as it came with a batch, which handed it on; `number` is its place in the batch
cable_arrival_table = Table(
    "cable_arrival",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("epoch", WHOLE, primary_key=True, autoincrement=False),
    Column("seq", WHOLE, primary_key=True, autoincrement=False),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("cable", TEXT, nullable=False),
    Column("ocmf", TEXT, nullable=False),
    Column("handled_at", WHOLE),  # NULL while nobody has looked at it
    Column("outcome", TEXT),  # what it turned out to be
    CheckConstraint("(handled_at IS NULL) = (outcome IS NULL)", name="handled_with_outcome"),
    ForeignKeyConstraint(*TO_BATCH),
    Index(
        "ix_cable_arrival_not_handled",
        *("bucket", "community", "site", "epoch", "seq", "number"),
        sqlite_where=NOT_HANDLED,
        postgresql_where=NOT_HANDLED,
    ),
    Index("ix_cable_arrival_unknown", "cable", sqlite_where=NOT_KNOWN, postgresql_where=NOT_KNOWN),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A signed record as a site handed it on; `place` is the batch (epoch, seq) and its number therein."""

    community: str
    site: str
    place: tuple[int, int, int]
    cable: str
    ocmf: str


@dataclass(frozen=True, slots=True)
class Reported:
    """That a site reported a cable in an interval, and the energy towards the car it claims for it."""

    community: str
    site: str
    start: int
    seconds: int
    cable: str
    energy_wh: int
    connected: bool


def add_cables(conn: Connection, derived: Iterable[tuple[str, Batch, int]]) -> None:
    """Keep what batches that are derived say of cables, each with its community and the time.

    What stands of an interval of a site and a cable stays: the first report counts. Without cables nothing is done.
    """
    periods: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for community, batch, now in derived:
        if batch.intervals is not None and batch.intervals.cables:
            periods += periods_of(community, batch, now)
        if batch.records:
            records += records_of(community, batch)
    for table, rows in ((cable_period_table, periods), (cable_arrival_table, records)):
        if rows:
            conn.execute(insert(conn, table).on_conflict_do_nothing(), rows)


def _key(community: str, batch: Batch) -> dict[str, Any]:
    owned = {"bucket": bucket_of(community), "community": community, "site": batch.site}
    return owned | {"epoch": batch.epoch, "seq": batch.seq}


def periods_of(community: str, batch: Batch, now: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of what a batch says was measured at cables."""
    if batch.intervals is None:
        return
    key, seconds = _key(community, batch), batch.intervals.seconds
    for item in batch.intervals.cables:
        latitude, longitude = item.place or (None, None)
        yield key | {
            "start": batch.intervals.start + item.at * seconds,
            "cable": item.cable,
            "seconds": seconds,
            "tap": item.tap,
            "user": item.user,
            "vehicle": item.vehicle,
            "energy_wh": item.energy_wh,
            "connected": int(item.connected),
            "latitude": latitude,
            "longitude": longitude,
            "agreement": item.agreement,
            "meter_wh": item.meter_wh,
            "consumption_wh": item.consumption_wh,
            "before_wh": item.before_wh,
            "derived_at": now,
        }


def records_of(community: str, batch: Batch) -> Iterator[dict[str, Any]]:
    """Yield the rows of the signed records that a batch hands on."""
    key = _key(community, batch)
    for number, item in enumerate(batch.records):
        yield key | {"number": number, "cable": item.cable, "ocmf": item.ocmf}


def not_handled(conn: Connection, limit: int) -> list[Arrived]:
    """Return signed records nobody has looked at, those of one batch in their order."""
    c = cable_arrival_table.c
    columns = (c.community, c.site, c.epoch, c.seq, c.number, c.cable, c.ocmf)
    rows = select(*columns).where(NOT_HANDLED).order_by(c.bucket, *columns[:5]).limit(limit)
    return [
        Arrived(row.community, row.site, (row.epoch, row.seq, row.number), row.cable, row.ocmf)
        for row in conn.execute(rows)
    ]


def handled(conn: Connection, arrived: Arrived, outcome: str, now: int) -> None:
    """Note what a signed record turned out to be; whoever was first has said it."""
    epoch, seq, number = arrived.place
    key = {"bucket": bucket_of(arrived.community), "community": arrived.community, "site": arrived.site}
    row = update(cable_arrival_table).filter_by(**key, epoch=epoch, seq=seq, number=number).where(NOT_HANDLED)
    conn.execute(row.values(handled_at=now, outcome=outcome))


def look_again(conn: Connection, cable: str) -> int:
    """Have the records looked at again that came of a cable while the cloud did not know it; return how many."""
    row = update(cable_arrival_table).where(cable_arrival_table.c.cable == cable, NOT_KNOWN)
    return conn.execute(row.values(handled_at=None, outcome=None)).rowcount


def not_placed(conn: Connection, limit: int) -> list[Reported]:
    """Return reports of cables that are not noted with the cable's own facts yet."""
    c = cable_period_table.c
    columns = (c.community, c.site, c.start, c.seconds, c.cable, c.energy_wh, c.connected)
    rows = select(*columns).where(NOT_PLACED).order_by(c.bucket, c.community, c.site, c.start, c.cable).limit(limit)
    return [
        Reported(row.community, row.site, row.start, row.seconds, row.cable, row.energy_wh, bool(row.connected))
        for row in conn.execute(rows)
    ]


def placed(conn: Connection, reports: Sequence[Reported], now: int) -> None:
    """Note that these reports stand with their cables' own facts."""
    for item in reports:
        row = update(cable_period_table).where(_same(item))
        conn.execute(row.values(placed_at=now))


def _same(item: Reported) -> ColumnElement[bool]:
    c = cable_period_table.c
    site = and_(c.bucket == bucket_of(item.community), c.community == item.community, c.site == item.site)
    return and_(site, c.start == item.start, c.cable == item.cable)


def is_reported(conn: Connection, cable: str, site: str, start: int, end: int) -> bool:
    """Tell whether a site has reported a cable of any interval that touches a time."""
    c = cable_period_table.c
    rows = select(c.start).filter_by(cable=cable, site=site)
    rows = rows.where(c.start > start - INTERVAL_SECONDS_MAX, c.start < end, c.start + c.seconds > start)
    return conn.execute(rows.limit(1)).first() is not None


def claims_with(conn: Connection, arrived: Arrived) -> bool:
    """Tell whether the batch that handed a record on claims energy of the same cable."""
    c = cable_period_table.c
    key = {"bucket": bucket_of(arrived.community), "community": arrived.community, "site": arrived.site}
    rows = select(c.start).filter_by(**key, epoch=arrived.place[0], seq=arrived.place[1], cable=arrived.cable)
    return conn.execute(rows.where(c.energy_wh != 0).limit(1)).first() is not None
