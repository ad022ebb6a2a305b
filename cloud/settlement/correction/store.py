"""Keeps corrections: what each changed, in which interval it was booked, and the entry that moved the points."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    select,
)

from cloud.database import RAW, STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata
from cloud.settlement.statement import Correction

# one row for each time an interval was looked at again; without an entry where nothing had changed
settled_correction_table = Table(
    "settled_correction",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("revision", WHOLE, primary_key=True, autoincrement=False),
    Column("readings", WHOLE, nullable=False),
    Column("batches", TEXT, nullable=False),
    Column("grid_wh", WHOLE, nullable=False),
    Column("grid_points_micro", WHOLE, nullable=False),
    Column("evidence", TEXT, nullable=False),
    Column("entry", WHOLE),
    Column("booked_at", WHOLE, nullable=False),
    Column("made_at", WHOLE, nullable=False),
    Column("document", RAW),
    CheckConstraint("revision > 0", name="after_the_first"),
    ForeignKeyConstraint(
        ["bucket", "community", "start"],
        ["settled_interval.bucket", "settled_interval.community", "settled_interval.start"],
    ),
    ForeignKeyConstraint(["bucket", "community", "entry"], ["entry.bucket", "entry.community", "entry.number"]),
    Index("ix_settled_correction_made_at", "bucket", "community", "made_at"),
    **STRICT,
)

# differences to all that stood before; the prices and the quality are those of the new state
settled_owner_correction_table = Table(
    "settled_owner_correction",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("revision", WHOLE, primary_key=True, autoincrement=False),
    Column("owner", TEXT, primary_key=True),
    Column("net_wh", WHOLE, nullable=False),
    Column("local_wh", WHOLE, nullable=False),
    Column("grid_wh", WHOLE, nullable=False),
    Column("points_micro", WHOLE, nullable=False),
    Column("direct_wh", WHOLE, nullable=False),
    Column("direct_points_micro", WHOLE, nullable=False),
    Column("quality", TEXT, nullable=False),
    Column("local_micro_per_wh", WHOLE),
    Column("grid_micro_per_wh", WHOLE, nullable=False),
    Column("blind", TEXT, nullable=False),
    Column("booked_at", WHOLE, nullable=False),
    Column("entry", WHOLE),
    CheckConstraint("net_wh = local_wh + grid_wh", name="net_is_local_and_grid"),
    CheckConstraint("quality IN ('ok', 'estimated', 'missing', 'reset')", name="quality_known"),
    ForeignKeyConstraint(
        ["bucket", "community", "start", "revision"],
        [
            "settled_correction.bucket",
            "settled_correction.community",
            "settled_correction.start",
            "settled_correction.revision",
        ],
    ),
    Index("ix_settled_owner_correction_owner_booked_at", "bucket", "community", "owner", "booked_at"),
    **STRICT,
)


def corrections(conn: Connection, community: str, owner: str, start: int, end: int) -> list[Correction]:
    """Return what corrections booked in [start, end) changed for an owner, in the order of their intervals."""
    part = settled_owner_correction_table.c
    columns = (part.start, part.revision, part.booked_at, part.entry, part.net_wh, part.local_wh, part.grid_wh)
    prices = (part.local_micro_per_wh, part.grid_micro_per_wh)
    direct = (part.direct_wh, part.direct_points_micro)
    rows = select(*columns, part.points_micro, part.quality, *prices, *direct, part.blind)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, owner=owner)
    rows = rows.where(part.booked_at >= start, part.booked_at < end).order_by(part.start, part.revision)
    return [Correction(*row) for row in conn.execute(rows)]
