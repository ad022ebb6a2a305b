"""Keeps readings by measurement time: the newest word on each, and beside it what stood there before."""

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Table

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, metadata

# time first: what arrives together lies together, however old the table is
hub_reading_table = Table(
    "hub_reading",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("measured_ms", WHOLE, primary_key=True, autoincrement=False),
    Column("device", TEXT, primary_key=True),
    Column("point", TEXT, primary_key=True),
    Column("quantity", TEXT, primary_key=True),
    Column("seconds", WHOLE, nullable=False),
    Column("value", WHOLE, nullable=False),
    Column("timed", TEXT, nullable=False),
    Column("revision", WHOLE, nullable=False),
    Column("message", TEXT, nullable=False),
    CheckConstraint("seconds >= 0", name="seconds_not_negative"),
    CheckConstraint("timed IN ('given', 'received')", name="timed_by_whom"),
    ForeignKeyConstraint(
        ["bucket", "community", "message"],
        ["hub_message.bucket", "hub_message.community", "hub_message.message"],
    ),
    Index("ix_hub_reading_device", "bucket", "community", "device", "measured_ms", "point", "quantity"),
    **STRICT,
)

hub_replaced_reading_table = Table(
    "hub_replaced_reading",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("measured_ms", WHOLE, primary_key=True, autoincrement=False),
    Column("device", TEXT, primary_key=True),
    Column("point", TEXT, primary_key=True),
    Column("quantity", TEXT, primary_key=True),
    Column("revision", WHOLE, primary_key=True, autoincrement=False),
    Column("seconds", WHOLE, nullable=False),
    Column("value", WHOLE, nullable=False),
    Column("timed", TEXT, nullable=False),
    Column("message", TEXT, nullable=False),
    Column("replaced_ms", WHOLE, nullable=False),
    **STRICT,
)
