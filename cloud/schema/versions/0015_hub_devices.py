"""Connected systems of the hub, how they log in, and what was done with them."""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()


def upgrade() -> None:
    """Make the tables of connected systems and the event log."""
    op.create_table(
        "hub_device",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("device", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("maker", TEXT),
        sa.Column("model", TEXT),
        sa.Column("latitude_e6", WHOLE),
        sa.Column("longitude_e6", WHOLE),
        sa.Column("site", TEXT),
        sa.Column("source", TEXT),
        sa.Column("format", TEXT),
        sa.Column("currency", TEXT),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.Column("changed_at", WHOLE, nullable=False),
        sa.CheckConstraint("state IN ('awaited', 'active', 'revoked')", name=op.f("ck_hub_device_state_known")),
        sa.CheckConstraint("(latitude_e6 IS NULL) = (longitude_e6 IS NULL)", name=op.f("ck_hub_device_place_whole")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_hub_device_community_bucket_community"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site"],
            ["site.bucket", "site.community", "site.site"],
            name=op.f("fk_hub_device_site_bucket_community_site"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "device", name=op.f("pk_hub_device")),
        sqlite_strict=True,
    )
    op.create_index("ix_hub_device_kind", "hub_device", ["bucket", "community", "kind"])
    op.create_index("ix_hub_device_latitude_e6", "hub_device", ["bucket", "community", "latitude_e6"])
    op.create_index("ix_hub_device_source", "hub_device", ["bucket", "community", "source"])
    op.create_table(
        "hub_login",
        sa.Column("device", TEXT, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("initial_hash", TEXT),
        sa.Column("initial_until", WHOLE),
        sa.Column("secret_hmac", TEXT),
        sa.Column("next_hmac", TEXT),
        sa.Column("wrong", WHOLE, nullable=False),
        sa.Column("locked_until", WHOLE, nullable=False),
        sa.Column("tried_at", WHOLE, nullable=False),
        sa.Column("registered_at", WHOLE),
        sa.Column("revoked_at", WHOLE),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint(
            "(initial_hash IS NULL) = (initial_until IS NULL)", name=op.f("ck_hub_login_initial_for_some_time")
        ),
        sa.CheckConstraint("next_hmac IS NULL OR secret_hmac IS NOT NULL", name=op.f("ck_hub_login_next_after_one")),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_hub_login")),
        sqlite_strict=True,
    )
    op.create_table(
        "hub_wrong_try",
        sa.Column("address", TEXT, nullable=False),
        sa.Column("window_start", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tries", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("address", "window_start", name=op.f("pk_hub_wrong_try")),
        sqlite_strict=True,
    )
    op.create_table(
        "hub_policy",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("events_days", WHOLE, nullable=False),
        sa.Column("messages_days", WHOLE, nullable=False),
        sa.Column("changed_at", WHOLE, nullable=False),
        sa.CheckConstraint("events_days > 0 AND messages_days > 0", name=op.f("ck_hub_policy_kept_for_some_time")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_hub_policy_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", name=op.f("pk_hub_policy")),
        sqlite_strict=True,
    )
    op.create_table(
        "hub_event",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("at_ms", WHOLE, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("who", TEXT, nullable=False),
        sa.Column("device", TEXT),
        sa.Column("count", WHOLE, nullable=False),
        sa.Column("detail", TEXT),
        sa.CheckConstraint("count >= 0", name=op.f("ck_hub_event_count_not_negative")),
        sa.PrimaryKeyConstraint("bucket", "community", "event", name=op.f("pk_hub_event")),
        sqlite_strict=True,
    )
    op.create_index("ix_hub_event_at_ms", "hub_event", ["bucket", "community", "at_ms"])
    op.create_index("ix_hub_event_device", "hub_event", ["bucket", "community", "device", "event"])
