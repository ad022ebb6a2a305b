"""Voltage, current and power that sites send along."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make its tables."""
    op.create_table(
        "telemetry",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("measured_ms", WHOLE, autoincrement=False, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("tap", TEXT, nullable=False),
        sa.Column("point", TEXT, nullable=False),
        sa.Column("quantity", TEXT, nullable=False),
        sa.Column("value", WHOLE, nullable=False),
        sa.Column("epoch", WHOLE, nullable=False),
        sa.Column("seq", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site", "epoch", "seq"],
            ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
            name=op.f("fk_telemetry_batch_bucket_community_site_epoch_seq"),
        ),
        sa.PrimaryKeyConstraint(
            "bucket", "community", "measured_ms", "site", "tap", "point", "quantity", name=op.f("pk_telemetry")
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_telemetry_site", "telemetry", ["bucket", "community", "site", "tap", "measured_ms"])
