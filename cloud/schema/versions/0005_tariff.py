"""Tariffs: of owners, by the clock, in series."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()

COPIED = """
    bucket, community, valid_from, local_text, grid_buy_text, grid_sell_text,
    local_micro_per_wh, grid_buy_micro_per_wh, grid_sell_micro_per_wh, used_through, made_at
"""


def upgrade() -> None:
    """Give tariffs an owner, an end and other kinds; those that stand are flat ones of their community."""
    op.execute("CREATE TEMPORARY TABLE tariff_before AS SELECT * FROM tariff")
    op.drop_table("tariff")
    _create_tariff()
    _create_tariff_price()
    op.execute(
        f"INSERT INTO tariff (owner, kind, {COPIED}) SELECT '', 'flat', {COPIED} FROM tariff_before"  # noqa: S608
    )
    op.execute("DROP TABLE tariff_before")


def _create_tariff() -> None:
    op.create_table(
        "tariff",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("valid_from", WHOLE, autoincrement=False, nullable=False),
        sa.Column("valid_until", WHOLE, nullable=True),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("local_text", TEXT, nullable=True),
        sa.Column("grid_buy_text", TEXT, nullable=True),
        sa.Column("grid_sell_text", TEXT, nullable=True),
        sa.Column("local_micro_per_wh", WHOLE, nullable=True),
        sa.Column("grid_buy_micro_per_wh", WHOLE, nullable=True),
        sa.Column("grid_sell_micro_per_wh", WHOLE, nullable=True),
        sa.Column("time_zone", TEXT, nullable=True),
        sa.Column("rules", TEXT, nullable=True),
        sa.Column("used_through", WHOLE, nullable=True),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint("kind IN ('flat', 'time_of_use', 'series')", name=op.f("ck_tariff_kind_known")),
        sa.CheckConstraint(
            "valid_until IS NULL OR valid_until > valid_from", name=op.f("ck_tariff_ends_after_it_begins")
        ),
        sa.CheckConstraint(
            "(local_text IS NULL) = (local_micro_per_wh IS NULL)", name=op.f("ck_tariff_local_with_its_text")
        ),
        sa.CheckConstraint("owner = '' OR local_text IS NULL", name=op.f("ck_tariff_local_of_the_community")),
        sa.CheckConstraint("(kind = 'series') = (grid_buy_text IS NULL)", name=op.f("ck_tariff_buy_unless_series")),
        sa.CheckConstraint("(kind = 'series') = (grid_sell_text IS NULL)", name=op.f("ck_tariff_sell_unless_series")),
        sa.CheckConstraint(
            "(grid_buy_text IS NULL) = (grid_buy_micro_per_wh IS NULL)", name=op.f("ck_tariff_buy_with_its_text")
        ),
        sa.CheckConstraint(
            "(grid_sell_text IS NULL) = (grid_sell_micro_per_wh IS NULL)", name=op.f("ck_tariff_sell_with_its_text")
        ),
        sa.CheckConstraint("(kind = 'time_of_use') = (rules IS NOT NULL)", name=op.f("ck_tariff_rules_by_the_clock")),
        sa.CheckConstraint("(rules IS NULL) = (time_zone IS NULL)", name=op.f("ck_tariff_rules_of_a_time_zone")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_tariff_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "owner", "valid_from", name=op.f("pk_tariff")),
        sqlite_strict=True,
    )


def _create_tariff_price() -> None:
    op.create_table(
        "tariff_price",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("valid_from", WHOLE, autoincrement=False, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("local_text", TEXT, nullable=True),
        sa.Column("grid_buy_text", TEXT, nullable=False),
        sa.Column("grid_sell_text", TEXT, nullable=False),
        sa.Column("local_micro_per_wh", WHOLE, nullable=True),
        sa.Column("grid_buy_micro_per_wh", WHOLE, nullable=False),
        sa.Column("grid_sell_micro_per_wh", WHOLE, nullable=False),
        sa.Column("added_at", WHOLE, nullable=False),
        sa.CheckConstraint("seconds > 0", name=op.f("ck_tariff_price_of_some_time")),
        sa.CheckConstraint(
            "(local_text IS NULL) = (local_micro_per_wh IS NULL)", name=op.f("ck_tariff_price_local_with_its_text")
        ),
        sa.CheckConstraint("owner = '' OR local_text IS NULL", name=op.f("ck_tariff_price_local_of_the_community")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "owner", "valid_from"],
            ["tariff.bucket", "tariff.community", "tariff.owner", "tariff.valid_from"],
            name=op.f("fk_tariff_price_tariff_bucket_community_owner_valid_from"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "owner", "valid_from", "start", name=op.f("pk_tariff_price")),
        sqlite_strict=True,
    )
