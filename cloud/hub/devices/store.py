"""Keeps connected systems."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Index, Row, Table, select, update

from cloud.bulk import GIVEN, as_given, given, insert_many
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata
from cloud.hub.messages.message import Sender

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
    Index("ix_hub_device_source", "bucket", "community", "source"),
    Index("ix_hub_device_latitude_e6", "bucket", "community", "latitude_e6"),
    **STRICT,
)
NAMES = tuple(field.name for field in fields(Device))
DEVICES_THROUGH_MAX = 10_000  # one gateway or maker's cloud may speak for so many devices: a page of a maker's largest


def add_device(conn: Connection, device: Device, now: int) -> bool:
    """Keep a new device of a community; False if the community has one of this id."""
    values: dict[str, Any] = asdict(device)
    times = {"created_at": now, "changed_at": now}
    return insert_new(conn, hub_device_table, {"bucket": bucket_of(device.community)} | values | times)


def add_devices(conn: Connection, devices: list[Device], now: int) -> None:
    """Keep new devices of one community, none of which it has."""
    names = ("bucket", *NAMES, "created_at", "changed_at")
    rows = [(bucket_of(device.community), *(getattr(device, name) for name in NAMES), now, now) for device in devices]
    insert_many(conn, hub_device_table, names, rows)


def change_device(conn: Connection, community: str, device: str, values: Mapping[str, Any], now: int) -> None:
    """Give a device other values under some of its names."""
    key: dict[str, Any] = {"bucket": bucket_of(community), "community": community, "device": device}
    conn.execute(update(hub_device_table).filter_by(**key).values(dict(values) | {"changed_at": now}))


def remove_device(conn: Connection, community: str, device: str) -> None:
    """Let a device go that nothing was ever heard of."""
    key = {"bucket": bucket_of(community), "community": community, "device": device}
    conn.execute(hub_device_table.delete().filter_by(**key))


def device_of(conn: Connection, community: str, device: str, *, locked: bool = False) -> Device | None:
    """Return a device of a community; `locked` keeps others from changing it until the transaction ends."""
    columns = [hub_device_table.c[name] for name in NAMES]
    rows = select(*columns).filter_by(bucket=bucket_of(community), community=community, device=device)
    row = conn.execute(rows.with_for_update() if locked else rows).one_or_none()
    return None if row is None else _device(row)


def devices_named(conn: Connection, community: str, devices: Sequence[str]) -> dict[str, Device]:
    """Return those of these devices that a community has, by id."""
    asked, c = given(conn.dialect.name, {"device": TEXT}), hub_device_table.c
    rows = select(*(c[name] for name in NAMES)).select_from(asked.join(hub_device_table, c.device == asked.c.device))
    rows = rows.where(c.bucket == bucket_of(community), c.community == community)
    found = conn.execute(rows, {GIVEN: as_given([(device,) for device in devices])})
    return {row.device: _device(row) for row in found}


def devices_page(conn: Connection, community: str, where: Mapping[str, str], after: str, limit: int) -> list[Device]:
    """Return a page of a community's devices by id, of those whose members have these values."""
    columns = [hub_device_table.c[name] for name in NAMES]
    rows = select(*columns).filter_by(bucket=bucket_of(community), community=community, **where)
    rows = rows.where(hub_device_table.c.device > after).order_by(hub_device_table.c.device).limit(limit)
    return [_device(row) for row in conn.execute(rows)]


def devices_through(conn: Connection, community: str, source: str) -> dict[str, str]:
    """Return the devices that are read through a maker's cloud or gateway: what it may call them, to their ids.

    One whose login was revoked is not among them: nobody speaks for it any more.
    """
    c = hub_device_table.c
    rows = select(c.device).filter_by(bucket=bucket_of(community), community=community, source=source)
    rows = rows.where(c.state != "revoked").order_by(c.device).limit(DEVICES_THROUGH_MAX)
    return {device: device for device in conn.execute(rows).scalars()}


def sender_of_device(conn: Connection, community: str, device: str) -> Sender:
    """Return a device as a sender: it speaks for itself, and as a gateway for the devices read through it."""
    found = device_of(conn, community, device)
    names = {**devices_through(conn, community, device), device: device}
    return Sender(community, device, names, device, found.format if found else None)


def _device(row: Row[Any]) -> Device:
    return Device(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
