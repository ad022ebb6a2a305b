"""Makers' clouds that are read on a schedule."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()
RAW = sa.LargeBinary()


def upgrade() -> None:
    """Make its tables."""
    op.create_table(
        "hub_source",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("driver", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("every_seconds", WHOLE, nullable=False),
        sa.Column("new_kind", TEXT),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("secrets", RAW),
        sa.Column("kept", RAW),
        sa.Column("secrets_rev", WHOLE, nullable=False),
        sa.Column("rev", WHOLE, nullable=False),
        sa.Column("progress", TEXT, nullable=False),
        sa.Column("last_at", WHOLE),
        sa.Column("next_at", WHOLE, nullable=False),
        sa.Column("failing_since", WHOLE),
        sa.Column("failures", WHOLE, nullable=False),
        sa.Column("reason", TEXT),
        sa.Column("problem", TEXT),
        sa.Column("lease_epoch", WHOLE, nullable=False),
        sa.Column("lease_until", WHOLE, nullable=False),
        sa.Column("changed_at", WHOLE, nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused', 'refused')", name=op.f("ck_hub_source_state_known")),
        sa.CheckConstraint("(reason IS NULL) = (failing_since IS NULL)", name=op.f("ck_hub_source_failing_why")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_hub_source_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "source", name=op.f("pk_hub_source")),
        sqlite_strict=True,
    )
    op.create_table(
        "hub_source_device",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("device", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "source"],
            ["hub_source.bucket", "hub_source.community", "hub_source.source"],
            name=op.f("fk_hub_source_device_hub_source_bucket_community_source"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "source", "name", name=op.f("pk_hub_source_device")),
        sqlite_strict=True,
    )
