"""Settlement: corrections, prices of each owner's own, sites below sites, and lines between neighbours."""

from typing import Any

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine

from cloud.schema.change import drop_foreign_key

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()
RAW = sa.LargeBinary()

NEW_COLUMNS: dict[str, dict[str, TypeEngine[Any]]] = {
    "settlement": {"secret": TEXT, "corrected_through": WHOLE},
    "settled_interval": {"local_micro_per_wh": WHOLE, "batches": TEXT, "document": RAW},
    "settled_owner_interval": {
        "local_micro_per_wh": WHOLE,
        "grid_micro_per_wh": WHOLE,
        "direct_wh": WHOLE,
        "direct_points_micro": WHOLE,
        "blind": TEXT,
    },
    "reading": {"private": WHOLE},
    "batch": {"derived_at": WHOLE, "first_start": WHOLE, "last_end": WHOLE},
}


def upgrade() -> None:
    """Let an interval be corrected, and say by which prices each owner was settled in it."""
    for table, columns in NEW_COLUMNS.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))
    op.create_index("ix_batch_derived_at", "batch", ["bucket", "community", "derived_at"])
    drop_foreign_key("settled_interval", "fk_settled_interval_tariff_bucket_community_tariff_valid_from")
    op.drop_column("settled_interval", "tariff_valid_from")
    _corrections()
    _replaced_readings()
    _links()


def _key(*names: str) -> list[sa.Column[int] | sa.Column[str]]:
    texts = {"community", "site", "tap", "owner", "owner_a", "owner_b"}
    return [
        sa.Column(name, TEXT, nullable=False)
        if name in texts
        else sa.Column(name, WHOLE, autoincrement=False, nullable=False)
        for name in ("bucket", "community", *names)
    ]


def _corrections() -> None:
    op.create_table(
        "settled_correction",
        *_key("start", "revision"),
        sa.Column("readings", WHOLE, nullable=False),
        sa.Column("batches", TEXT, nullable=False),
        sa.Column("grid_wh", WHOLE, nullable=False),
        sa.Column("grid_points_micro", WHOLE, nullable=False),
        sa.Column("evidence", TEXT, nullable=False),
        sa.Column("entry", WHOLE, nullable=True),
        sa.Column("booked_at", WHOLE, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.Column("document", RAW, nullable=True),
        sa.CheckConstraint("revision > 0", name=op.f("ck_settled_correction_after_the_first")),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "start"],
            ["settled_interval.bucket", "settled_interval.community", "settled_interval.start"],
            name=op.f("fk_settled_correction_settled_interval_bucket_community_start"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "entry"],
            ["entry.bucket", "entry.community", "entry.number"],
            name=op.f("fk_settled_correction_entry_bucket_community_entry"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "start", "revision", name=op.f("pk_settled_correction")),
        sqlite_strict=True,
    )
    op.create_table(
        "settled_owner_correction",
        *_key("start", "revision", "owner"),
        sa.Column("net_wh", WHOLE, nullable=False),
        sa.Column("local_wh", WHOLE, nullable=False),
        sa.Column("grid_wh", WHOLE, nullable=False),
        sa.Column("points_micro", WHOLE, nullable=False),
        sa.Column("direct_wh", WHOLE, nullable=False),
        sa.Column("direct_points_micro", WHOLE, nullable=False),
        sa.Column("quality", TEXT, nullable=False),
        sa.Column("local_micro_per_wh", WHOLE, nullable=True),
        sa.Column("grid_micro_per_wh", WHOLE, nullable=False),
        sa.Column("blind", TEXT, nullable=False),
        sa.Column("booked_at", WHOLE, nullable=False),
        sa.Column("entry", WHOLE, nullable=True),
        sa.CheckConstraint(
            "net_wh = local_wh + grid_wh", name=op.f("ck_settled_owner_correction_net_is_local_and_grid")
        ),
        sa.CheckConstraint(
            "quality IN ('ok', 'estimated', 'missing', 'reset')",
            name=op.f("ck_settled_owner_correction_quality_known"),
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "start", "revision"],
            [f"settled_correction.{name}" for name in ("bucket", "community", "start", "revision")],
            name=op.f("fk_settled_owner_correction_settled_correction_bucket_community_start_revision"),
        ),
        sa.PrimaryKeyConstraint(
            "bucket", "community", "start", "revision", "owner", name=op.f("pk_settled_owner_correction")
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_settled_owner_correction_owner_booked_at",
        "settled_owner_correction",
        ["bucket", "community", "owner", "booked_at"],
    )


