"""Keeps makers' clouds: what staff says of them, how far each was read, and who reads it right now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import json
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    RowMapping,
    Table,
    func,
    select,
    update,
)

from cloud.bulk import insert_many
from cloud.database import RAW, STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata
from cloud.hub.devices.device import DeviceKind as Kind, DeviceState
from cloud.hub.devices.store import devices_through, hub_device_table
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.sites.store import community_of

from .source import SOURCES_MAX, Source, SourceState, servers_of

hub_source_table = Table(
    "hub_source",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("source", TEXT, primary_key=True),
    Column("driver", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("description", TEXT, nullable=False),
    Column("every_seconds", WHOLE, nullable=False),
    Column("new_kind", TEXT),
    Column("state", TEXT, nullable=False),
    Column("secrets", RAW),  # sealed
    Column("kept", RAW),  # sealed: tokens the maker's cloud gave
    Column("secrets_rev", WHOLE, nullable=False),
    Column("rev", WHOLE, nullable=False),  # of what staff says of it
    Column("progress", TEXT, nullable=False),
    Column("last_at", WHOLE),
    Column("next_at", WHOLE, nullable=False),
    Column("failing_since", WHOLE),
    Column("failures", WHOLE, nullable=False),
    Column("reason", TEXT),
    Column("problem", TEXT),
    Column("lease_epoch", WHOLE, nullable=False),  # who took the lease last holds its number
    Column("lease_until", WHOLE, nullable=False),
    Column("changed_at", WHOLE, nullable=False),
    CheckConstraint("state IN ('active', 'paused', 'refused')", name="state_known"),
    CheckConstraint("(reason IS NULL) = (failing_since IS NULL)", name="failing_why"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

hub_source_device_table = Table(
    "hub_source_device",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("source", TEXT, primary_key=True),
    Column("name", TEXT, primary_key=True),  # as the maker calls it
    Column("device", TEXT, nullable=False),  # one that is let go later is a fault of its rows
    ForeignKeyConstraint(
        ["bucket", "community", "source"],
        ["hub_source.bucket", "hub_source.community", "hub_source.source"],
    ),
    **STRICT,
)
VALUES = (
    *(
        "driver",
        "name",
        "every_seconds",
        "new_kind",
        "state",
        "secrets",
        "kept",
        "secrets_rev",
        "rev",
        "last_at",
        "next_at",
    ),
    *("failing_since", "failures", "reason", "problem", "lease_epoch", "lease_until"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What staff says of a maker's cloud. `secrets` (sealed) None leaves what is set; `restart`: read from anew."""

    community: str
    source: str
    driver: str
    name: str
    description: Mapping[str, Any]
    every_seconds: int
    new_kind: Kind | None
    devices: Mapping[str, str]
    secrets: bytes | None = field(default=None, repr=False)
    restart: bool = False


@dataclass(frozen=True, slots=True)
class NoDevices:
    """Devices that were named and that the community does not have."""

    devices: tuple[str, ...]


def key_of(community: str, source: str) -> dict[str, Any]:
    """Return the key of a source's row."""
    return {"bucket": bucket_of(community), "community": community, "source": source}


def put_source(
    conn: Connection, wanted: Wanted, *, by: str, now_ms: int
) -> Literal["created", "changed", "no-community", "too-many", "secrets-elsewhere"] | NoDevices:
    """Keep what staff says of a maker's cloud, and read it at once unless it is paused.

    `secrets-elsewhere`: secrets that are to stay would be shown to another server than they were set for.
    """
    key, owned = key_of(wanted.community, wanted.source), key_of(wanted.community, wanted.source)
    owned.pop("source")
    if community_of(conn, wanted.community) is None:
        return "no-community"
    if missing := _missing(conn, wanted.community, set(wanted.devices.values())):
        return NoDevices(missing)
    stood = conn.execute(select(hub_source_table).filter_by(**key).with_for_update()).mappings().one_or_none()
    if stood is None:
        count = conn.execute(select(func.count()).select_from(hub_source_table).filter_by(**owned)).scalar_one()
        if count >= SOURCES_MAX:
            return "too-many"
        created = insert_new(conn, hub_source_table, key | _said(wanted, now_ms) | NEW)
    elif _elsewhere(wanted, stood):
        return "secrets-elsewhere"
    else:
        created = False
        conn.execute(update(hub_source_table).filter_by(**key).values(**_changes(wanted, stood, now_ms)))
    conn.execute(hub_source_device_table.delete().filter_by(**key))
    add_mapped(conn, wanted.community, wanted.source, wanted.devices)
    what = "created" if created else "changed"
    add_events(conn, [_changed(wanted.community, wanted.source, by, what, now_ms)])
    return "created" if created else "changed"


NEW: dict[str, Any] = {
    "state": "active",
    "rev": 1,
    "secrets_rev": 1,
    "progress": "{}",
    "failures": 0,
    "lease_epoch": 0,
    "lease_until": 0,
}


