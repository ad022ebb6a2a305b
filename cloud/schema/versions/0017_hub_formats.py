"""Formats that makers' data come in."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make the table of registered formats."""
    op.create_table(
        "hub_format",
        sa.Column("format", TEXT, nullable=False),
        sa.Column("version", WHOLE, autoincrement=False, nullable=False),
        sa.Column("definition", TEXT, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.Column("made_by", TEXT, nullable=False),
        sa.Column("retired_at", WHOLE),
        sa.CheckConstraint("version >= 1", name=op.f("ck_hub_format_version_counts_from_one")),
        sa.PrimaryKeyConstraint("format", "version", name=op.f("pk_hub_format")),
        sqlite_strict=True,
    )
