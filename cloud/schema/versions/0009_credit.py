"""Owners who pay ahead are cut off and restored."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()
STATES = "state IN ('ok', 'low', 'warning', 'cut')"


def upgrade() -> None:
    """Keep how every owner's credit stands and ever stood, what is low for whom, and what each site was told."""
    op.create_table(
        "credit_limit",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("low_balance_micro", WHOLE, nullable=False),
        sa.Column("set_at", WHOLE, nullable=False),
        sa.CheckConstraint("low_balance_micro >= 0", name=op.f("ck_credit_limit_low_balance_not_negative")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_credit_limit_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "owner", name=op.f("pk_credit_limit")),
        sqlite_strict=True,
    )
    op.create_table(
        "credit_state",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.CheckConstraint(STATES, name=op.f("ck_credit_state_state_known")),
        _to_owner("credit_state"),
        sa.PrimaryKeyConstraint("bucket", "community", "owner", name=op.f("pk_credit_state")),
        sqlite_strict=True,
    )
    op.create_table(
        "credit_change",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("before", TEXT),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("prepaid", WHOLE, nullable=False),
        sa.Column("balance_micro", WHOLE, nullable=False),
        sa.Column("low_balance_micro", WHOLE, nullable=False),
        sa.CheckConstraint(STATES, name=op.f("ck_credit_change_state_known")),
        sa.CheckConstraint("number > 0", name=op.f("ck_credit_change_number_positive")),
        _to_owner("credit_change"),
        sa.PrimaryKeyConstraint("bucket", "community", "owner", "number", name=op.f("pk_credit_change")),
        sqlite_strict=True,
    )
    op.create_table(
        "credit_told",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("rev", WHOLE, nullable=False),
        sa.Column("owners", TEXT, nullable=False),
        sa.Column("hash", TEXT),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_credit_told_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", name=op.f("pk_credit_told")),
        sqlite_strict=True,
    )


def _to_owner(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["bucket", "community", "owner"],
        ["owner.bucket", "owner.community", "owner.owner"],
        name=op.f(f"fk_{table}_owner_bucket_community_owner"),
    )
