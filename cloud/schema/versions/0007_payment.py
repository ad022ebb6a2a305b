"""Points are bought, given for vouchers, redeemed and passed on."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Keep purchases and what providers say of them, vouchers, redemptions with their rule, and transfers of points."""
    _purchases()
    _vouchers()
    _redemptions()
    _transfers()


def _purchases() -> None:
    op.create_table(
        "purchase",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("purchase", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.Column("points_micro", WHOLE, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("refunded_minor", WHOLE, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.Column("paid_at", WHOLE),
        sa.CheckConstraint(
            "state IN ('pending', 'processing', 'failed', 'paid')", name=op.f("ck_purchase_state_known")
        ),
        sa.CheckConstraint("amount_minor > 0 AND points_micro > 0", name=op.f("ck_purchase_amounts_positive")),
        sa.CheckConstraint(
            "refunded_minor >= 0 AND refunded_minor <= amount_minor", name=op.f("ck_purchase_refunded_within_amount")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "owner"],
            ["owner.bucket", "owner.community", "owner.owner"],
            name=op.f("fk_purchase_owner_bucket_community_owner"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "purchase", name=op.f("pk_purchase")),
        sqlite_strict=True,
    )
    op.create_index("ix_purchase_owner", "purchase", ["bucket", "community", "owner", "purchase"])
    op.create_table(
        "payment_event",
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("reference", TEXT),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("amount_minor", WHOLE),
        sa.Column("refunded_minor", WHOLE, nullable=False),
        sa.Column("occurred_at", WHOLE, nullable=False),
        sa.Column("received_at", WHOLE, nullable=False),
        sa.Column("result", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("provider", "event", name=op.f("pk_payment_event")),
        sqlite_strict=True,
    )
    op.create_index("ix_payment_event_result", "payment_event", ["result", "id"])


def _vouchers() -> None:
    op.create_table(
        "voucher",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("voucher", TEXT, nullable=False),
        sa.Column("code_hmac", TEXT, nullable=False),
        sa.Column("points_micro", WHOLE, nullable=False),
        sa.Column("issued_at", WHOLE, nullable=False),
        sa.Column("issued_by", TEXT, nullable=False),
        sa.Column("expires_at", WHOLE),
        sa.Column("redeemed_by", TEXT),
        sa.Column("redeemed_at", WHOLE),
        sa.Column("revoked_at", WHOLE),
        sa.CheckConstraint(
            "(redeemed_by IS NULL) = (redeemed_at IS NULL)", name=op.f("ck_voucher_redeemed_by_somebody")
        ),
        sa.CheckConstraint("points_micro > 0", name=op.f("ck_voucher_points_positive")),
        sa.CheckConstraint("redeemed_at IS NULL OR revoked_at IS NULL", name=op.f("ck_voucher_redeemed_or_revoked")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_voucher_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "voucher", name=op.f("pk_voucher")),
        sa.UniqueConstraint("bucket", "community", "code_hmac", name=op.f("uq_voucher_bucket_community_code_hmac")),
        sqlite_strict=True,
    )
    op.create_table(
        "voucher_try",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("who", TEXT, nullable=False),
        sa.Column("wrong", WHOLE, nullable=False),
        sa.Column("last_at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("bucket", "community", "who", name=op.f("pk_voucher_try")),
        sqlite_strict=True,
    )


def _redemptions() -> None:
    op.create_table(
        "redemption_rule",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("enabled", WHOLE, nullable=False),
        sa.Column("minimum_points", WHOLE, nullable=False),
        sa.Column("points_per_unit", WHOLE, nullable=False),
        sa.Column("fee_points", WHOLE, nullable=False),
        sa.Column("fee_basis_points", WHOLE, nullable=False),
        sa.Column("set_at", WHOLE, nullable=False),
        sa.CheckConstraint("fee_points = 0 OR fee_basis_points = 0", name=op.f("ck_redemption_rule_one_fee")),
        sa.CheckConstraint(
            "fee_points >= 0 AND fee_basis_points BETWEEN 0 AND 10000", name=op.f("ck_redemption_rule_fee_not_negative")
        ),
        sa.CheckConstraint(
            "minimum_points > 0 AND points_per_unit > 0", name=op.f("ck_redemption_rule_amounts_positive")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_redemption_rule_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", name=op.f("pk_redemption_rule")),
        sqlite_strict=True,
    )
    op.create_table(
        "redemption",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("redemption", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("asked_points", WHOLE, nullable=False),
        sa.Column("points_micro", WHOLE, nullable=False),
        sa.Column("fee_micro", WHOLE, nullable=False),
        sa.Column("currency", TEXT, nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.Column("payment_provider", TEXT, nullable=False),
        sa.Column("payment_token", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("requested_at", WHOLE, nullable=False),
        sa.Column("decided_at", WHOLE),
        sa.Column("decided_by", TEXT),
        sa.Column("note", TEXT),
        sa.CheckConstraint(
            "(state = 'requested') = (decided_at IS NULL)", name=op.f("ck_redemption_decided_at_a_time")
        ),
        sa.CheckConstraint("state IN ('requested', 'paid', 'failed')", name=op.f("ck_redemption_state_known")),
        sa.CheckConstraint(
            "amount_minor > 0 AND fee_micro >= 0 AND points_micro > fee_micro", name=op.f("ck_redemption_amounts_fit")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "owner"],
            ["owner.bucket", "owner.community", "owner.owner"],
            name=op.f("fk_redemption_owner_bucket_community_owner"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "redemption", name=op.f("pk_redemption")),
        sa.UniqueConstraint(
            "bucket", "community", "owner", "key", name=op.f("uq_redemption_bucket_community_owner_key")
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_redemption_owner", "redemption", ["bucket", "community", "owner", "redemption"])


def _transfers() -> None:
    op.create_table(
        "points_transfer",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("transfer", TEXT, nullable=False),
        sa.Column("from_owner", TEXT, nullable=False),
        sa.Column("to_owner", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("points_micro", WHOLE, nullable=False),
        sa.Column("secret", TEXT, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint(
            "points_micro > 0 AND from_owner <> to_owner", name=op.f("ck_points_transfer_moves_something")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "from_owner"],
            ["owner.bucket", "owner.community", "owner.owner"],
            name=op.f("fk_points_transfer_owner_bucket_community_from_owner"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "to_owner"],
            ["owner.bucket", "owner.community", "owner.owner"],
            name=op.f("fk_points_transfer_owner_bucket_community_to_owner"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "transfer", name=op.f("pk_points_transfer")),
        sa.UniqueConstraint(
            "bucket", "community", "from_owner", "key", name=op.f("uq_points_transfer_bucket_community_from_owner_key")
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_points_transfer_from_owner", "points_transfer", ["bucket", "community", "from_owner", "transfer"]
    )
    op.create_index("ix_points_transfer_to_owner", "points_transfer", ["bucket", "community", "to_owner", "transfer"])
