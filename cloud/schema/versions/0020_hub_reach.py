"""How far an upper system's credentials reach."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make its tables."""
    op.create_table(
        "hub_reach",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("kinds", TEXT),
        sa.Column("quantities", TEXT),
        sa.Column("sites", TEXT),
        sa.Column("areas", TEXT),
        sa.Column("set_by", TEXT, nullable=False),
        sa.Column("set_at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_hub_reach_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "client", name=op.f("pk_hub_reach")),
        sqlite_strict=True,
    )
