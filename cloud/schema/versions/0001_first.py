"""The first schema: every table of every room."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()
RAW = sa.LargeBinary()


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "account",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("account", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=True),
        sa.Column("balance_micro", WHOLE, nullable=False),
        sa.Column("opened_at", WHOLE, nullable=False),
        sa.CheckConstraint("(kind = 'owner') = (owner IS NOT NULL)", name=op.f("ck_account_owner_of_owner_account")),
        sa.CheckConstraint(
            "abs(balance_micro) <= CASE kind WHEN 'owner' THEN 9000000000000000 ELSE 1000000000000000000 END",
            name=op.f("ck_account_balance_within_bounds"),
        ),
        sa.CheckConstraint("kind IN ('owner', 'grid')", name=op.f("ck_account_kind_known")),
        sa.PrimaryKeyConstraint("bucket", "community", "account", name=op.f("pk_account")),
        sqlite_strict=True,
    )
    op.create_table(
        "client",
        sa.Column("client_id", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("community", TEXT, nullable=True),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("secret_hmac", TEXT, nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client")),
        sqlite_strict=True,
    )
    op.create_table(
        "cloud_identity",
        sa.Column("one", WHOLE, autoincrement=False, nullable=False),
        sa.Column("kid", TEXT, nullable=False),
        sa.Column("public_key", TEXT, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_cloud_identity_only_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_cloud_identity")),
        sqlite_strict=True,
    )
    op.create_table(
        "community",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("time_zone", TEXT, nullable=False),
        sa.Column("interval_seconds", WHOLE, nullable=False),
        sa.Column("cycle_seconds", WHOLE, nullable=False),
        sa.Column("grace_seconds", WHOLE, nullable=False),
        sa.Column("currency", TEXT, nullable=True),
        sa.Column("points_per_unit", WHOLE, nullable=True),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.CheckConstraint(
            "cycle_seconds > 0 AND cycle_seconds % interval_seconds = 0",
            name=op.f("ck_community_cycle_of_whole_intervals"),
        ),
        sa.CheckConstraint(
            "interval_seconds > 0 AND 1800 % interval_seconds = 0", name=op.f("ck_community_interval_divides_half_hour")
        ),
        sa.PrimaryKeyConstraint("bucket", "community", name=op.f("pk_community")),
        sqlite_strict=True,
    )
    op.create_table(
        "entry",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("valued_at", WHOLE, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.Column("evidence", TEXT, nullable=False),
        sa.Column("prev_hash", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_entry_number_positive")),
        sa.PrimaryKeyConstraint("bucket", "community", "number", name=op.f("pk_entry")),
        sa.UniqueConstraint("bucket", "community", "cause", name=op.f("uq_entry_bucket_community_cause")),
        sqlite_strict=True,
    )
    op.create_table(
        "known_key",
        sa.Column("kid", TEXT, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_known_key")),
        sqlite_strict=True,
    )
    op.create_table(
        "ledger_head",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("bucket", "community", name=op.f("pk_ledger_head")),
        sqlite_strict=True,
    )
    op.create_table(
        "pairing_code",
        sa.Column("code_hmac", TEXT, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("main_owner", TEXT, nullable=False),
        sa.Column("time_scale", WHOLE, nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.Column("expires_at", WHOLE, nullable=False),
        sa.Column("used_by", TEXT, nullable=True),
        sa.Column("used_at", WHOLE, nullable=True),
        sa.PrimaryKeyConstraint("code_hmac", name=op.f("pk_pairing_code")),
        sqlite_strict=True,
    )
    op.create_table(
        "wrong_code",
        sa.Column("address", TEXT, nullable=False),
        sa.Column("window_start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tries", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("address", "window_start", name=op.f("pk_wrong_code")),
        sqlite_strict=True,
    )
    op.create_table(
        "owner",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_owner_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "owner", name=op.f("pk_owner")),
        sqlite_strict=True,
    )
    op.create_table(
        "posting",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("account", TEXT, nullable=False),
        sa.Column("amount_micro", WHOLE, nullable=False),
        sa.CheckConstraint(
            "amount_micro <> 0 AND abs(amount_micro) <= 1000000000000000", name=op.f("ck_posting_amount_within_bounds")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "account"],
            ["account.bucket", "account.community", "account.account"],
            name=op.f("fk_posting_account_bucket_community_account"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "number"],
            ["entry.bucket", "entry.community", "entry.number"],
            name=op.f("fk_posting_entry_bucket_community_number"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "number", "account", name=op.f("pk_posting")),
        sqlite_strict=True,
    )
    op.create_index("ix_posting_account", "posting", ["bucket", "community", "account", "number"], unique=False)
    op.create_table(
        "settlement",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("first", WHOLE, nullable=False),
        sa.Column("open_from", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_settlement_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", name=op.f("pk_settlement")),
        sqlite_strict=True,
    )
    op.create_table(
        "tariff",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("valid_from", WHOLE, autoincrement=False, nullable=False),
        sa.Column("local_text", TEXT, nullable=True),
        sa.Column("grid_buy_text", TEXT, nullable=False),
        sa.Column("grid_sell_text", TEXT, nullable=False),
        sa.Column("local_micro_per_wh", WHOLE, nullable=True),
        sa.Column("grid_buy_micro_per_wh", WHOLE, nullable=False),
        sa.Column("grid_sell_micro_per_wh", WHOLE, nullable=False),
        sa.Column("used_through", WHOLE, nullable=True),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint(
            "(local_text IS NULL) = (local_micro_per_wh IS NULL)", name=op.f("ck_tariff_local_with_its_text")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_tariff_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "valid_from", name=op.f("pk_tariff")),
        sqlite_strict=True,
    )
    op.create_table(
        "settled_interval",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("tariff_valid_from", WHOLE, nullable=False),
        sa.Column("readings", WHOLE, nullable=False),
        sa.Column("grid_wh", WHOLE, nullable=False),
        sa.Column("grid_points_micro", WHOLE, nullable=False),
        sa.Column("evidence", TEXT, nullable=False),
        sa.Column("entry", WHOLE, nullable=True),
        sa.Column("settled_at", WHOLE, nullable=False),
        sa.CheckConstraint("seconds > 0 AND readings > 0", name=op.f("ck_settled_interval_of_readings")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "entry"],
            ["entry.bucket", "entry.community", "entry.number"],
            name=op.f("fk_settled_interval_entry_bucket_community_entry"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "tariff_valid_from"],
            ["tariff.bucket", "tariff.community", "tariff.valid_from"],
            name=op.f("fk_settled_interval_tariff_bucket_community_tariff_valid_from"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "start", name=op.f("pk_settled_interval")),
        sqlite_strict=True,
    )
    op.create_table(
        "site",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("time_zone", TEXT, nullable=False),
        sa.Column("latitude_e6", WHOLE, nullable=True),
        sa.Column("longitude_e6", WHOLE, nullable=True),
        sa.Column("main_owner", TEXT, nullable=False),
        sa.Column("time_scale", WHOLE, nullable=False),
        sa.Column("paired_at", WHOLE, nullable=False),
        sa.Column("quarantined_at", WHOLE, nullable=True),
        sa.Column("quarantine_reason", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "main_owner"],
            ["owner.bucket", "owner.community", "owner.owner"],
            name=op.f("fk_site_owner_bucket_community_main_owner"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", name=op.f("pk_site")),
        sqlite_strict=True,
    )
    op.create_table(
        "batch",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("epoch", WHOLE, autoincrement=False, nullable=False),
        sa.Column("seq", WHOLE, autoincrement=False, nullable=False),
        sa.Column("prev", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=True),
        sa.Column("due_at", WHOLE, nullable=True),
        sa.Column("tree_rev", WHOLE, nullable=True),
        sa.Column("received_ms", WHOLE, nullable=False),
        sa.Column("kid", TEXT, nullable=False),
        sa.Column("signature", TEXT, nullable=False),
        sa.Column("raw", RAW, nullable=False),
        sa.CheckConstraint("(state = 'held') = (reason IS NOT NULL)", name=op.f("ck_batch_held_with_reason")),
        sa.CheckConstraint("state IN ('waiting', 'held', 'derived')", name=op.f("ck_batch_state_known")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_batch_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "epoch", "seq", name=op.f("pk_batch")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_batch_not_derived",
        "batch",
        ["bucket", "community", "site", "epoch", "seq"],
        unique=False,
        sqlite_where=sa.text("state <> 'derived'"),
        postgresql_where=sa.text("state <> 'derived'"),
    )
    op.create_table(
        "chain",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("epoch", WHOLE, autoincrement=False, nullable=False),
        sa.Column("acked_through", WHOLE, nullable=False),
        sa.Column("highest", WHOLE, nullable=False),
        sa.Column("highest_hash", TEXT, nullable=False),
        sa.Column("closed", WHOLE, nullable=False),
        sa.CheckConstraint("acked_through BETWEEN 0 AND highest", name=op.f("ck_chain_acked_is_stored")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_chain_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "epoch", name=op.f("pk_chain")),
        sqlite_strict=True,
    )
    op.create_table(
        "contradiction",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("epoch", WHOLE, autoincrement=False, nullable=False),
        sa.Column("seq", WHOLE, autoincrement=False, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("received_ms", WHOLE, nullable=False),
        sa.Column("kid", TEXT, nullable=False),
        sa.Column("signature", TEXT, nullable=False),
        sa.Column("raw", RAW, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_contradiction_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "epoch", "seq", "hash", name=op.f("pk_contradiction")),
        sqlite_strict=True,
    )
    op.create_table(
        "notice",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("notice", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("issued_at", WHOLE, nullable=False),
        sa.Column("expires_at", WHOLE, nullable=False),
        sa.Column("acked_at", WHOLE, nullable=True),
        sa.Column("superseded_by", TEXT, nullable=True),
        sa.CheckConstraint("expires_at > issued_at", name=op.f("ck_notice_expires_after_issued")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_notice_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "notice", name=op.f("pk_notice")),
        sqlite_strict=True,
    )
    op.create_index("ix_notice_issued_at", "notice", ["issued_at"], unique=False)
    op.create_table(
        "settled_owner_interval",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("net_wh", WHOLE, nullable=False),
        sa.Column("local_wh", WHOLE, nullable=False),
        sa.Column("grid_wh", WHOLE, nullable=False),
        sa.Column("points_micro", WHOLE, nullable=False),
        sa.Column("quality", TEXT, nullable=False),
        sa.CheckConstraint(
            "quality IN ('ok', 'estimated', 'missing', 'reset')", name=op.f("ck_settled_owner_interval_quality_known")
        ),
        sa.CheckConstraint("net_wh = local_wh + grid_wh", name=op.f("ck_settled_owner_interval_net_is_local_and_grid")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "start"],
            ["settled_interval.bucket", "settled_interval.community", "settled_interval.start"],
            name=op.f("fk_settled_owner_interval_settled_interval_bucket_community_start"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "start", "owner", name=op.f("pk_settled_owner_interval")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_settled_owner_interval_owner_start",
        "settled_owner_interval",
        ["bucket", "community", "owner", "start"],
        unique=False,
    )
    op.create_table(
        "settled_without",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "start"],
            ["settled_interval.bucket", "settled_interval.community", "settled_interval.start"],
            name=op.f("fk_settled_without_settled_interval_bucket_community_start"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "start", "site", name=op.f("pk_settled_without")),
        sqlite_strict=True,
    )
    op.create_table(
        "site_key",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("kid", TEXT, nullable=False),
        sa.Column("public_key", TEXT, nullable=False),
        sa.Column("added_at", WHOLE, nullable=False),
        sa.Column("revoked_at", WHOLE, nullable=True),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_site_key_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "kid", name=op.f("pk_site_key")),
        sqlite_strict=True,
    )
    op.create_table(
        "tree",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("rev", WHOLE, autoincrement=False, nullable=False),
        sa.Column("valid_from", WHOLE, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("raw", RAW, nullable=False),
        sa.Column("signature", TEXT, nullable=False),
        sa.Column("received_at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_tree_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "rev", name=op.f("pk_tree")),
        sqlite_strict=True,
    )
    op.create_table(
        "incident",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("epoch", WHOLE, autoincrement=False, nullable=False),
        sa.Column("seq", WHOLE, autoincrement=False, nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("tap", TEXT, nullable=True),
        sa.Column("detail", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site", "epoch", "seq"],
            ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
            name=op.f("fk_incident_batch_bucket_community_site_epoch_seq"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "epoch", "seq", "number", name=op.f("pk_incident")),
        sqlite_strict=True,
    )
    op.create_table(
        "reading",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("tap", TEXT, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("upstream_owner", TEXT, nullable=True),
        sa.Column("island", WHOLE, nullable=False),
        sa.Column("import_wh", WHOLE, nullable=False),
        sa.Column("export_wh", WHOLE, nullable=False),
        sa.Column("import_register_wh", WHOLE, nullable=False),
        sa.Column("export_register_wh", WHOLE, nullable=False),
        sa.Column("quality", TEXT, nullable=False),
        sa.Column("epoch", WHOLE, nullable=False),
        sa.Column("seq", WHOLE, nullable=False),
        sa.CheckConstraint("quality IN ('ok', 'estimated', 'missing', 'reset')", name=op.f("ck_reading_quality_known")),
        sa.CheckConstraint("import_wh >= 0 AND export_wh >= 0", name=op.f("ck_reading_energy_not_negative")),
        sa.CheckConstraint("island = 0 OR upstream_owner IS NULL", name=op.f("ck_reading_island_has_no_upstream")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site", "epoch", "seq"],
            ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
            name=op.f("fk_reading_batch_bucket_community_site_epoch_seq"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "start", "site", "tap", name=op.f("pk_reading")),
        sqlite_strict=True,
    )
    op.create_index("ix_reading_site_start", "reading", ["bucket", "community", "site", "start"], unique=False)
