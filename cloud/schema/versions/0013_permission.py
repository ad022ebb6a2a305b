"""The second judgement of V2G: terms, registered places, a provider's word, flags, and judged periods."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make the tables."""
    _create_terms()
    _create_places()
    _create_supply_readings()
    _create_equipment()
    _create_equipment_sites()
    _create_demand_rates()
    _create_flags()
    _create_told()
    _create_judged_periods()


def _create_terms() -> None:
    op.create_table(
        "v2g_terms",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("valid_from", WHOLE, nullable=False),
        sa.Column("base_micro", WHOLE, nullable=False),
        sa.Column("price_micro_per_wh", WHOLE, nullable=False),
        sa.Column("tolerance_wh", WHOLE, nullable=False),
        sa.Column("tolerance_percent", WHOLE, nullable=False),
        sa.Column("look_back", WHOLE, nullable=False),
        sa.Column("mismatches", WHOLE, nullable=False),
        sa.Column("soc_floor_percent", WHOLE, nullable=False),
        sa.Column("distance_m", WHOLE, nullable=False),
        sa.Column("demand_percent", WHOLE, nullable=False),
        sa.Column("pending_cap_micro", WHOLE, nullable=False),
        sa.Column("flag_permission", TEXT, nullable=False),
        sa.Column("set_by", TEXT, nullable=False),
        sa.Column("set_at", WHOLE, nullable=False),
        sa.CheckConstraint(
            "base_micro >= 0 AND pending_cap_micro >= 0", name=op.f("ck_v2g_terms_amounts_not_negative")
        ),
        sa.CheckConstraint(
            "mismatches >= 1 AND look_back >= mismatches", name=op.f("ck_v2g_terms_mismatches_within_look_back")
        ),
        sa.CheckConstraint(
            "flag_permission IN ('charge_only', 'denied')", name=op.f("ck_v2g_terms_flag_takes_something")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_v2g_terms_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "number", name=op.f("pk_v2g_terms")),
        sqlite_strict=True,
    )


def _create_places() -> None:
    op.create_table(
        "site_place",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("latitude_e6", WHOLE, nullable=False),
        sa.Column("longitude_e6", WHOLE, nullable=False),
        sa.Column("set_by", TEXT, nullable=False),
        sa.Column("set_at", WHOLE, nullable=False),
        sa.CheckConstraint("latitude_e6 BETWEEN -90000000 AND 90000000", name=op.f("ck_site_place_latitude_on_earth")),
        sa.CheckConstraint(
            "longitude_e6 BETWEEN -180000000 AND 180000000", name=op.f("ck_site_place_longitude_on_earth")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_site_place_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "number", name=op.f("pk_site_place")),
        sqlite_strict=True,
    )


