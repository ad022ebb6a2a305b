"""Each day's root of the ledger, and what mirrors sign under it."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make the tables of day roots and countersignatures."""
    op.create_table(
        "day_root",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("day", WHOLE, autoincrement=False, nullable=False),
        sa.Column("first", WHOLE, nullable=False),
        sa.Column("last", WHOLE, nullable=False),
        sa.Column("signed", TEXT, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "last"],
            ["entry.bucket", "entry.community", "entry.number"],
            name=op.f("fk_day_root_entry_bucket_community_last"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "day", name=op.f("pk_day_root")),
        sqlite_strict=True,
    )
    op.create_table(
        "countersignature",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("day", WHOLE, autoincrement=False, nullable=False),
        sa.Column("kid", TEXT, nullable=False),
        sa.Column("public_key", TEXT, nullable=False),
        sa.Column("signed", TEXT, nullable=False),
        sa.Column("received_at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "day"],
            ["day_root.bucket", "day_root.community", "day_root.day"],
            name=op.f("fk_countersignature_day_root_bucket_community_day"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "day", "kid", name=op.f("pk_countersignature")),
        sqlite_strict=True,
    )
