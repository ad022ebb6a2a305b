"""A quarantine can be lifted, and who did it is kept."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "quarantine_lift",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("lift", TEXT, nullable=False),
        sa.Column("quarantined_at", WHOLE, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("lifted_at", WHOLE, nullable=False),
        sa.Column("lifted_by", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_quarantine_lift_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "lift", name=op.f("pk_quarantine_lift")),
        sqlite_strict=True,
    )
