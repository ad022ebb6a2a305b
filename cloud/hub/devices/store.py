"""Keeps connected systems."""

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Index, Table, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata

from .device import Device

hub_device_table = Table(
    "hub_device",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("device", TEXT, primary_key=True),
    Column("kind", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("maker", TEXT),
    Column("model", TEXT),
    Column("latitude_e6", WHOLE),
    Column("longitude_e6", WHOLE),
    Column("site", TEXT),
    Column("source", TEXT),
    Column("format", TEXT),
    Column("currency", TEXT),
    Column("state", TEXT, nullable=False),
    Column("created_at", WHOLE, nullable=False),
    Column("changed_at", WHOLE, nullable=False),
    CheckConstraint("state IN ('awaited', 'active', 'revoked')", name="state_known"),
    CheckConstraint("(latitude_e6 IS NULL) = (longitude_e6 IS NULL)", name="place_whole"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    Index("ix_hub_device_kind", "bucket", "community", "kind"),
    Index("ix_hub_device_latitude_e6", "bucket", "community", "latitude_e6"),
    **STRICT,
)
NAMES = tuple(field.name for field in fields(Device))


def add_device(conn: Connection, device: Device, now: int) -> bool:
    """Keep a new device of a community; False if the community has one of this id."""
    values: dict[str, Any] = asdict(device)
    times = {"created_at": now, "changed_at": now}
    return insert_new(conn, hub_device_table, {"bucket": bucket_of(device.community)} | values | times)


def device_of(conn: Connection, community: str, device: str) -> Device | None:
    """Return a device of a community."""
    columns = [hub_device_table.c[name] for name in NAMES]
    rows = select(*columns).filter_by(bucket=bucket_of(community), community=community, device=device)
    row = conn.execute(rows).one_or_none()
    return None if row is None else Device(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
