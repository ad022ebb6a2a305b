"""Keeps what arrived, byte for byte, with what became of it; the readings in it lie beside, by measurement time."""

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index, Table

from cloud.database import RAW, STRICT, TEXT, WHOLE, bucket_column, metadata

hub_message_table = Table(
    "hub_message",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("message", TEXT, primary_key=True),
    Column("who", TEXT, nullable=False),
    Column("way", TEXT, nullable=False),
    Column("received_ms", WHOLE, nullable=False),
    Column("sent_ms", WHOLE),
    Column("format", TEXT),
    Column("version", WHOLE),
    Column("hash", TEXT, nullable=False),
    Column("bytes", WHOLE, nullable=False),
    Column("raw", RAW),  # let go by the policy; the rest stays
    Column("stored", WHOLE, nullable=False),
    Column("existed", WHOLE, nullable=False),
    Column("revised", WHOLE, nullable=False),
    Column("faults", WHOLE, nullable=False),
    Column("fault", TEXT),  # the first ones, as JSON
    CheckConstraint("way IN ('push', 'mqtt', 'pull', 'upload')", name="way_known"),
    CheckConstraint("(format IS NULL) = (version IS NULL)", name="format_with_version"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    Index("ix_hub_message_received_ms", "bucket", "community", "received_ms"),
    **STRICT,
)
