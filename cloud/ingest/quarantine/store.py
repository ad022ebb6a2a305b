"""Lists what is held of a site, and lifts its quarantine: kept for ever, with who did it and why."""

from typing import Any

from sqlalchemy import (
    Column,
    CompoundSelect,
    Connection,
    ForeignKeyConstraint,
    Table,
    and_,
    case,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, new_id
from cloud.ingest import store as ingest
from cloud.ingest.batches.store import NOT_DERIVED, batch_table, contradiction_table, incident_table
from cloud.sites import store as sites
from cloud.wire import Incident

from .held import HeldBatch, Lift, NotLifted, place_of

INCIDENTS_SHOWN = 50  # the newest: enough to see what happened lately

quarantine_lift_table = Table(
    "quarantine_lift",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("lift", TEXT, primary_key=True),
    Column("quarantined_at", WHOLE, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("lifted_at", WHOLE, nullable=False),
    Column("lifted_by", TEXT, nullable=False),
    Column("note", TEXT, nullable=False),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)


def lift(conn: Connection, community: str, site: str, *, by: str, note: str, now: int) -> tuple[Lift, bool] | NotLifted:
    """End a site's quarantine and derive what waited for it; the flag is False if the same was asked for before.

    What is not derived within this transaction, the job derives.
    """
    found = sites.site_of(conn, community, site, locked=True)
    if found is None:
        return "no-site"
    if found.quarantined_at is None:
        before = _newest_lift(conn, community, site)
        same = before is not None and (before.lifted_by, before.note) == (by, note)
        return (before, False) if before is not None and same else "not-quarantined"
    made = Lift(found.quarantined_at, found.quarantine_reason or "", now, by, note)
    owned = {"bucket": bucket_of(community), "community": community, "site": site, "lift": new_id()}
    times = {"quarantined_at": made.quarantined_at, "lifted_at": now}
    conn.execute(
        quarantine_lift_table.insert().values(owned | times | {"reason": made.reason, "lifted_by": by, "note": note})
    )
    sites.end_quarantine(conn, community, site)
    ingest.release(conn, community, site, now)
    return made, True


def _newest_lift(conn: Connection, community: str, site: str) -> Lift | None:
    c = quarantine_lift_table.c
    rows = select(c.quarantined_at, c.reason, c.lifted_at, c.lifted_by, c.note)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, site=site).order_by(c.lift.desc()).limit(1)
    row = conn.execute(rows).one_or_none()
    return None if row is None else Lift(*row)


def held_of(
    conn: Connection, community: str, site: str, after: str, limit: int
) -> tuple[sites.Site, list[HeldBatch], list[Incident]] | None:
    """Return a site, a page of its batches that are held or contradict, and its newest incidents."""
    found = sites.site_of(conn, community, site)
    if found is None:
        return None
    listed = _held(community, site, quarantined=found.quarantined_at is not None).subquery()
    c = listed.c
    rows = select(listed).where(tuple_(c.epoch, c.seq, c.hash) > place_of(after))
    page = conn.execute(rows.order_by(c.epoch, c.seq, c.hash).limit(limit)).mappings()
    return found, [HeldBatch(**row) for row in page], _incidents(conn, community, site)


def _held(community: str, site: str, *, quarantined: bool) -> CompoundSelect[Any]:
    """Select the batches answered as `held`: for their own reason, or all that wait while a site is quarantined."""
    b, x = batch_table.c, contradiction_table.c
    owned = {"bucket": bucket_of(community), "community": community, "site": site}
    reason = case((b.state == "held", b.reason), else_=literal("quarantined")).label("reason")
    batches = select(b.epoch, b.seq, b.hash, reason, b.received_ms, b.due_at, null().label("contradicts"))
    batches = batches.filter_by(**owned).where(NOT_DERIVED, or_(b.state == "held", literal(quarantined)))
    same = and_(b.bucket == x.bucket, b.community == x.community, b.site == x.site, b.epoch == x.epoch, b.seq == x.seq)
    columns = (x.epoch, x.seq, x.hash, literal("contradiction"), x.received_ms, null(), b.hash)
    contradictions = select(*columns).select_from(contradiction_table.join(batch_table, same))
    here = (x.bucket == owned["bucket"], x.community == community, x.site == site)
    return union_all(batches, contradictions.where(*here))


def _incidents(conn: Connection, community: str, site: str) -> list[Incident]:
    c = incident_table.c
    rows = select(c.at, c.kind, c.tap, c.detail).filter_by(bucket=bucket_of(community), community=community, site=site)
    rows = rows.order_by(c.epoch.desc(), c.seq.desc(), c.number.desc()).limit(INCIDENTS_SHOWN)
    return [Incident(*row) for row in conn.execute(rows)]
