"""Keeps telemetry of sites by measurement time, under the same names of columns as the hub's readings."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Index, Table, func, select, tuple_

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert, metadata
from cloud.ingest.derive import FUTURE_SECONDS_MAX
from cloud.wire import Batch

PAGE_MAX = 10_000  # rows in one read: a page of an extraction

telemetry_table = Table(
    "telemetry",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("measured_ms", WHOLE, primary_key=True, autoincrement=False),
    Column("site", TEXT, primary_key=True),
    Column("tap", TEXT, primary_key=True),
    Column("point", TEXT, primary_key=True),
    Column("quantity", TEXT, primary_key=True),
    Column("value", WHOLE, nullable=False),
    Column("epoch", WHOLE, nullable=False),
    Column("seq", WHOLE, nullable=False),
    ForeignKeyConstraint(
        ["bucket", "community", "site", "epoch", "seq"],
        ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
    ),
    Index("ix_telemetry_site", "bucket", "community", "site", "tap", "measured_ms"),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One quantity at a tap of a site at an instant, as the hub's readings are: a whole number in its small unit."""

    site: str
    tap: str
    point: str
    quantity: str
    measured_ms: int
    value: int


type Place = tuple[int, str, str, str, str]  # measured_ms, site, tap, point, quantity: where a page goes on

BEGINNING: Place = (-1, "", "", "", "")


def add_telemetry(conn: Connection, derived: Iterable[tuple[str, Batch, int]]) -> None:
    """Keep the telemetry of batches that are derived, each with its community and the time.

    What stands of an instant stays: the first report counts. Without telemetry nothing is done.
    """
    rows = [row for community, batch, now in derived if batch.telemetry for row in _rows(community, batch, now)]
    if rows:
        conn.execute(insert(conn, telemetry_table).on_conflict_do_nothing(), rows)


def _rows(community: str, batch: Batch, now: int) -> Iterator[dict[str, Any]]:
    """Yield what is believed: of taps whose energy leaves the site anyway, and of no time to come."""
    key = {"bucket": bucket_of(community), "community": community, "site": batch.site}
    told = {"epoch": batch.epoch, "seq": batch.seq}
    taps = () if batch.intervals is None else batch.intervals.taps.keys()
    for item in batch.telemetry:
        if item.tap not in taps or item.at_ms > (now + FUTURE_SECONDS_MAX) * 1000:
            continue
        place = {"measured_ms": item.at_ms, "tap": item.tap, "point": item.point}
        for quantity, value in item.values.items():
            yield key | told | place | {"quantity": quantity, "value": value}


def page(
    conn: Connection,
    community: str,
    start_ms: int,
    end_ms: int,
    *,
    sites: Sequence[str] | None = None,
    quantities: Sequence[str] | None = None,
    after: Place = BEGINNING,
    limit: int = PAGE_MAX,
) -> list[Measured]:
    """Return what was measured in [start_ms, end_ms) after a place, in order of time, site, tap, point and quantity."""
    c = telemetry_table.c
    key = (c.measured_ms, c.site, c.tap, c.point, c.quantity)
    rows = select(c.site, c.tap, c.point, c.quantity, c.measured_ms, c.value)
    rows = rows.filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(c.measured_ms >= start_ms, c.measured_ms < end_ms, tuple_(*key) > after)
    if sites is not None:
        rows = rows.where(c.site.in_(sites))
    if quantities is not None:
        rows = rows.where(c.quantity.in_(quantities))
    return [Measured(*row) for row in conn.execute(rows.order_by(*key).limit(min(limit, PAGE_MAX)))]


def newest(conn: Connection, community: str, site: str) -> int | None:
    """Return when anything was measured last at a site."""
    c = telemetry_table.c
    rows = select(func.max(c.measured_ms)).filter_by(bucket=bucket_of(community), community=community, site=site)
    found: int | None = conn.execute(rows).scalar_one()
    return found
