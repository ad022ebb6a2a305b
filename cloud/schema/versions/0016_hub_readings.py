"""What connected systems sent, their readings by measurement time, and how their clocks are off."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()
RAW = sa.LargeBinary()


def upgrade() -> None:
    """Make the tables of messages, readings and clocks."""
    op.create_table(
        "hub_message",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("who", TEXT, nullable=False),
        sa.Column("device", TEXT),
        sa.Column("way", TEXT, nullable=False),
        sa.Column("received_ms", WHOLE, nullable=False),
        sa.Column("sent_ms", WHOLE),
        sa.Column("hint", TEXT),
        sa.Column("format", TEXT),
        sa.Column("version", WHOLE),
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("bytes", WHOLE, nullable=False),
        sa.Column("raw", RAW),
        sa.Column("stored", WHOLE, nullable=False),
        sa.Column("existed", WHOLE, nullable=False),
        sa.Column("revised", WHOLE, nullable=False),
        sa.Column("faults", WHOLE, nullable=False),
        sa.Column("fault", TEXT),
        sa.CheckConstraint("way IN ('push', 'mqtt', 'pull', 'upload')", name=op.f("ck_hub_message_way_known")),
        sa.CheckConstraint("(format IS NULL) = (version IS NULL)", name=op.f("ck_hub_message_format_with_version")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_hub_message_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "message", name=op.f("pk_hub_message")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_hub_message_faults",
        "hub_message",
        ["bucket", "community", "message"],
        sqlite_where=sa.text("faults > 0"),
        postgresql_where=sa.text("faults > 0"),
    )
    op.create_index("ix_hub_message_hash", "hub_message", ["bucket", "community", "hash"])
    op.create_index(
        "ix_hub_message_received_ms",
        "hub_message",
        ["bucket", "community", "received_ms"],
        sqlite_where=sa.text("raw IS NOT NULL"),
        postgresql_where=sa.text("raw IS NOT NULL"),
    )
    op.create_table(
        "hub_reading",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("measured_ms", WHOLE, autoincrement=False, nullable=False),
        sa.Column("device", TEXT, nullable=False),
        sa.Column("point", TEXT, nullable=False),
        sa.Column("quantity", TEXT, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("value", WHOLE, nullable=False),
        sa.Column("timed", TEXT, nullable=False),
        sa.Column("revision", WHOLE, nullable=False),
        sa.Column("message", TEXT, nullable=False),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_hub_reading_seconds_not_negative")),
        sa.CheckConstraint("timed IN ('given', 'received')", name=op.f("ck_hub_reading_timed_by_whom")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "message"],
            ["hub_message.bucket", "hub_message.community", "hub_message.message"],
            name=op.f("fk_hub_reading_hub_message_bucket_community_message"),
        ),
        sa.PrimaryKeyConstraint(
            "bucket", "community", "measured_ms", "device", "point", "quantity", name=op.f("pk_hub_reading")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_hub_reading_device", "hub_reading", ["bucket", "community", "device", "measured_ms", "point", "quantity"]
    )
    op.create_table(
        "hub_replaced_reading",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("measured_ms", WHOLE, autoincrement=False, nullable=False),
        sa.Column("device", TEXT, nullable=False),
        sa.Column("point", TEXT, nullable=False),
        sa.Column("quantity", TEXT, nullable=False),
        sa.Column("revision", WHOLE, autoincrement=False, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("value", WHOLE, nullable=False),
        sa.Column("timed", TEXT, nullable=False),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("replaced_ms", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint(
            "bucket",
            "community",
            "measured_ms",
            "device",
            "point",
            "quantity",
            "revision",
            name=op.f("pk_hub_replaced_reading"),
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "hub_clock",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("system", TEXT, nullable=False),
        sa.Column("offset_ms", WHOLE, nullable=False),
        sa.Column("at_ms", WHOLE, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("since_ms", WHOLE, nullable=False),
        sa.CheckConstraint("kind IN ('device', 'source', 'site')", name=op.f("ck_hub_clock_kind_known")),
        sa.CheckConstraint("state IN ('right', 'off', 'far')", name=op.f("ck_hub_clock_state_known")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_hub_clock_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "kind", "system", name=op.f("pk_hub_clock")),
        sqlite_strict=True,
    )
    op.create_table(
        "hub_clock_limit",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("limit_ms", WHOLE, nullable=False),
        sa.Column("far_ms", WHOLE, nullable=False),
        sa.CheckConstraint("limit_ms > 0 AND far_ms >= limit_ms", name=op.f("ck_hub_clock_limit_far_is_further")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_hub_clock_limit_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", name=op.f("pk_hub_clock_limit")),
        sqlite_strict=True,
    )
