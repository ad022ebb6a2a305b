"""Tariffs that follow a market's prices."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make its tables."""
    op.create_table(
        "tariff_market",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("valid_from", WHOLE, autoincrement=False, nullable=False),
        sa.Column("since", WHOLE, autoincrement=False, nullable=False),
        sa.Column("until", WHOLE),
        sa.Column("device", TEXT, nullable=False),
        sa.Column("point", TEXT, nullable=False),
        sa.Column("buy_quantity", TEXT, nullable=False),
        sa.Column("buy_factor", TEXT, nullable=False),
        sa.Column("buy_add", TEXT, nullable=False),
        sa.Column("sell_quantity", TEXT, nullable=False),
        sa.Column("sell_factor", TEXT, nullable=False),
        sa.Column("sell_add", TEXT, nullable=False),
        sa.Column("local_between", TEXT),
        sa.Column("local_quantity", TEXT),
        sa.Column("local_factor", TEXT),
        sa.Column("local_add", TEXT),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("points_per_unit", WHOLE, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint("until IS NULL OR until > since", name=op.f("ck_tariff_market_ends_after_it_begins")),
        sa.CheckConstraint(
            "(local_factor IS NULL) = (local_add IS NULL)", name=op.f("ck_tariff_market_local_leg_whole")
        ),
        sa.CheckConstraint(
            "(local_factor IS NULL) = (local_quantity IS NULL)", name=op.f("ck_tariff_market_local_leg_of_something")
        ),
        sa.CheckConstraint(
            "local_between IS NULL OR local_factor IS NULL", name=op.f("ck_tariff_market_local_in_one_way")
        ),
        sa.CheckConstraint(
            "owner = '' OR (local_between IS NULL AND local_factor IS NULL)",
            name=op.f("ck_tariff_market_local_of_the_community"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "owner", "valid_from"],
            ["tariff.bucket", "tariff.community", "tariff.owner", "tariff.valid_from"],
            name=op.f("fk_tariff_market_tariff_bucket_community_owner_valid_from"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "owner", "valid_from", "since", name=op.f("pk_tariff_market")),
        sqlite_strict=True,
    )
    op.create_table(
        "tariff_correction",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("valid_from", WHOLE, autoincrement=False, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("noticed_at", WHOLE, autoincrement=False, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("local_text", TEXT),
        sa.Column("grid_buy_text", TEXT, nullable=False),
        sa.Column("grid_sell_text", TEXT, nullable=False),
        sa.Column("local_micro_per_wh", WHOLE),
        sa.Column("grid_buy_micro_per_wh", WHOLE, nullable=False),
        sa.Column("grid_sell_micro_per_wh", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "owner", "valid_from"],
            ["tariff.bucket", "tariff.community", "tariff.owner", "tariff.valid_from"],
            name=op.f("fk_tariff_correction_tariff_bucket_community_owner_valid_from"),
        ),
        sa.PrimaryKeyConstraint(
            "bucket", "community", "owner", "valid_from", "start", "noticed_at", name=op.f("pk_tariff_correction")
        ),
        sqlite_strict=True,
    )
