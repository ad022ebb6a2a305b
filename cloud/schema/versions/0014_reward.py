"""Hosts are given back what cables changed, drivers are paid, providers are told."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()
RAW = sa.LargeBinary()


def upgrade() -> None:
    """Keep legs of hosts, rewards of drivers, corrections for providers and who is told of them."""
    op.create_index("ix_settled_correction_made_at", "settled_correction", ["bucket", "community", "made_at"])
    _rewards()
    _corrections()


def _rewards() -> None:
    op.create_table(
        "host_leg",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("revision", WHOLE, autoincrement=False, nullable=False),
        sa.Column("settled_revision", WHOLE, nullable=False),
        sa.Column("net_wh", WHOLE, nullable=False),
        sa.Column("cable_wh", WHOLE, nullable=False),
        sa.Column("grid_buy_micro_per_wh", WHOLE, nullable=False),
        sa.Column("grid_sell_micro_per_wh", WHOLE, nullable=False),
        sa.Column("leg_micro", WHOLE, nullable=False),
        sa.Column("before_micro", WHOLE, nullable=False),
        sa.Column("evidence", TEXT, nullable=False),
        sa.Column("document", RAW),
        sa.Column("entry", WHOLE),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint("revision >= 0 AND settled_revision >= 0", name=op.f("ck_host_leg_revisions_count")),
        sa.CheckConstraint(
            "(entry IS NULL) = (document IS NOT NULL)", name=op.f("ck_host_leg_document_beside_the_entry")
        ),
        sa.CheckConstraint(
            "(entry IS NULL) = (leg_micro = before_micro)", name=op.f("ck_host_leg_entry_of_what_moves")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "start"],
            ["settled_interval.bucket", "settled_interval.community", "settled_interval.start"],
            name=op.f("fk_host_leg_settled_interval_bucket_community_start"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "entry"],
            ["entry.bucket", "entry.community", "entry.number"],
            name=op.f("fk_host_leg_entry_bucket_community_entry"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "start", "host", "revision", name=op.f("pk_host_leg")),
        sqlite_strict=True,
    )
    op.create_table(
        "rewarded_period",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("revision", WHOLE, nullable=False),
        sa.Column("driver_community", TEXT),
        sa.Column("driver", TEXT),
        sa.Column("connected", WHOLE, nullable=False),
        sa.Column("energy_wh", WHOLE, nullable=False),
        sa.Column("witness", TEXT),
        sa.Column("base_micro", WHOLE, nullable=False),
        sa.Column("price_micro_per_wh", WHOLE, nullable=False),
        sa.Column("records", TEXT, nullable=False),
        sa.Column("taken_at", WHOLE, nullable=False),
        sa.Column("rewarded_at", WHOLE),
        sa.CheckConstraint("connected IN (0, 1)", name=op.f("ck_rewarded_period_connected_or_not")),
        sa.CheckConstraint(
            "(driver IS NULL) = (driver_community IS NULL)", name=op.f("ck_rewarded_period_driver_with_community")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site", "start", "cable"],
            [
                "judged_period.bucket",
                "judged_period.community",
                "judged_period.site",
                "judged_period.start",
                "judged_period.cable",
            ],
            name=op.f("fk_rewarded_period_judged_period_bucket_community_site_start_cable"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "start", "host", "revision"],
            ["host_leg.bucket", "host_leg.community", "host_leg.start", "host_leg.host", "host_leg.revision"],
            name=op.f("fk_rewarded_period_host_leg_bucket_community_start_host_revision"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "start", "cable", name=op.f("pk_rewarded_period")),
        sqlite_strict=True,
    )
    op.create_index("ix_rewarded_period_rewarded_at", "rewarded_period", ["bucket", "community", "rewarded_at"])
    op.create_index("ix_rewarded_period_start", "rewarded_period", ["bucket", "community", "start"])
    op.create_table(
        "driver_reward",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("period", TEXT, nullable=False),
        sa.Column("host_community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("start", WHOLE, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("driver", TEXT, nullable=False),
        sa.Column("connected", WHOLE, nullable=False),
        sa.Column("energy_wh", WHOLE, nullable=False),
        sa.Column("base_due", WHOLE, nullable=False),
        sa.Column("base_micro", WHOLE, nullable=False),
        sa.Column("price_micro_per_wh", WHOLE, nullable=False),
        sa.Column("reward_micro", WHOLE, nullable=False),
        sa.Column("evidence", TEXT, nullable=False),
        sa.Column("document", RAW),
        sa.Column("entry", WHOLE),
        sa.Column("booked_at", WHOLE, nullable=False),
        sa.CheckConstraint("connected IN (0, 1) AND base_due IN (0, 1)", name=op.f("ck_driver_reward_yes_or_no")),
        sa.CheckConstraint(
            "(entry IS NULL) = (document IS NOT NULL)", name=op.f("ck_driver_reward_document_beside_the_entry")
        ),
        sa.CheckConstraint("(entry IS NULL) = (reward_micro = 0)", name=op.f("ck_driver_reward_entry_of_what_moves")),
        sa.UniqueConstraint(
            "bucket",
            "community",
            "host_community",
            "site",
            "start",
            "cable",
            name=op.f("uq_driver_reward_bucket_community_host_community_site_start_cable"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "driver"],
            ["owner.bucket", "owner.community", "owner.owner"],
            name=op.f("fk_driver_reward_owner_bucket_community_driver"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "entry"],
            ["entry.bucket", "entry.community", "entry.number"],
            name=op.f("fk_driver_reward_entry_bucket_community_entry"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "period", name=op.f("pk_driver_reward")),
        sqlite_strict=True,
    )
    op.create_index("ix_driver_reward_cable_start", "driver_reward", ["bucket", "community", "cable", "start"])
    op.create_table(
        "reward_horizon",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("decided_from", WHOLE, nullable=False),
        sa.Column("corrected_from", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_reward_horizon_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", name=op.f("pk_reward_horizon")),
        sqlite_strict=True,
    )


def _corrections() -> None:
    op.create_table(
        "supply_correction",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("start", WHOLE, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("revision", WHOLE, nullable=False),
        sa.Column("meter_import_wh", WHOLE),
        sa.Column("meter_export_wh", WHOLE),
        sa.Column("cable_import_wh", WHOLE, nullable=False),
        sa.Column("cable_export_wh", WHOLE, nullable=False),
        sa.Column("cables", TEXT, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint("number > 0 AND revision >= 0", name=op.f("ck_supply_correction_counted")),
        sa.CheckConstraint(
            "(meter_import_wh IS NULL) = (meter_export_wh IS NULL)", name=op.f("ck_supply_correction_meter_whole")
        ),
        sa.UniqueConstraint(
            "bucket",
            "community",
            "site",
            "start",
            "revision",
            name=op.f("uq_supply_correction_bucket_community_site_start_revision"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_supply_correction_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "number", name=op.f("pk_supply_correction")),
        sqlite_strict=True,
    )
    op.create_table(
        "correction_subscription",
        sa.Column("client", TEXT, nullable=False),
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("community", TEXT),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_correction_subscription")),
        sqlite_strict=True,
    )
    op.create_table(
        "correction_delivery",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("through", WHOLE, nullable=False),
        sa.Column("failures", WHOLE, nullable=False),
        sa.Column("next_at", WHOLE, nullable=False),
        sa.Column("tried_at", WHOLE),
        sa.Column("delivered_at", WHOLE),
        sa.Column("problem", TEXT),
        sa.CheckConstraint("through >= 0 AND failures >= 0", name=op.f("ck_correction_delivery_counted")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_correction_delivery_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "client", name=op.f("pk_correction_delivery")),
        sqlite_strict=True,
    )
