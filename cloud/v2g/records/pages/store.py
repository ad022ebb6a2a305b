"""Reads pages of what a cable signed, to the letter, and of what was found."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from cloud.database import bucket_of
from cloud.v2g.cables.cable import Cable
from cloud.v2g.cables.store import cable_of
from cloud.v2g.records.findings.store import findings_of
from cloud.v2g.records.signed import Finding, Signed
from cloud.v2g.records.store import SIGNED, signed_record_table


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as it is kept, to the letter."""

    signed: Signed
    raw: str
    stored_at: int


def records_page(conn: Connection, cable: str, after: int, limit: int) -> tuple[Cable, list[Kept]] | None:
    """Return a cable and a page of its records, by number; None if the cloud does not know it."""
    known = cable_of(conn, cable)
    if known is None:
        return None
    c = signed_record_table.c
    rows = select(*(c[name] for name in SIGNED), c.raw, c.stored_at).filter_by(bucket=bucket_of(cable), cable=cable)
    page = conn.execute(rows.where(c.number > after).order_by(c.number).limit(limit))
    return known, [Kept(Signed(*row[: len(SIGNED)]), row.raw, row.stored_at) for row in page]


def findings_page(conn: Connection, cable: str, after: str, limit: int) -> tuple[Cable, list[Finding]] | None:
    """Return a cable and a page of what was found of it; None if the cloud does not know it."""
    known = cable_of(conn, cable)
    return None if known is None else (known, findings_of(conn, cable, after, limit))
