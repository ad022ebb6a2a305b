"""Keeps how far systems' clocks are off, and from which offset on a community wants to know."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Select, Table, and_, select

from cloud.bulk import GIVEN, as_given, given
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert, metadata, upsert
from cloud.hub.events.event import Event, Kind
from cloud.hub.events.store import add_events

from .clock import Clock, ClockState, Limits, System, state_of

hub_clock_table = Table(
    "hub_clock",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("kind", TEXT, primary_key=True),
    Column("system", TEXT, primary_key=True),
    Column("offset_ms", WHOLE, nullable=False),
    Column("at_ms", WHOLE, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("since_ms", WHOLE, nullable=False),
    CheckConstraint("kind IN ('device', 'source', 'site')", name="kind_known"),
    CheckConstraint("state IN ('right', 'off', 'far')", name="state_known"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

hub_clock_limit_table = Table(
    "hub_clock_limit",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("limit_ms", WHOLE, nullable=False),
    Column("far_ms", WHOLE, nullable=False),
    CheckConstraint("limit_ms > 0 AND far_ms >= limit_ms", name="far_is_further"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)
KEY = ("bucket", "community", "kind", "system")


def put_clocks(conn: Connection, heard: Sequence[Clock], limits: Limits, *, judging: bool) -> list[Clock]:
    """Keep what was heard of clocks of one community, and an event of every change; return what stands now.

    The state is judged from the one that stands, which another process may have written. While our own clock cannot
    judge, not `judging`, states stay.
    """
    before = _standing(conn, [clock.system for clock in heard])
    stands = [_judged(clock, before.get(clock.system), limits, judging=judging) for clock in heard]
    rows = insert(conn, hub_clock_table)
    rows = rows.on_conflict_do_update(
        index_elements=[*KEY],
        set_={name: rows.excluded[name] for name in ("offset_ms", "at_ms", "state", "since_ms")},
    )
    conn.execute(
        rows, [_row(clock) for clock in sorted(stands, key=lambda clock: (clock.system.kind, clock.system.system))]
    )
    add_events(conn, [event for clock in stands for event in _changed(clock, before.get(clock.system))])
    return stands


def _judged(clock: Clock, before: Clock | None, limits: Limits, *, judging: bool) -> Clock:
    stood: ClockState | None = None if before is None else before.state
    state = state_of(clock.offset_ms, limits, stood) if judging else stood or "right"
    since_ms = clock.at_ms if before is None or state != before.state else before.since_ms
    return Clock(clock.system, clock.offset_ms, clock.at_ms, state, since_ms)


def _row(clock: Clock) -> dict[str, Any]:
    system = clock.system
    named = {"bucket": bucket_of(system.community), "community": system.community, "kind": system.kind}
    return named | {
        "system": system.system,
        "offset_ms": clock.offset_ms,
        "at_ms": clock.at_ms,
        "state": clock.state,
        "since_ms": clock.since_ms,
    }


def _changed(clock: Clock, before: Clock | None) -> list[Event]:
    stood = "right" if before is None else before.state
    if clock.state == stood:
        return []
    system = clock.system
    detail: dict[str, str | int | None] = {"offset_ms": clock.offset_ms, "state": clock.state, "kind": system.kind}
    device = system.system if system.kind == "device" else None
    kind: Kind = "clock-right" if clock.state == "right" else "clock-off"
    return [Event(system.community, clock.at_ms, kind, system.system, device, 1, detail)]


def _standing(conn: Connection, systems: Sequence[System]) -> dict[System, Clock]:
    rows = [(bucket_of(system.community), system.community, system.kind, system.system) for system in systems]
    found = conn.execute(_lookup(conn.dialect.name), {GIVEN: as_given(rows)}).all()
    return {systems[n]: Clock(systems[n], *members) for n, *members in found}


@lru_cache
def _lookup(dialect: str) -> Select[Any]:
    c, g = hub_clock_table.c, given(dialect, {"bucket": WHOLE, "community": TEXT, "kind": TEXT, "system": TEXT})
    same = and_(*(c[name] == g.c[name] for name in KEY))
    rows = select(g.c.n, c.offset_ms, c.at_ms, c.state, c.since_ms).select_from(g.join(hub_clock_table, same))
    if dialect == "sqlite":  # which has one writer anyway
        return rows
    return rows.order_by(c.kind, c.system).with_for_update(of=hub_clock_table)


def clocks_of(
    conn: Connection, community: str, *, state: ClockState | None, after: tuple[str, str], limit: int
) -> list[Clock]:
    """Return a page of the clocks of a community."""
    c = hub_clock_table.c
    rows = select(c.kind, c.system, c.offset_ms, c.at_ms, c.state, c.since_ms)
    rows = rows.filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where((c.kind > after[0]) | ((c.kind == after[0]) & (c.system > after[1])))
    if state is not None:
        rows = rows.filter_by(state=state)
    found = conn.execute(rows.order_by(c.kind, c.system).limit(limit))
    return [Clock(System(community, kind, system), *members) for kind, system, *members in found]


def put_limits(conn: Connection, community: str, limits: Limits) -> None:
    """Keep from which offset on a community wants to know."""
    key = {"bucket": bucket_of(community), "community": community}
    upsert(conn, hub_clock_limit_table, [*key], key | {"limit_ms": limits.limit_ms, "far_ms": limits.far_ms})


def limits_of(conn: Connection, community: str) -> Limits:
    """Return from which offset on a community wants to know."""
    c = hub_clock_limit_table.c
    rows = select(c.limit_ms, c.far_ms).filter_by(bucket=bucket_of(community), community=community)
    row = conn.execute(rows).one_or_none()
    return Limits() if row is None else Limits(*row)


def all_limits(conn: Connection) -> dict[str, Limits]:
    """Return the limits of every community that has set its own."""
    c = hub_clock_limit_table.c
    found = conn.execute(select(c.community, c.limit_ms, c.far_ms))
    return {community: Limits(limit_ms, far_ms) for community, limit_ms, far_ms in found}
