"""Keeps who reads which maker's cloud right now, and how each round ended."""

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select, update

from cloud.hub.devices.store import add_device
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.hub.logins.store import Login, add_login
from cloud.hub.sources.naming import ids_for
from cloud.hub.sources.source import DEVICES_MAX, Next, Outcome, Source
from cloud.hub.sources.store import add_mapped, hub_source_table, key_of, mapped, source_at

from .taking import new_device


def due(conn: Connection, now: int, limit: int) -> list[tuple[str, str, bool]]:
    """Return which sources are due and read by nobody, and whether each is failing: those that are not come first."""
    c = hub_source_table.c
    rows = select(c.community, c.source, c.failures > 0).where(_free(now), c.state == "active", c.next_at <= now)
    return [
        (str(row[0]), str(row[1]), bool(row[2]))
        for row in conn.execute(rows.order_by(c.failures > 0, c.next_at).limit(limit))
    ]


def _free(now: int) -> ColumnElement[bool]:
    return hub_source_table.c.lease_until <= now


def lease(
    conn: Connection, community: str, source: str, now: int, seconds: int, *, whatever: bool = False
) -> Source | None:
    """Take a source to read it, for so long; None if another process has it, or it is no longer due.

    `whatever`: staff tries it, whether it is due, paused or refused.
    """
    c = hub_source_table.c
    free = _free(now) if whatever else and_(_free(now), c.state == "active", c.next_at <= now)
    row = update(hub_source_table).filter_by(**key_of(community, source)).where(free)
    row = row.values(lease_epoch=c.lease_epoch + 1, lease_until=now + seconds)
    found = conn.execute(row.returning(hub_source_table)).mappings().one_or_none()
    return None if found is None else source_at(found)


def keep(conn: Connection, source: Source, kept: bytes | None) -> bool:
    """Keep tokens that a maker's cloud gave; False if staff has set other secrets meanwhile, or the source is gone."""
    row = update(hub_source_table).filter_by(**key_of(source.community, source.source), secrets_rev=source.secrets_rev)
    return conn.execute(row.values(kept=kept).returning(hub_source_table.c.source)).first() is not None


def release(conn: Connection, source: Source) -> None:
    """Give a source back as it was: nothing is said of how it went."""
    row = update(hub_source_table).filter_by(**key_of(source.community, source.source), lease_epoch=source.lease_epoch)
    conn.execute(row.values(lease_until=0))


def done(conn: Connection, source: Source, outcome: Outcome, stands: Next, now_ms: int) -> bool:
    """Note how a round went; False if the source was given to another process, or staff changed it, meanwhile."""
    c, held = hub_source_table.c, {"lease_epoch": source.lease_epoch, "rev": source.rev}
    row = update(hub_source_table).filter_by(**key_of(source.community, source.source), **held)
    values: dict[str, Any] = {
        "progress": json.dumps(dict(outcome.progress)),
        "last_at": now_ms // 1000,
        "next_at": stands.next_at,
        "failing_since": stands.failing_since,
        "failures": stands.failures,
        "reason": outcome.reason,
        "problem": outcome.problem,
        "lease_until": 0,
    }
    row = row.values(**values, **({} if stands.state == "active" else {"state": stands.state}))
    if conn.execute(row.returning(c.source)).first() is None:
        release(conn, source)
        return False
    about: dict[str, str | int | None] = {"requests": outcome.requests, "messages": outcome.messages}
    events = [Event(source.community, now_ms, "request", source.source, None, outcome.requests, about)]
    if stands.told:
        why: dict[str, str | int | None] = {"reason": outcome.reason, "problem": outcome.problem}
        events.append(Event(source.community, now_ms, "pull-failed", source.source, None, 1, why))
    add_events(conn, events)
    return True


def make_devices(conn: Connection, source: Source, names: list[str], now_ms: int) -> dict[str, str]:
    """Make devices for names that are new to a source; return the ids by name, of those there is room for.

    An id is free only if no community of the hub has it.
    """
    known = mapped(conn, source.community, source.source)
    made: dict[str, str] = {}
    for name in [name for name in names if name not in known][: max(DEVICES_MAX - len(known), 0)]:
        for device in ids_for(source.community, source.source, name):
            if add_login(conn, Login(device, source.community), now_ms // 1000):
                add_device(conn, new_device(source, name, device), now_ms // 1000)
                made[name] = device
                break
    add_mapped(conn, source.community, source.source, made)
    told: dict[str, str | int | None] = {"source": source.source}
    add_events(
        conn,
        [Event(source.community, now_ms, "registered", source.source, device, 1, told) for device in made.values()],
    )
    return known | made