def _replaced_readings() -> None:
    op.create_table(
        "replaced_reading",
        *_key("start", "site", "tap", "epoch", "seq"),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("upstream_owner", TEXT, nullable=True),
        sa.Column("island", WHOLE, nullable=False),
        sa.Column("import_wh", WHOLE, nullable=False),
        sa.Column("export_wh", WHOLE, nullable=False),
        sa.Column("import_register_wh", WHOLE, nullable=False),
        sa.Column("export_register_wh", WHOLE, nullable=False),
        sa.Column("quality", TEXT, nullable=False),
        sa.Column("private", WHOLE, nullable=True),
        sa.Column("by_epoch", WHOLE, nullable=False),
        sa.Column("by_seq", WHOLE, nullable=False),
        sa.Column("replaced_at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "site", "by_epoch", "by_seq"],
            ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
            name=op.f("fk_replaced_reading_batch_bucket_community_site_by_epoch_by_seq"),
        ),
        sa.PrimaryKeyConstraint(
            *("bucket", "community", "start", "site", "tap", "epoch", "seq"), name=op.f("pk_replaced_reading")
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_replaced_reading_site_start", "replaced_reading", ["bucket", "community", "site", "start"])


def _links() -> None:
    op.create_table(
        "neighbour_link",
        *_key("owner_a", "owner_b", "valid_from"),
        sa.Column("price_text", TEXT, nullable=True),
        sa.Column("price_micro_per_wh", WHOLE, nullable=True),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint("owner_a < owner_b", name=op.f("ck_neighbour_link_owners_in_order")),
        sa.CheckConstraint(
            "(price_text IS NULL) = (price_micro_per_wh IS NULL)", name=op.f("ck_neighbour_link_price_with_its_text")
        ),
        *(
            sa.ForeignKeyConstraint(
                ["bucket", "community", owner],
                ["owner.bucket", "owner.community", "owner.owner"],
                name=op.f(f"fk_neighbour_link_owner_bucket_community_{owner}"),
            )
            for owner in ("owner_a", "owner_b")
        ),
        sa.PrimaryKeyConstraint(
            *("bucket", "community", "owner_a", "owner_b", "valid_from"), name=op.f("pk_neighbour_link")
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "site_upstream",
        *_key("site", "valid_from"),
        sa.Column("upstream_site", TEXT, nullable=True),
        sa.Column("upstream_tap", TEXT, nullable=True),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint(
            "(upstream_site IS NULL) = (upstream_tap IS NULL)", name=op.f("ck_site_upstream_a_tap_of_a_site")
        ),
        sa.CheckConstraint("upstream_site <> site", name=op.f("ck_site_upstream_not_below_itself")),
        *(
            sa.ForeignKeyConstraint(
                ["bucket", "community", site],
                ["site.bucket", "site.community", "site.site"],
                name=op.f(f"fk_site_upstream_site_bucket_community_{site}"),
            )
            for site in ("site", "upstream_site")
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "site", "valid_from", name=op.f("pk_site_upstream")),
        sqlite_strict=True,
    )
    op.create_table(
        "forest_use",
        *_key(),
        sa.Column("used_through", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_forest_use_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", name=op.f("pk_forest_use")),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO forest_use (bucket, community, used_through)"
        " SELECT bucket, community, max(start + seconds) FROM settled_interval GROUP BY bucket, community"
    )
