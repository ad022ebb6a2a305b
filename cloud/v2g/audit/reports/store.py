"""Reads every batch that speaks of cables again and holds the reports and records derived from it against its bytes."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, select, tuple_, union

from cloud.database import bucket_of
from cloud.ingest.batches.store import batch_table
from cloud.ingest.cables.store import cable_arrival_table, cable_period_table, periods_of, records_of
from cloud.settlement.audit.finding import Finding, Place, absent, compare, uncalled
from cloud.wire import WireError, parse_batch

PAGE = 200  # batches in memory
SPEAKS_OF_CABLES = (b'"cables"', b'"records"')
SEEN_TO = frozenset({"derived_at", "placed_at", "handled_at", "outcome"})  # what the cloud noted, and no batch says

type Named = tuple[str, int, int]  # site, epoch, number
type Rows = Mapping[tuple[Any, ...], Mapping[str, Any]]


def report_findings(conn: Connection, community: str) -> Iterator[Finding]:
    """Find what was derived of cables otherwise than its batch says, what is missing, and what no batch says."""
    named, looked_at = _named(conn, community), set[Named]()
    for row in _batches(conn, community):
        batch = (row.site, row.epoch, row.seq)
        if batch not in named and not any(word in row.raw for word in SPEAKS_OF_CABLES):
            continue
        looked_at.add(batch)
        try:
            said = parse_batch(row.raw)
        except WireError:
            continue  # the check of readings tells of it
        periods = {(item["start"], item["cable"]): item for item in periods_of(community, said, 0)}
        yield from _held(conn, cable_period_table, ("start", "cable"), periods, (community, *batch))
        records = {(item["number"],): item for item in records_of(community, said)}
        yield from _held(conn, cable_arrival_table, ("number",), records, (community, *batch))
    for site, epoch, seq in sorted(named - looked_at):
        place = Place("v2g", community, "batch", {"site": site, "epoch": epoch, "seq": seq})
        yield Finding(place, "state", "rows of cables name it", "derived")


def _batches(conn: Connection, community: str) -> Iterator[Row[Any]]:
    b = batch_table.c
    rows = select(b.site, b.epoch, b.seq, b.raw).filter_by(
        bucket=bucket_of(community), community=community, state="derived"
    )
    rows = rows.order_by(b.site, b.epoch, b.seq).limit(PAGE)
    after: Named = ("", 0, 0)
    while page := conn.execute(rows.where(tuple_(b.site, b.epoch, b.seq) > after)).all():
        yield from page
        after = page[-1].site, page[-1].epoch, page[-1].seq


def _held(
    conn: Connection, table: Table, key: tuple[str, ...], must: Rows, batch: tuple[str, str, int, int]
) -> Iterator[Finding]:
    """Hold the rows of one table that name a batch against what it says; the first report of an interval stands."""
    community, site, epoch, seq = batch
    owned = {"bucket": bucket_of(community), "community": community, "site": site}
    rows = select(table).filter_by(**owned, epoch=epoch, seq=seq)
    stored = {tuple(row[name] for name in key): dict(row) for row in conn.execute(rows).mappings()}
    for name in sorted({*must, *stored}):
        named = dict(zip(key, name, strict=True))
        place = Place("v2g", community, table.name, {"site": site, **named})
        if name not in must:
            yield uncalled(place, f"of batch {epoch}/{seq}")
        elif name in stored:
            said = {column: value for column, value in must[name].items() if column not in SEEN_TO}
            yield from compare(place, stored[name], said)
        elif table is not cable_period_table or not conn.execute(select(table).filter_by(**owned, **named)).first():
            yield absent(place, f"of batch {epoch}/{seq}")


def _named(conn: Connection, community: str) -> set[Named]:
    """Return the batches that rows of cables name."""
    listed = []
    for table in (cable_period_table, cable_arrival_table):
        c = table.c
        listed.append(select(c.site, c.epoch, c.seq).filter_by(bucket=bucket_of(community), community=community))
    return {(row.site, row.epoch, row.seq) for row in conn.execute(union(*listed))}
