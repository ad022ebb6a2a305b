"""V2G cables: what sites report of them, whose they are, where they were, and what they signed."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make the tables of cables."""
    op.create_table(
        "cable_period",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("tap", TEXT, nullable=False),
        sa.Column("user", TEXT, nullable=True),
        sa.Column("vehicle", TEXT, nullable=True),
        sa.Column("energy_wh", WHOLE, nullable=False),
        sa.Column("connected", WHOLE, nullable=False),
        sa.Column("latitude", WHOLE, nullable=True),
        sa.Column("longitude", WHOLE, nullable=True),
        sa.Column("agreement", TEXT, nullable=False),
        sa.Column("meter_wh", WHOLE, nullable=True),
        sa.Column("consumption_wh", WHOLE, nullable=True),
        sa.Column("before_wh", WHOLE, nullable=True),
        sa.Column("epoch", WHOLE, nullable=False),
        sa.Column("seq", WHOLE, nullable=False),
        sa.Column("derived_at", WHOLE, nullable=False),
        sa.Column("placed_at", WHOLE, nullable=True),
        sa.CheckConstraint(
            "agreement IN ('match', 'mismatch', 'suspect', 'unknown')", name=op.f("ck_cable_period_agreement_known")
        ),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name=op.f("ck_cable_period_place_whole")),
        sa.CheckConstraint("connected IN (0, 1)", name=op.f("ck_cable_period_connected_or_not")),
        sa.CheckConstraint("seconds > 0", name=op.f("ck_cable_period_lasts")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site", "epoch", "seq"],
            ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
            name=op.f("fk_cable_period_batch_bucket_community_site_epoch_seq"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "start", "cable", name=op.f("pk_cable_period")),
        sqlite_strict=True,
    )
    op.create_index("ix_cable_period_cable", "cable_period", ["cable", "start"], unique=False)
    op.create_index("ix_cable_period_derived_at", "cable_period", ["derived_at"], unique=False)
    op.create_index(
        "ix_cable_period_not_placed",
        "cable_period",
        ["bucket", "community", "site", "start", "cable"],
        unique=False,
        sqlite_where=sa.text("placed_at IS NULL"),
        postgresql_where=sa.text("placed_at IS NULL"),
    )
    op.create_table(
        "cable_arrival",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("epoch", WHOLE, autoincrement=False, nullable=False),
        sa.Column("seq", WHOLE, autoincrement=False, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("ocmf", TEXT, nullable=False),
        sa.Column("handled_at", WHOLE, nullable=True),
        sa.Column("outcome", TEXT, nullable=True),
        sa.CheckConstraint(
            "(handled_at IS NULL) = (outcome IS NULL)", name=op.f("ck_cable_arrival_handled_with_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site", "epoch", "seq"],
            ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
            name=op.f("fk_cable_arrival_batch_bucket_community_site_epoch_seq"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "epoch", "seq", "number", name=op.f("pk_cable_arrival")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_cable_arrival_not_handled",
        "cable_arrival",
        ["bucket", "community", "site", "epoch", "seq", "number"],
        unique=False,
        sqlite_where=sa.text("handled_at IS NULL"),
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.create_index(
        "ix_cable_arrival_unknown",
        "cable_arrival",
        ["cable"],
        unique=False,
        sqlite_where=sa.text("outcome = 'unknown-cable'"),
        postgresql_where=sa.text("outcome = 'unknown-cable'"),
    )
    op.create_table(
        "cable_visit",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("plugged_at", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tap", TEXT, nullable=False),
        sa.Column("public_key", TEXT, nullable=True),
        sa.Column("user", TEXT, nullable=True),
        sa.Column("vehicle", TEXT, nullable=True),
        sa.Column("latitude", WHOLE, nullable=True),
        sa.Column("longitude", WHOLE, nullable=True),
        sa.Column("first_at", WHOLE, nullable=False),
        sa.Column("asked_at", WHOLE, nullable=False),
        sa.Column("told_number", WHOLE, nullable=False),
        sa.Column("placed_at", WHOLE, nullable=True),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name=op.f("ck_cable_visit_place_whole")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_cable_visit_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "cable", "plugged_at", name=op.f("pk_cable_visit")),
        sqlite_strict=True,
    )
    op.create_index("ix_cable_visit_asked_at", "cable_visit", ["bucket", "community", "site", "asked_at"], unique=False)
    op.create_index("ix_cable_visit_cable", "cable_visit", ["cable", "asked_at"], unique=False)
    op.create_index(
        "ix_cable_visit_not_placed",
        "cable_visit",
        ["bucket", "community", "site", "cable", "plugged_at"],
        unique=False,
        sqlite_where=sa.text("placed_at IS NULL"),
        postgresql_where=sa.text("placed_at IS NULL"),
    )
    op.create_table(
        "cable_key",
        sa.Column("public_key", TEXT, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("public_key", name=op.f("pk_cable_key")),
        sqlite_strict=True,
    )
    op.create_table(
        "cable",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("public_key", TEXT, nullable=False),
        sa.Column("first_number", WHOLE, nullable=False),
        sa.Column("proof", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("since", WHOLE, nullable=False),
        sa.Column("registered_at", WHOLE, nullable=False),
        sa.Column("searched_at", WHOLE, nullable=True),
        sa.CheckConstraint("state IN ('active', 'stolen', 'revoked', 'two-places')", name=op.f("ck_cable_state_known")),
        sa.PrimaryKeyConstraint("bucket", "cable", name=op.f("pk_cable")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_cable_not_searched",
        "cable",
        ["bucket", "cable"],
        unique=False,
        sqlite_where=sa.text("searched_at IS NULL"),
        postgresql_where=sa.text("searched_at IS NULL"),
    )
    op.create_index("ix_cable_owner", "cable", ["community", "owner", "cable"], unique=False)
    op.create_table(
        "cable_change",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("change", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=True),
        sa.CheckConstraint(
            "state IN ('active', 'stolen', 'revoked', 'two-places')", name=op.f("ck_cable_change_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "cable"], ["cable.bucket", "cable.cable"], name=op.f("fk_cable_change_cable_bucket_cable")
        ),
        sa.PrimaryKeyConstraint("bucket", "cable", "change", name=op.f("pk_cable_change")),
        sqlite_strict=True,
    )
    op.create_table(
        "signed_record",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("site", TEXT, nullable=True),
        sa.Column("start", WHOLE, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("import_wh", WHOLE, nullable=False),
        sa.Column("export_wh", WHOLE, nullable=False),
        sa.Column("import_from_wh", WHOLE, nullable=False),
        sa.Column("export_from_wh", WHOLE, nullable=False),
        sa.Column("latitude", WHOLE, nullable=True),
        sa.Column("longitude", WHOLE, nullable=True),
        sa.Column("vehicle", TEXT, nullable=True),
        sa.Column("user", TEXT, nullable=True),
        sa.Column("delivered_community", TEXT, nullable=False),
        sa.Column("delivered_site", TEXT, nullable=False),
        sa.Column("delivered_epoch", WHOLE, nullable=False),
        sa.Column("delivered_seq", WHOLE, nullable=False),
        sa.Column("refused", TEXT, nullable=True),
        sa.Column("payload_hash", TEXT, nullable=False),
        sa.Column("raw", TEXT, nullable=False),
        sa.Column("stored_at", WHOLE, nullable=False),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name=op.f("ck_signed_record_place_whole")),
        sa.CheckConstraint("import_wh >= 0 AND export_wh >= 0", name=op.f("ck_signed_record_energy_not_negative")),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_signed_record_time_goes_on")),
        sa.ForeignKeyConstraint(
            ["bucket", "cable"], ["cable.bucket", "cable.cable"], name=op.f("fk_signed_record_cable_bucket_cable")
        ),
        sa.PrimaryKeyConstraint("bucket", "cable", "number", name=op.f("pk_signed_record")),
        sqlite_strict=True,
    )
    op.create_index("ix_signed_record_start", "signed_record", ["bucket", "cable", "start"], unique=False)
    op.create_index("ix_signed_record_stored_at", "signed_record", ["stored_at"], unique=False)
    op.create_table(
        "cable_presence",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("seconds", WHOLE, autoincrement=False, nullable=False),
        sa.Column("energy_wh", WHOLE, nullable=False),
        sa.Column("noted_at", WHOLE, nullable=False),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_cable_presence_time_goes_on")),
        sa.PrimaryKeyConstraint(
            "bucket", "cable", "start", "community", "site", "seconds", name=op.f("pk_cable_presence")
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "record_finding",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("finding", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("community", TEXT, nullable=True),
        sa.Column("site", TEXT, nullable=True),
        sa.Column("number", WHOLE, nullable=True),
        sa.Column("through", WHOLE, nullable=True),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("found_at", WHOLE, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("evidence", TEXT, nullable=True),
        sa.Column("closed_at", WHOLE, nullable=True),
        sa.CheckConstraint(
            "closed_at IS NULL OR kind IN ('gap', 'unreported')",
            name=op.f("ck_record_finding_only_what_is_missing_comes"),
        ),
        sa.CheckConstraint(
            "kind IN ('forged', 'wrong-serial', 'altered', 'replayed', 're-homed', 'unreported',"
            " 'unusable', 'backward', 'jump', 'gap', 'two-places')",
            name=op.f("ck_record_finding_kind_known"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "cable"], ["cable.bucket", "cable.cable"], name=op.f("fk_record_finding_cable_bucket_cable")
        ),
        sa.PrimaryKeyConstraint("bucket", "cable", "finding", name=op.f("pk_record_finding")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_record_finding_open_gap",
        "record_finding",
        ["bucket", "cable"],
        unique=False,
        sqlite_where=sa.text("kind = 'gap' AND closed_at IS NULL"),
        postgresql_where=sa.text("kind = 'gap' AND closed_at IS NULL"),
    )
    op.create_table(
        "awaited_record",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cable", TEXT, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("through", WHOLE, nullable=False),
        sa.Column("due_at", WHOLE, nullable=False),
        sa.Column("found_at", WHOLE, nullable=True),
        sa.CheckConstraint("through >= number", name=op.f("ck_awaited_record_spans")),
        sa.ForeignKeyConstraint(
            ["bucket", "cable"], ["cable.bucket", "cable.cable"], name=op.f("fk_awaited_record_cable_bucket_cable")
        ),
        sa.PrimaryKeyConstraint("bucket", "cable", "number", name=op.f("pk_awaited_record")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_awaited_record_due_at",
        "awaited_record",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("found_at IS NULL"),
        postgresql_where=sa.text("found_at IS NULL"),
    )
