"""Keeps what cables signed, and where sites say they were, in the bucket of the cable."""

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    func,
    select,
    text,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata
from cloud.wire.strict import INTEGER_MAX

from .awaited import Awaited, Span
from .signed import Presence, Signed

NOT_FOUND = text("found_at IS NULL")
HELD_SECONDS = 31 * 86_400  # a cable holds its records so long: what was missing before will not come any more
RECORD_SECONDS_MAX = 86_400  # one that says it lasted longer is looked for no further back

signed_record_table = Table(
    "signed_record",
    metadata,
    bucket_column(),
    Column("cable", TEXT, primary_key=True),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("site", TEXT),  # where the cable says it was
    Column("start", WHOLE, nullable=False),
    Column("seconds", WHOLE, nullable=False),
    Column("import_wh", WHOLE, nullable=False),
    Column("export_wh", WHOLE, nullable=False),
    Column("import_from_wh", WHOLE, nullable=False),
    Column("export_from_wh", WHOLE, nullable=False),
    Column("latitude", WHOLE),  # millionths of a degree
    Column("longitude", WHOLE),
    Column("vehicle", TEXT),
    Column("user", TEXT),
    Column("delivered_community", TEXT, nullable=False),
    Column("delivered_site", TEXT, nullable=False),
    Column("delivered_epoch", WHOLE, nullable=False),
    Column("delivered_seq", WHOLE, nullable=False),
    Column("refused", TEXT),  # genuine, and cannot be used
    Column("payload_hash", TEXT, nullable=False),
    Column("raw", TEXT, nullable=False),
    Column("stored_at", WHOLE, nullable=False),
    CheckConstraint("import_wh >= 0 AND export_wh >= 0", name="energy_not_negative"),
    CheckConstraint("seconds >= 0", name="time_goes_on"),
    CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="place_whole"),
    ForeignKeyConstraint(["bucket", "cable"], ["cable.bucket", "cable.cable"]),
    Index("ix_signed_record_start", "bucket", "cable", "start"),
    Index("ix_signed_record_stored_at", "stored_at"),
    **STRICT,
)

# where sites say a cable was, beside what it signed: `seconds` is 0 for a plugging in
cable_presence_table = Table(
    "cable_presence",
    metadata,
    bucket_column(),
    Column("cable", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("seconds", WHOLE, primary_key=True, autoincrement=False),
    Column("energy_wh", WHOLE, nullable=False),
    Column("noted_at", WHOLE, nullable=False),
    CheckConstraint("seconds >= 0", name="time_goes_on"),
    **STRICT,
)

# numbers that have not come though later ones have: what is looked at again when their time is up
awaited_record_table = Table(
    "awaited_record",
    metadata,
    bucket_column(),
    Column("cable", TEXT, primary_key=True),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("through", WHOLE, nullable=False),
    Column("due_at", WHOLE, nullable=False),
    Column("found_at", WHOLE),  # since then it is a finding
    CheckConstraint("through >= number", name="spans"),
    ForeignKeyConstraint(["bucket", "cable"], ["cable.bucket", "cable.cable"]),
    Index("ix_awaited_record_due_at", "due_at", sqlite_where=NOT_FOUND, postgresql_where=NOT_FOUND),
    **STRICT,
)

SIGNED = tuple(name for name in Signed.__slots__)


def _owned(cable: str) -> dict[str, Any]:
    return {"bucket": bucket_of(cable), "cable": cable}


def signed_of(conn: Connection, cable: str, number: int) -> Signed | None:
    """Return the record of a cable with this number."""
    columns = (signed_record_table.c[name] for name in SIGNED)
    row = conn.execute(select(*columns).filter_by(**_owned(cable), number=number)).one_or_none()
    return None if row is None else Signed(*row)


def signed_between(conn: Connection, cable: str, start: int, end: int) -> list[Signed]:
    """Return what a cable signed of the time in [start, end), by number: also what only reaches into it."""
    c = signed_record_table.c
    rows = select(*(c[name] for name in SIGNED)).filter_by(**_owned(cable)).where(c.refused.is_(None))
    rows = rows.where(c.start > start - RECORD_SECONDS_MAX, c.start < end, c.start + c.seconds > start)
    return [Signed(*row) for row in conn.execute(rows.order_by(c.number))]


def missing_before(conn: Connection, cable: str, number: int) -> list[Span]:
    """Return the numbers below this one that have not come, as spans (first, last), the lowest first.

    Numbers count behind the record that proved the key, or a lower one that came: what was before is nobody's.
    """
    a = awaited_record_table.c
    rows = select(a.number, a.through).filter_by(**_owned(cable)).where(a.number < number).order_by(a.number)
    return [(row.number, min(row.through, number - 1)) for row in conn.execute(rows)]


def awaited_of(conn: Connection, cable: str, first_number: int) -> Awaited:
    """Return what is awaited of a cable whose key was proved by the record of this number."""
    n = signed_record_table.c.number
    low, high = conn.execute(select(func.min(n), func.max(n)).filter_by(**_owned(cable))).one()
    if low is None:
        return Awaited(first_number + 1, first_number)
    return Awaited(min(low, first_number + 1), high, tuple(missing_before(conn, cable, INTEGER_MAX)))


def last_number(conn: Connection, cable: str, now: int) -> int:
    """Return up to which number all records of a cable are here that it may still hold; 0 for none.

    A site goes on behind it, so that what an earlier one kept back is delivered by the next.
    """
    a = awaited_record_table.c
    rows = select(func.min(a.number)).filter_by(**_owned(cable)).where(a.due_at > now - HELD_SECONDS)
    lowest: int | None = conn.execute(rows).scalar_one()
    return newest_number(conn, cable) if lowest is None else lowest - 1


def newest_number(conn: Connection, cable: str) -> int:
    """Return the highest number of a cable's records; 0 for none."""
    rows = select(func.max(signed_record_table.c.number)).filter_by(**_owned(cable))
    return conn.execute(rows).scalar_one() or 0


def add_signed(conn: Connection, item: Signed, *, batch: tuple[int, int], raw: str, now: int) -> bool:
    """Keep a verified record for ever; False where one with its number is there already."""
    values = {name: getattr(item, name) for name in SIGNED} | {"bucket": bucket_of(item.cable)}
    came = {"delivered_epoch": batch[0], "delivered_seq": batch[1], "raw": raw, "stored_at": now}
    return insert_new(conn, signed_record_table, values | came)


def add_presence(conn: Connection, cable: str, item: Presence, now: int) -> None:
    """Note where a site says that a cable was; a second time changes nothing."""
    values = {name: getattr(item, name) for name in ("start", "community", "site", "seconds", "energy_wh")}
    insert_new(conn, cable_presence_table, _owned(cable) | values | {"noted_at": now})


def presence_between(conn: Connection, cable: str, start: int, end: int) -> list[Presence]:
    """Return where sites say that a cable was within [start, end), by time."""
    c = cable_presence_table.c
    rows = select(c.community, c.site, c.start, c.seconds, c.energy_wh).filter_by(**_owned(cable))
    rows = rows.where(c.start > start - 1800, c.start < end, c.start + c.seconds >= start)
    return [Presence(*row) for row in conn.execute(rows.order_by(c.start, c.site, c.seconds))]
