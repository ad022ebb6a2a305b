"""How the grid is wired, and what the watch over it found."""

import json
import uuid

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT = sa.Text()
EQUIPMENT = ("bucket", "community", "equipment", "name", "provider", "changed_at")
CHANGE = ("bucket", "community", "change", "equipment", "changed_at", "members", "changed_by")


def upgrade() -> None:
    """Give equipment its place in the grid and what it carries, keep its changes, and make the tables of the watch."""
    for name in ("kind", "above"):
        op.add_column("grid_equipment", sa.Column(name, TEXT))
    for name in ("limit_va", "limit_a", "nominal_mv", "phases"):
        op.add_column("grid_equipment", sa.Column(name, WHOLE))
    _create_fed_devices()
    _create_changes()
    _create_limits()
    _create_watch()
    _create_findings()
    _begin_changes()


def _create_fed_devices() -> None:
    op.create_table(
        "grid_equipment_device",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("device", TEXT, nullable=False),
        sa.Column("equipment", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "equipment"],
            ["grid_equipment.bucket", "grid_equipment.community", "grid_equipment.equipment"],
            name=op.f("fk_grid_equipment_device_grid_equipment_bucket_community_equipment"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "device", "equipment", name=op.f("pk_grid_equipment_device")),
        sqlite_strict=True,
    )
    op.create_index("ix_grid_equipment_device_equipment", "grid_equipment_device", ["bucket", "community", "equipment"])


def _create_changes() -> None:
    op.create_table(
        "grid_equipment_change",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("change", TEXT, nullable=False),
        sa.Column("equipment", TEXT, nullable=False),
        sa.Column("changed_at", WHOLE, nullable=False),
        sa.Column("members", TEXT, nullable=False),
        sa.Column("changed_by", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["bucket", "community", "equipment"],
            ["grid_equipment.bucket", "grid_equipment.community", "grid_equipment.equipment"],
            name=op.f("fk_grid_equipment_change_grid_equipment_bucket_community_equipment"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "change", name=op.f("pk_grid_equipment_change")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_grid_equipment_change_equipment",
        "grid_equipment_change",
        ["bucket", "community", "equipment", "changed_at", "change"],
    )


def _create_limits() -> None:
    op.create_table(
        "hub_watch_limit",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("about", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("quantity", TEXT, nullable=False),
        sa.Column("point", TEXT, nullable=False),
        sa.Column("lowest", WHOLE),
        sa.Column("highest", WHOLE),
        sa.Column("nominal", WHOLE),
        sa.Column("below_percent", WHOLE),
        sa.Column("above_percent", WHOLE),
        sa.Column("set_by", TEXT, nullable=False),
        sa.Column("set_at", WHOLE, nullable=False),
        sa.CheckConstraint(
            "about IN ('community', 'equipment', 'device')", name=op.f("ck_hub_watch_limit_about_known")
        ),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_hub_watch_limit_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint(
            "bucket", "community", "about", "name", "quantity", "point", name=op.f("pk_hub_watch_limit")
        ),
        sqlite_strict=True,
    )


def _create_watch() -> None:
    op.create_table(
        "hub_watch",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("looked_ms", WHOLE, nullable=False),
        sa.Column("pending", TEXT, nullable=False),
        sa.Column("tells_demand", WHOLE, nullable=False),
        sa.CheckConstraint("tells_demand IN (0, 1)", name=op.f("ck_hub_watch_tells_or_not")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_hub_watch_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", name=op.f("pk_hub_watch")),
        sqlite_strict=True,
    )


def _create_findings() -> None:
    op.create_table(
        "hub_watch_finding",
        sa.Column("bucket", WHOLE, autoincrement=False, nullable=False),
        sa.Column("community", TEXT, nullable=False),
        sa.Column("finding", TEXT, nullable=False),
        sa.Column("about", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("point", TEXT, nullable=False),
        sa.Column("quantity", TEXT, nullable=False),
        sa.Column("lowest", WHOLE),
        sa.Column("highest", WHOLE),
        sa.Column("worst", WHOLE, nullable=False),
        sa.Column("off", WHOLE, nullable=False),
        sa.Column("worst_ms", WHOLE, nullable=False),
        sa.Column("since_ms", WHOLE, nullable=False),
        sa.Column("until_ms", WHOLE),
        sa.CheckConstraint("about IN ('equipment', 'device')", name=op.f("ck_hub_watch_finding_about_known")),
        sa.ForeignKeyConstraint(
            ["bucket", "community"],
            ["community.bucket", "community.community"],
            name=op.f("fk_hub_watch_finding_community_bucket_community"),
        ),
        sa.PrimaryKeyConstraint("bucket", "community", "finding", name=op.f("pk_hub_watch_finding")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_hub_watch_finding_since_ms", "hub_watch_finding", ["bucket", "community", "since_ms", "finding"]
    )
    op.create_index("ix_hub_watch_finding_until_ms", "hub_watch_finding", ["bucket", "community", "until_ms"])


def _begin_changes() -> None:
    """Let the history of equipment that stands already begin with how it stood when it was told last."""
    conn, pieces = op.get_bind(), sa.table("grid_equipment", *map(sa.column, EQUIPMENT))
    fed = sa.table("grid_equipment_site", *map(sa.column, ("community", "equipment", "site")))
    changes = sa.table("grid_equipment_change", *map(sa.column, CHANGE))
    for bucket, community, equipment, name, provider, changed_at in conn.execute(sa.select(pieces)).all():
        where = (fed.c.community == community) & (fed.c.equipment == equipment)
        sites = list(conn.execute(sa.select(fed.c.site).where(where).order_by(fed.c.site)).scalars())
        members = json.dumps({"name": name, "sites": sites}, sort_keys=True)
        row = (bucket, community, str(uuid.uuid7()), equipment, changed_at, members, provider)
        conn.execute(changes.insert().values(dict(zip(CHANGE, row, strict=True))))