def _said(wanted: Wanted, now_ms: int) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(wanted, name) for name in ("driver", "name", "every_seconds", "new_kind")}
    at = now_ms // 1000
    said = {"description": json.dumps(dict(wanted.description)), "next_at": at, "changed_at": at}
    return values | said | ({} if wanted.secrets is None else {"secrets": wanted.secrets})


def _elsewhere(wanted: Wanted, stood: RowMapping) -> bool:
    if wanted.secrets is not None or stood["secrets"] is None:
        return False
    before = servers_of(json.loads(stood["description"]))
    return wanted.driver != stood["driver"] or not servers_of(wanted.description) <= before


def _changes(wanted: Wanted, stood: RowMapping, now_ms: int) -> dict[str, Any]:
    """Return what changes of a source: a round that runs meanwhile keeps nothing but its tokens."""
    values = _said(wanted, now_ms) | {"rev": stood["rev"] + 1}
    if wanted.secrets is not None:
        values |= {"kept": None, "secrets_rev": stood["secrets_rev"] + 1}
    if wanted.restart or wanted.driver != stood["driver"]:
        values |= {"progress": "{}"}
    if stood["state"] == "refused":  # somebody has looked
        values |= {"state": "active"}
    return values


def _missing(conn: Connection, community: str, devices: set[str]) -> tuple[str, ...]:
    c, owned = hub_device_table.c, {"bucket": bucket_of(community), "community": community}
    rows = select(c.device).filter_by(**owned).where(c.device.in_(sorted(devices)))
    return tuple(sorted(devices - set(conn.execute(rows).scalars()))) if devices else ()


def add_mapped(conn: Connection, community: str, source: str, devices: Mapping[str, str]) -> None:
    """Keep which devices a maker means by names that are new to a source."""
    members = ("bucket", "community", "source", "name", "device")
    rows = [(bucket_of(community), community, source, name, device) for name, device in devices.items()]
    insert_many(conn, hub_source_device_table, members, rows)


def _changed(community: str, source: str, by: str, what: str, now_ms: int) -> Event:
    return Event(community, now_ms, "source-changed", by, detail={"source": source, "what": what})


def source_of(conn: Connection, community: str, source: str) -> Source | None:
    """Return a maker's cloud of a community."""
    row = conn.execute(select(hub_source_table).filter_by(**key_of(community, source))).mappings().one_or_none()
    return None if row is None else source_at(row)


def source_at(row: RowMapping) -> Source:
    """Return the source that a row keeps."""
    values = {name: row[name] for name in VALUES}
    return Source(
        community=row["community"],
        source=row["source"],
        description=json.loads(row["description"]),
        progress=json.loads(row["progress"]),
        **values,
    )


def sources_page(conn: Connection, community: str, after: str, limit: int) -> list[Source]:
    """Return a page of a community's makers' clouds."""
    rows = select(hub_source_table).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(hub_source_table.c.source > after).order_by(hub_source_table.c.source).limit(limit)
    return [source_at(row) for row in conn.execute(rows).mappings()]


def mapped(conn: Connection, community: str, source: str) -> dict[str, str]:
    """Return which devices a maker means by which names, as staff or the first pull said."""
    c = hub_source_device_table.c
    rows = select(c.name, c.device).filter_by(**key_of(community, source)).order_by(c.name)
    return {row.name: row.device for row in conn.execute(rows)}


def spoken_for(conn: Connection, community: str, source: str) -> dict[str, str]:
    """Return every name a source may speak of, with its device: those mapped, and those said to be read through it."""
    return devices_through(conn, community, source) | mapped(conn, community, source)


def states_of(conn: Connection, community: str, devices: set[str]) -> dict[tuple[str, str], DeviceState]:
    """Return the states of devices, by community and id."""
    c, owned = hub_device_table.c, {"bucket": bucket_of(community), "community": community}
    rows = select(c.device, c.state).filter_by(**owned).where(c.device.in_(sorted(devices)))
    return {(community, row.device): row.state for row in conn.execute(rows)} if devices else {}


def remove_source(conn: Connection, community: str, source: str, *, by: str, now_ms: int) -> bool:
    """Let a maker's cloud go with its secrets; its devices, what it sent and its readings stay."""
    if source_of(conn, community, source) is None:
        return False
    conn.execute(hub_source_device_table.delete().filter_by(**key_of(community, source)))
    conn.execute(hub_source_table.delete().filter_by(**key_of(community, source)))
    add_events(conn, [_changed(community, source, by, "removed", now_ms)])
    return True


def set_state(
    conn: Connection, community: str, source: str, state: SourceState, *, by: str, now_ms: int
) -> Source | None:
    """Stop reading a maker's cloud, or go on, and at once; None if there is none of this id."""
    values: dict[str, Any] = {"state": state, "changed_at": now_ms // 1000}
    if state == "active":
        values |= {"next_at": now_ms // 1000, "failing_since": None, "failures": 0, "reason": None, "problem": None}
    conn.execute(update(hub_source_table).filter_by(**key_of(community, source)).values(**values))
    found = source_of(conn, community, source)
    if found is not None:
        add_events(conn, [_changed(community, source, by, "resumed" if state == "active" else "paused", now_ms)])
    return found