def _create_supply_readings() -> None:
    op.create_table(
        "supply_reading",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("revision", WHOLE, autoincrement=False, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("import_wh", WHOLE, nullable=False),
        sa.Column("export_wh", WHOLE, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("stored_at", WHOLE, nullable=False),
        sa.CheckConstraint("seconds > 0", name=op.f("ck_supply_reading_of_some_time")),
        sa.CheckConstraint("import_wh >= 0 AND export_wh >= 0", name=op.f("ck_supply_reading_energy_not_negative")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_supply_reading_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "start", "revision", name=op.f("pk_supply_reading")),
        sqlite_strict=True,
    )
    op.create_index("ix_supply_reading_stored_at", "supply_reading", ["stored_at"])


def _create_equipment() -> None:
    op.create_table(
        "grid_equipment",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("equipment", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("changed_at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_grid_equipment_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "equipment", name=op.f("pk_grid_equipment")),
        sqlite_strict=True,
    )


def _create_equipment_sites() -> None:
    op.create_table(
        "grid_equipment_site",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("equipment", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "equipment"],
            ["grid_equipment.bucket", "grid_equipment.community", "grid_equipment.equipment"],
            name=op.f("fk_grid_equipment_site_grid_equipment_bucket_community_equipment"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_grid_equipment_site_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "equipment", name=op.f("pk_grid_equipment_site")),
        sqlite_strict=True,
    )
    op.create_index("ix_grid_equipment_site_equipment", "grid_equipment_site", ["bucket", "community", "equipment"])


def _create_demand_rates() -> None:
    op.create_table(
        "demand_rate",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("equipment", TEXT, nullable=False),
        sa.Column("measured_at", WHOLE, autoincrement=False, nullable=False),
        sa.Column("percent", WHOLE, nullable=False),
        sa.Column("valid_until", WHOLE, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("stored_at", WHOLE, nullable=False),
        sa.CheckConstraint("percent >= 0", name=op.f("ck_demand_rate_percent_not_negative")),
        sa.CheckConstraint("valid_until > measured_at", name=op.f("ck_demand_rate_holds_for_some_time")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "equipment"],
            ["grid_equipment.bucket", "grid_equipment.community", "grid_equipment.equipment"],
            name=op.f("fk_demand_rate_grid_equipment_bucket_community_equipment"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "equipment", "measured_at", name=op.f("pk_demand_rate")),
        sqlite_strict=True,
    )
    op.create_index("ix_demand_rate_valid_until", "demand_rate", ["valid_until"])


def _create_flags() -> None:
    op.create_table(
        "site_flag",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("permission", TEXT, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("set_at", WHOLE, nullable=False),
        sa.Column("set_by", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=True),
        sa.Column("evidence", TEXT, nullable=True),
        sa.CheckConstraint(
            "permission IN ('allowed', 'charge_only', 'denied')", name=op.f("ck_site_flag_permission_known")
        ),
        sa.CheckConstraint(
            "cause IN ('none', 'mismatch', 'utility', 'operator')", name=op.f("ck_site_flag_cause_known")
        ),
        sa.CheckConstraint(
            "(permission = 'allowed') = (cause = 'none')", name=op.f("ck_site_flag_no_cause_where_allowed")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_site_flag_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "number", name=op.f("pk_site_flag")),
        sqlite_strict=True,
    )


def _create_told() -> None:
    op.create_table(
        "told_permission",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("permission", TEXT, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("told_at", WHOLE, nullable=False),
        sa.CheckConstraint(
            "permission IN ('allowed', 'charge_only', 'denied')", name=op.f("ck_told_permission_permission_known")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_told_permission_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "cable", name=op.f("pk_told_permission")),
        sqlite_strict=True,
    )


def _create_judged_periods() -> None:
    op.create_table(
        "judged_period",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("host_owner", TEXT, nullable=False),
        sa.Column("driver_community", TEXT, nullable=True),
        sa.Column("driver", TEXT, nullable=True),
        sa.Column("connected", WHOLE, nullable=False),
        sa.Column("energy_wh", WHOLE, nullable=False),
        sa.Column("claimed_wh", WHOLE, nullable=False),
        sa.Column("records", WHOLE, nullable=False),
        sa.Column("meter_wh", WHOLE, nullable=True),
        sa.Column("basis", TEXT, nullable=False),
        sa.Column("utility_wh", WHOLE, nullable=True),
        sa.Column("utility_verdict", TEXT, nullable=True),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("witness", TEXT, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("judged_at", WHOLE, nullable=False),
        sa.Column("decided_at", WHOLE, nullable=True),
        sa.Column("decided_by", TEXT, nullable=True),
        sa.Column("note", TEXT, nullable=True),
        sa.CheckConstraint(
            "verdict IN ('match', 'mismatch', 'suspect', 'unknown')", name=op.f("ck_judged_period_verdict_known")
        ),
        sa.CheckConstraint(
            "basis IN ('consumption', 'before', 'utility', 'none')", name=op.f("ck_judged_period_basis_known")
        ),
        sa.CheckConstraint(
            "utility_verdict IN ('match', 'mismatch', 'suspect', 'unknown')",
            name=op.f("ck_judged_period_utility_verdict_known"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'final', 'withheld', 'void')", name=op.f("ck_judged_period_state_known")
        ),
        sa.CheckConstraint(
            "cause IN ('none', 'waiting', 'unsigned', 'gap', 'scaled', 'meter', 'utility', 'stopped', 'pending-cap')",
            name=op.f("ck_judged_period_cause_known"),
        ),
        sa.CheckConstraint("witness IN ('utility', 'lookback')", name=op.f("ck_judged_period_witness_known")),
        sa.CheckConstraint(
            "(state IN ('final', 'void')) = (decided_at IS NOT NULL)",
            name=op.f("ck_judged_period_decided_when_it_ends"),
        ),
        sa.CheckConstraint(
            "(driver IS NULL) = (driver_community IS NULL)", name=op.f("ck_judged_period_driver_of_a_community")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_judged_period_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "start", "cable", name=op.f("pk_judged_period")),
        sqlite_strict=True,
    )
    op.create_index("ix_judged_period_cable", "judged_period", ["cable", "start"])
    op.create_index("ix_judged_period_decided_at", "judged_period", ["bucket", "community", "decided_at"])
    op.create_index("ix_judged_period_driver", "judged_period", ["driver_community", "driver", "start"])
    op.create_index("ix_judged_period_state", "judged_period", ["bucket", "community", "state", "start"])
    op.create_index(
        "ix_judged_period_waiting",
        "judged_period",
        ["bucket", "community", "site", "start"],
        sqlite_where=sa.text("cause = 'waiting'"),
        postgresql_where=sa.text("cause = 'waiting'"),
    )
