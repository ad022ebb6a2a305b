"""Reads context data out of the hub's readings: a series for those who reckon with it, and what there is for people."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from cloud.database import bucket_of
from cloud.hub.devices.device import Device
from cloud.hub.devices.store import NAMES, hub_device_table
from cloud.hub.messages.store import hub_message_table
from cloud.hub.quantity import Quantity
from cloud.hub.reach.reach import Reach, reaches, reaches_quantity
from cloud.hub.reach.store import reach_of
from cloud.hub.reading import INTERVAL_SECONDS_MAX
from cloud.hub.readings.store import hub_reading_table, hub_replaced_reading_table

from .value import ContextValue, Contradiction, Held

SERIES_MAX = 100_000  # values in one read: a year of five minutes
GAPS_MAX = 50  # told of one device: beyond, somebody has to look at the data themselves
CONTRADICTIONS_MAX = 50
POINTS_MAX = 500  # points and quantities told of one device


def series(
    conn: Connection, community: str, device: str, point: str, quantity: Quantity, *, start_ms: int, end_ms: int
) -> list[ContextValue]:
    """Return what a device says of a quantity in [start_ms, end_ms), in order of time: the first SERIES_MAX values.

    The value that holds at `start_ms` belongs to it, though it began before; instants do not last.
    """
    r = hub_reading_table.c
    rows = _of(community, device).filter_by(point=point, quantity=quantity)
    rows = rows.where(r.measured_ms > start_ms - INTERVAL_SECONDS_MAX * 1000, r.measured_ms < end_ms)
    rows = rows.where(r.measured_ms + r.seconds * 1000 >= start_ms).order_by(r.measured_ms).limit(SERIES_MAX)
    found = [ContextValue(*row) for row in conn.execute(rows)]
    return [value for value in found if value.start_ms >= start_ms or value.end_ms > start_ms]


def known_until(conn: Connection, community: str, device: str, point: str, quantity: Quantity) -> int | None:
    """Return until when a device's newest value holds, in milliseconds; None while it has none."""
    found = newest(conn, community, device, point, quantity)
    return None if found is None else found.end_ms


def newest(conn: Connection, community: str, device: str, point: str, quantity: Quantity) -> ContextValue | None:
    """Return the value of a device that begins last: of a forecast or a day-ahead market it lies ahead."""
    rows = _of(community, device).filter_by(point=point, quantity=quantity)
    row = conn.execute(rows.order_by(hub_reading_table.c.measured_ms.desc()).limit(1)).one_or_none()
    return None if row is None else ContextValue(*row)


def newest_message(conn: Connection, community: str) -> str:
    """Return the id of what a community's hub received last, "" if that is nothing: it changes when something comes."""
    message = hub_message_table.c.message
    rows = select(message).filter_by(bucket=bucket_of(community), community=community)
    return conn.execute(rows.order_by(message.desc()).limit(1)).scalar_one_or_none() or ""


def _of(community: str, device: str) -> Select[Any]:
    r = hub_reading_table.c
    rows = select(r.measured_ms, r.seconds, r.value)
    return rows.filter_by(bucket=bucket_of(community), community=community, device=device)


def context_devices(conn: Connection, community: str, after: str, limit: int) -> list[Device]:
    """Return the devices of a community that bring context data, by their ids."""
    columns = [hub_device_table.c[name] for name in NAMES]
    rows = select(*columns).filter_by(bucket=bucket_of(community), community=community, kind="context")
    rows = rows.where(hub_device_table.c.device > after).order_by(hub_device_table.c.device).limit(limit)
    return [Device(**row._mapping) for row in conn.execute(rows)]  # noqa: SLF001 - SQLAlchemy's public name for it


