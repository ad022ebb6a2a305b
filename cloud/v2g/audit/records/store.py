"""Reads the records behind a period again, byte for byte, and verifies them by the cable's registered key."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, select

from cloud.database import bucket_of
from cloud.ingest.cables.store import Arrived
from cloud.settlement.audit.finding import Finding, Place, absent, compare, uncalled
from cloud.v2g.cables.signature import key_of
from cloud.v2g.cables.store import cable_of
from cloud.v2g.records.judge import Wrong, read_record
from cloud.v2g.records.signed import Signed
from cloud.v2g.records.store import signed_record_table
from cloud.v2g.reward.evidence import Period
from cloud.wire import Refused


def record_findings(conn: Connection, place: Place, period: Period) -> Iterator[Finding]:
    """Hold a period against the records it names: each is there, genuine, of this site and time, and they add up."""
    if period.signed_wh != period.energy_wh:
        yield Finding(place, "records", period.signed_wh, period.energy_wh)
    s = signed_record_table.c
    for record in period.records:
        rows = select(signed_record_table).filter_by(bucket=bucket_of(period.cable), cable=period.cable)
        row = conn.execute(rows.where(s.number == record.number)).one_or_none()
        where = Place("v2g", place.community, "signed_record", {"cable": period.cable, "number": record.number})
        if row is None:
            yield absent(where, f"a record with payload {record.hash}")
            continue
        signed = _signed(conn, row)
        if isinstance(signed, str):
            yield uncalled(where, signed)
            continue
        must: dict[str, Any] = {"payload_hash": record.hash, "number": record.number, "site": period.site}
        must |= {"import_wh": record.import_wh, "export_wh": record.export_wh}
        yield from compare(where, {name: getattr(signed, name) for name in must}, must)
        kept = ("start", "seconds", "import_wh", "export_wh", "site", "payload_hash")
        yield from compare(where, row._asdict(), {name: getattr(signed, name) for name in kept})
        if not period.start <= signed.start <= signed.end <= period.start + period.seconds:
            yield Finding(where, "start", signed.start, f"a time from {period.start} on, for {period.seconds} s")


def _signed(conn: Connection, row: Row[Any]) -> Signed | str:
    """Return what a record says by its own bytes, or why it is not to be believed."""
    cable = cable_of(conn, row.cable)
    key = Refused("key_wrong", "no such cable") if cable is None else key_of(cable.public_key)
    if isinstance(key, Refused):
        return f"{key.reason} ({key.where})"
    arrived = Arrived(row.delivered_community, row.delivered_site, (0, 0, 0), row.cable, row.raw)
    found = read_record(arrived, key, row.stored_at)
    return f"{found.kind}: {found.detail}" if isinstance(found, Wrong) else found
