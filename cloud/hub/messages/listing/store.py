"""Looks at kept messages, and takes one again with today's formats."""

from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, Select, select

from cloud.database import bucket_of
from cloud.hub.devices.store import sender_of_device
from cloud.hub.events.store import add_events
from cloud.hub.messages.message import Arrived, Sender, Taken, Way
from cloud.hub.messages.outcome import events_of
from cloud.hub.messages.store import hub_message_table, put_all, states_of
from cloud.hub.sources.store import spoken_for


@dataclass(frozen=True, slots=True)
class Kept:
    """A message as it is kept; `fault` are its first faults as JSON."""

    message: str
    who: str
    device: str | None
    way: Way
    received_ms: int
    sent_ms: int | None
    hint: str | None
    format: str | None
    version: int | None
    hash: str
    bytes: int
    stored: int
    existed: int
    revised: int
    faults: int
    fault: str | None


NAMES = tuple(field.name for field in fields(Kept))


def messages_of(
    conn: Connection, community: str, *, who: str | None, faults: bool, after: str, limit: int
) -> list[Kept]:
    """Return a page of a community's messages in the order of their receipt."""
    rows = _kept().filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(hub_message_table.c.message > after)
    if who is not None:
        rows = rows.filter_by(who=who)
    if faults:
        rows = rows.where(hub_message_table.c.faults > 0)
    return [Kept(*row) for row in conn.execute(rows.order_by(hub_message_table.c.message).limit(limit))]


def message_of(conn: Connection, community: str, message: str) -> tuple[Kept, bytes | None] | None:
    """Return a message and, unless the policy has let them go, its bytes."""
    rows = _kept().add_columns(hub_message_table.c.raw)
    row = conn.execute(rows.filter_by(bucket=bucket_of(community), community=community, message=message)).one_or_none()
    return None if row is None else (Kept(*row[:-1]), row[-1])


def take_again(conn: Connection, item: Arrived, kept: Kept, now_ms: int) -> Taken:
    """Keep what a kept message says by today's formats, in the place of its first receipt; its counts are written anew.

    A newer word than it stands. What it said before and does not say any more stays too: nothing is taken back.
    """
    [taken] = put_all(conn, [(item, kept.hash, kept.message)], states_of(conn, [item]))
    add_events(conn, list(events_of(item, taken, again_ms=now_ms)))
    return taken


def sender_again(conn: Connection, community: str, kept: Kept) -> Sender:
    """Return who sent a kept message, with the devices it may speak for today."""
    if kept.way == "pull":
        return Sender(community, kept.who, spoken_for(conn, community, kept.who), kept.device)
    if kept.device is None:
        return Sender(community, kept.who, {})
    return replace(sender_of_device(conn, community, kept.device), who=kept.who)


def _kept() -> Select[Any]:
    return select(*(hub_message_table.c[name] for name in NAMES))
