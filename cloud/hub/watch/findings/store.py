"""Keeps findings: an open one grows worse and is closed, a closed one never changes; and when the watch looked."""

from collections.abc import Sequence
from dataclasses import dataclass
import json

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Row,
    Table,
    or_,
    select,
    tuple_,
    update,
)

from cloud.bulk import insert_many
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, new_id
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.hub.watch.rule import Mark
from cloud.sites.store import community_of
from cloud.wire import to_bytes

from .finding import Decision, Finding, Pending, Seen, pending_of

WHO = "watch"  # who writes its lines in the event log, and tells its demand rates

watch_table = Table(
    "hub_watch",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("looked_ms", WHOLE, nullable=False),
    Column("pending", TEXT, nullable=False),
    Column("tells_demand", WHOLE, nullable=False),
    CheckConstraint("tells_demand IN (0, 1)", name="tells_or_not"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

finding_table = Table(
    "hub_watch_finding",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("finding", TEXT, primary_key=True),
    Column("about", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("point", TEXT, nullable=False),
    Column("quantity", TEXT, nullable=False),
    Column("lowest", WHOLE),
    Column("highest", WHOLE),
    Column("worst", WHOLE, nullable=False),
    Column("off", WHOLE, nullable=False),  # how far the worst value was above (positive) or below what it may be
    Column("worst_ms", WHOLE, nullable=False),
    Column("since_ms", WHOLE, nullable=False),
    Column("until_ms", WHOLE),
    CheckConstraint("about IN ('equipment', 'device')", name="about_known"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    Index("ix_hub_watch_finding_since_ms", "bucket", "community", "since_ms", "finding"),
    Index("ix_hub_watch_finding_until_ms", "bucket", "community", "until_ms"),
    **STRICT,
)
NAMES = tuple(column.name for column in finding_table.columns)


@dataclass(frozen=True, slots=True)
class Standing:
    """When the watch last looked at a community, what waits for a second look, and whether it tells demand rates."""

    looked_ms: int = 0
    pending: Pending = Pending()  # noqa: RUF009 - an immutable value
    tells_demand: bool = False


def standing_of(conn: Connection, community: str) -> Standing:
    """Return how the watch over a community stands."""
    rows = select(watch_table).filter_by(bucket=bucket_of(community), community=community)
    row = conn.execute(rows).one_or_none()
    if row is None:
        return Standing()
    return Standing(row.looked_ms, pending_of(json.loads(row.pending)), bool(row.tells_demand))


def put_tells_demand(conn: Connection, community: str, *, tells: bool) -> bool:
    """Let the watch tell demand rates of a community's equipment, or no longer; False: there is no such community."""
    if community_of(conn, community, locked=True) is None:
        return False
    _begin(conn, community)
    owned = {"bucket": bucket_of(community), "community": community}
    conn.execute(update(watch_table).filter_by(**owned).values(tells_demand=int(tells)))
    return True


def _begin(conn: Connection, community: str) -> None:
    new = {"looked_ms": 0, "pending": to_bytes(Pending()).decode(), "tells_demand": 0}
    insert_new(conn, watch_table, {"bucket": bucket_of(community), "community": community} | new)


def move_on(conn: Connection, community: str, before_ms: int, at_ms: int, pending: Pending) -> bool:
    """Note that a community was looked at; False if another process has done so since it was at `before_ms`."""
    _begin(conn, community)
    rows = update(watch_table).filter_by(bucket=bucket_of(community), community=community, looked_ms=before_ms)
    moved = rows.values(looked_ms=at_ms, pending=to_bytes(pending).decode())
    return conn.execute(moved.returning(watch_table.c.looked_ms)).first() is not None


def open_findings(conn: Connection, community: str) -> list[Finding]:
    """Return what is out of tolerance as far as is known."""
    rows = select(finding_table).filter_by(bucket=bucket_of(community), community=community, until_ms=None)
    return [_finding(row) for row in conn.execute(rows.order_by(finding_table.c.finding))]


def findings_page(
    conn: Connection,
    community: str,
    times: tuple[int | None, int | None],
    *,
    open_only: bool,
    after: tuple[int, str],
    limit: int,
) -> list[Finding]:
    """Return a page of findings by when they began, of those that were open at any time in [start, end)."""
    c = finding_table.c
    rows = select(finding_table).filter_by(bucket=bucket_of(community), community=community)
    if open_only:
        rows = rows.where(c.until_ms.is_(None))
    start_ms, end_ms = times
    if start_ms is not None:
        rows = rows.where(or_(c.until_ms.is_(None), c.until_ms > start_ms))
    if end_ms is not None:
        rows = rows.where(c.since_ms < end_ms)
    rows = rows.where(tuple_(c.since_ms, c.finding) > after).order_by(c.since_ms, c.finding)
    return [_finding(row) for row in conn.execute(rows.limit(limit))]


def _finding(row: Row[tuple[object, ...]]) -> Finding:
    mark = Mark(row.about, row.name, row.point, row.quantity)
    worst = Seen(row.worst, row.lowest, row.highest, row.off, row.worst_ms)
    return Finding(row.finding, mark, worst, row.since_ms, row.until_ms)


def keep(conn: Connection, community: str, decision: Decision, now_ms: int) -> None:
    """Keep what a look has decided, and write it into the event log."""
    new = [Finding(new_id(), mark, worst, since_ms) for mark, worst, since_ms in decision.opened]
    insert_many(conn, finding_table, NAMES, [_row(community, finding) for finding in new])
    for finding in (*decision.worsened, *decision.closed):
        key = {"bucket": bucket_of(community), "community": community, "finding": finding.finding}
        row = dict(zip(NAMES, _row(community, finding), strict=True))
        values = {name: row[name] for name in ("lowest", "highest", "worst", "off", "worst_ms", "until_ms")}
        conn.execute(update(finding_table).filter_by(**key, until_ms=None).values(values))
    add_events(conn, _events(community, new, decision.closed, now_ms))


def _row(community: str, finding: Finding) -> tuple[int | str | None, ...]:
    mark, worst = finding.mark, finding.worst
    return (
        *(bucket_of(community), community, finding.finding, mark.about, mark.name, mark.point, mark.quantity),
        *(worst.lowest, worst.highest, worst.value, worst.by, worst.at_ms, finding.since_ms, finding.until_ms),
    )


def _events(community: str, opened: Sequence[Finding], closed: Sequence[Finding], now_ms: int) -> list[Event]:
    return [
        Event(
            community,
            now_ms,
            "out-of-tolerance" if finding.until_ms is None else "in-tolerance",
            WHO,
            device=finding.mark.name if finding.mark.about == "device" else None,
            detail={
                "about": finding.mark.about,
                "name": finding.mark.name,
                "point": finding.mark.point,
                "quantity": finding.mark.quantity,
                "worst": finding.worst.value,
                "lowest": finding.worst.lowest,
                "highest": finding.worst.highest,
            },
        )
        for finding in (*opened, *closed)
    ]
