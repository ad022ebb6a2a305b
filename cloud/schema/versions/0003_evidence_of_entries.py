"""Entries keep what they were made from, owners get clients, and points have more places to lie."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from cloud.schema.change import replace_check

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()
RAW = sa.LargeBinary()


def upgrade() -> None:
    """Name what an owner's client is, where points come from and go to, and keep what entries were made from."""
    op.add_column("client", sa.Column("owner", TEXT))
    kinds = "'owner', 'grid', 'purchase', 'voucher', 'redemption', 'fee', 'aggregator'"
    replace_check("account", "ck_account_kind_known", f"kind IN ({kinds})")
    op.add_column("entry", sa.Column("salt", TEXT))
    op.create_table(
        "entry_evidence",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("raw", RAW, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "number"],
            ["entry.bucket", "entry.community", "entry.number"],
            name=op.f("fk_entry_evidence_entry_bucket_community_number"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "number", name=op.f("pk_entry_evidence")),
        sqlite_strict=True,
    )
