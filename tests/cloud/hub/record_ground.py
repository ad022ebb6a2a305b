"""A community with devices, and messages made by hand: what the record is tested with, without the way there."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from cloud.hub.devices.device import Device
from cloud.hub.devices.store import add_device
from cloud.hub.messages.message import Arrived, Fault, Parsed, Sender, Way
from cloud.hub.quantity import Quantity
from cloud.hub.reading import Reading, Timed
from cloud.hub.readings.store import hub_reading_table, hub_replaced_reading_table
from tests.cloud.ground import NOON, found

NOON_MS = NOON * 1000
LANE = "lane"


def found_with_devices(conn: Connection, *devices: str, community: str = LANE) -> None:
    """Found a community with these devices, all of them registered."""
    found(conn, community, tariff_from=None)
    for device in devices:
        add_device(conn, Device(community, device, "meter", device.title(), state="active"), NOON)


def reading(
    value: int = 230_000,
    *,
    at_ms: int = NOON_MS,
    device: str = "",
    point: str = "",
    quantity: Quantity = Quantity.VOLTAGE,
    seconds: int = 0,
    timed: Timed = "given",
) -> Reading:
    """Return a reading: a voltage at noon, unless told otherwise."""
    return Reading(device, point, quantity, at_ms, seconds, value, timed)


def message(
    readings: Sequence[Reading] = (),
    *,
    who: str = "meter-1",
    devices: Sequence[str] = (),
    raw: bytes | None = None,
    received_ms: int = NOON_MS,
    faults: tuple[Fault, ...] = (),
    parsed: Parsed | None = None,
    way: Way = "push",
    community: str = LANE,
    **more: Any,
) -> Arrived:
    """Return a message of a device that speaks for itself and for these others; its bytes are what it says."""
    sender = Sender(community, who, {name: name for name in (who, *devices)}, who)
    if parsed is None and not faults:
        parsed = Parsed("unified", 1, tuple(readings))
    return Arrived(sender, way, received_ms, repr(readings).encode() if raw is None else raw, parsed, faults, **more)


type Record = dict[tuple[str, str, str, int], tuple[int, int]]


def record_of(conn: Connection) -> Record:
    """Return what stands: by device, point, quantity and time, the value and how often it was corrected."""
    r = hub_reading_table.c
    rows = conn.execute(select(r.device, r.point, r.quantity, r.measured_ms, r.value, r.revision))
    return {(device, point, quantity, at): (value, revision) for device, point, quantity, at, value, revision in rows}


def replaced_of(conn: Connection) -> list[tuple[int, int]]:
    """Return what stood before, as revision and value, in order."""
    r = hub_replaced_reading_table.c
    return [(revision, value) for revision, value in conn.execute(select(r.revision, r.value).order_by(r.revision))]