def held(conn: Connection, community: str, device: str, start_ms: int, end_ms: int) -> list[Held]:
    """Return what a device holds in [start_ms, end_ms), by point and quantity, with the first holes."""
    r = hub_reading_table.c
    ends = func.max(r.measured_ms + r.seconds * 1000)
    rows = select(r.point, r.quantity, func.count(), func.min(r.measured_ms), ends)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, device=device)
    rows = rows.where(r.measured_ms >= start_ms, r.measured_ms < end_ms)
    rows = rows.group_by(r.point, r.quantity).order_by(r.point, r.quantity).limit(POINTS_MAX)
    holes: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    steps = _steps(community, device, start_ms, end_ms).subquery()
    apart = select(steps.c.point, steps.c.quantity, steps.c.ended, steps.c.measured_ms)
    apart = apart.where(steps.c.seconds > 0, steps.c.measured_ms > steps.c.ended)
    for row in conn.execute(apart.order_by(steps.c.measured_ms).limit(GAPS_MAX)):
        holes[row.point, row.quantity].append((row.ended, row.measured_ms))
    return [
        Held(point, quantity, count, first, until, tuple(holes[point, quantity]))
        for point, quantity, count, first, until in conn.execute(rows)
    ]


def _steps(community: str, device: str, start_ms: int, end_ms: int) -> Select[Any]:
    """Select each value with where the one before it ended, and what that one was."""
    r = hub_reading_table.c
    order: dict[str, Any] = {"partition_by": (r.point, r.quantity), "order_by": r.measured_ms}
    before = func.lag(r.measured_ms + r.seconds * 1000).over(**order).label("ended")
    said = func.lag(r.value).over(**order).label("said")
    rows = select(r.point, r.quantity, r.measured_ms, r.seconds, r.value, before, said)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, device=device)
    return rows.where(r.measured_ms >= start_ms, r.measured_ms < end_ms)


def contradictions(
    conn: Connection, community: str, device: str, start_ms: int, end_ms: int
) -> Sequence[Contradiction]:
    """Return the first times in [start_ms, end_ms) of which a device has said two things."""
    steps = _steps(community, device, start_ms, end_ms).subquery()
    c = steps.c
    rows = select(c.point, c.quantity, c.measured_ms, c.said, c.value).where(c.measured_ms < c.ended, c.said != c.value)
    found = conn.execute(rows.order_by(c.measured_ms).limit(CONTRADICTIONS_MAX))
    both = [Contradiction(point, quantity, start, one, other, None) for point, quantity, start, one, other in found]
    old, now = hub_replaced_reading_table.c, hub_reading_table.c
    names = ("bucket", "community", "measured_ms", "device", "point", "quantity")
    same = [old[name] == now[name] for name in names]
    earlier = select(old.point, old.quantity, old.measured_ms, old.value, now.value, old.replaced_ms)
    earlier = earlier.join_from(hub_replaced_reading_table, hub_reading_table, and_(*same))
    earlier = earlier.where(old.bucket == bucket_of(community), old.community == community, old.device == device)
    earlier = earlier.where(old.measured_ms >= start_ms, old.measured_ms < end_ms)
    earlier = earlier.order_by(old.measured_ms, old.point, old.quantity, old.revision).limit(CONTRADICTIONS_MAX)
    return both + [Contradiction(*row) for row in conn.execute(earlier)]


@dataclass(frozen=True, slots=True)
class Found:
    """A context device with what it holds, and what is wrong with that."""

    device: Device
    held: Sequence[Held]
    contradictions: Sequence[Contradiction]


@dataclass(frozen=True, slots=True)
class Page:
    """Context devices with what they hold; `following` is the last one looked at, where there may be more."""

    found: Sequence[Found]
    following: str | None


def found_between(
    conn: Connection, community: str, start_ms: int, end_ms: int, *, after: str, limit: int, client: str | None = None
) -> Page:
    """Return a page of context devices with what each holds in [start_ms, end_ms).

    `client` is the upper system that asks: what is out of its reach is not there.
    """
    reach = Reach() if client is None else reach_of(conn, community, client)
    devices = context_devices(conn, community, after, limit)
    found = [
        Found(
            device,
            [item for item in held(conn, community, device.device, start_ms, end_ms) if _seen(reach, item)],
            [item for item in contradictions(conn, community, device.device, start_ms, end_ms) if _seen(reach, item)],
        )
        for device in devices
        if reaches(reach, kind=device.kind, site=device.site, place=_place(device))
    ]
    return Page(found, devices[-1].device if len(devices) == limit else None)


def _seen(reach: Reach, item: Held | Contradiction) -> bool:
    return reaches_quantity(reach, item.quantity)


def _place(device: Device) -> tuple[int, int] | None:
    if device.latitude_e6 is None or device.longitude_e6 is None:
        return None
    return device.latitude_e6, device.longitude_e6
