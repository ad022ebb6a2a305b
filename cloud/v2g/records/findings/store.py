"""Keeps what was found not to be in order with records of cables, for ever, and which numbers are still awaited."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    delete,
    func,
    select,
    text,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata
from cloud.v2g.records.awaited import Span
from cloud.v2g.records.signed import Finding, FindingKind
from cloud.v2g.records.store import NOT_FOUND, awaited_record_table

FINDINGS_OF_SITE_MAX = 200  # of one kind about one cable: enough to prove it, too few to fill a disk with
OPEN_GAP = text("kind = 'gap' AND closed_at IS NULL")

record_finding_table = Table(
    "record_finding",
    metadata,
    bucket_column(),
    Column("cable", TEXT, primary_key=True),
    Column("finding", TEXT, primary_key=True),  # what makes it the same finding when it is found again
    Column("kind", TEXT, nullable=False),
    Column("community", TEXT),
    Column("site", TEXT),
    Column("number", WHOLE),
    Column("through", WHOLE),
    Column("at", WHOLE, nullable=False),
    Column("found_at", WHOLE, nullable=False),
    Column("detail", TEXT, nullable=False),
    Column("evidence", TEXT),
    Column("closed_at", WHOLE),
    CheckConstraint(
        "kind IN ('forged', 'wrong-serial', 'altered', 'replayed', 're-homed', 'unreported',"
        " 'unusable', 'backward', 'jump', 'gap', 'two-places')",
        name="kind_known",
    ),
    CheckConstraint("closed_at IS NULL OR kind IN ('gap', 'unreported')", name="only_what_is_missing_comes"),
    ForeignKeyConstraint(["bucket", "cable"], ["cable.bucket", "cable.cable"]),
    Index("ix_record_finding_open_gap", "bucket", "cable", sqlite_where=OPEN_GAP, postgresql_where=OPEN_GAP),
    **STRICT,
)

FINDING = tuple(name for name in Finding.__slots__)


def _owned(cable: str) -> dict[str, Any]:
    return {"bucket": bucket_of(cable), "cable": cable}


def add_finding(conn: Connection, cable: str, finding: Finding) -> bool:
    """Keep a finding; False where it was found before, or its site has given enough of its kind."""
    f = record_finding_table
    same = select(func.count()).select_from(f).filter_by(**_owned(cable), kind=finding.kind, site=finding.site)
    if conn.execute(same).scalar_one() >= FINDINGS_OF_SITE_MAX:
        return False
    return insert_new(conn, f, _owned(cable) | {name: getattr(finding, name) for name in FINDING})


def findings_of(
    conn: Connection, cable: str, after: str = "", limit: int = 1000, kind: FindingKind | None = None
) -> list[Finding]:
    """Return what was found of a cable, by the finding's name."""
    c = record_finding_table.c
    rows = select(*(c[name] for name in FINDING)).filter_by(**_owned(cable)).where(c.finding > after)
    if kind is not None:
        rows = rows.filter_by(kind=kind)
    return [Finding(*row) for row in conn.execute(rows.order_by(c.finding).limit(limit))]


def note_missing(conn: Connection, cable: str, missing: Sequence[Span], *, due_at: int, now: int) -> None:
    """Note which numbers are missing now, and close the gaps of which nothing is; who waits already waits no longer."""
    a, owned = awaited_record_table.c, _owned(cable)
    stands = [*conn.execute(select(a.number, a.through, a.due_at, a.found_at).filter_by(**owned))]
    if [(row.number, row.through) for row in stands] == list(missing):
        return
    conn.execute(delete(awaited_record_table).filter_by(**owned))
    for first, last in missing:
        before = [row for row in stands if row.number <= last and first <= row.through]
        found = [row.found_at for row in before if row.found_at is not None]
        due = min([row.due_at for row in before], default=due_at)
        values = {"number": first, "through": last, "due_at": due, "found_at": min(found, default=None)}
        conn.execute(awaited_record_table.insert().values(owned | values))
    _close_gaps(conn, cable, missing, now)


def _close_gaps(conn: Connection, cable: str, missing: Sequence[Span], now: int) -> None:
    c = record_finding_table.c
    rows = select(c.finding, c.number, c.through).filter_by(**_owned(cable)).where(OPEN_GAP)
    for row in conn.execute(rows).all():
        if not any(first <= row.through and last >= row.number for first, last in missing):
            closed = update(record_finding_table).filter_by(**_owned(cable), finding=row.finding)
            conn.execute(closed.values(closed_at=now))


def close_finding(conn: Connection, cable: str, finding: str, now: int) -> None:
    """Note that what was missing has come."""
    open_one = update(record_finding_table).filter_by(**_owned(cable), finding=finding, closed_at=None)
    conn.execute(open_one.values(closed_at=now))


def cables_with_gaps_due(conn: Connection, now: int, limit: int) -> list[str]:
    """Return the cables of which numbers were awaited for long enough."""
    a = awaited_record_table.c
    rows = select(a.cable).distinct().where(NOT_FOUND, a.due_at <= now).limit(limit)
    return list(conn.execute(rows).scalars())


def gaps_found(conn: Connection, cable: str, now: int) -> list[Span]:
    """Return the spans of numbers that were awaited for long enough, each once."""
    a = awaited_record_table.c
    due = (a.bucket == bucket_of(cable), a.cable == cable, a.due_at <= now, NOT_FOUND)
    spans = [(row.number, row.through) for row in conn.execute(select(a.number, a.through).where(*due))]
    conn.execute(update(awaited_record_table).where(*due).values(found_at=now))
    return spans
