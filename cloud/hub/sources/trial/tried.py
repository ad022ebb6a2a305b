"""What a dry run saw, as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloud.hub.devices.device import DeviceState as State
from cloud.hub.events.table import moment_text
from cloud.hub.messages.message import Arrived, Fault
from cloud.hub.messages.resolve import resolve
from cloud.hub.pull.driver import Pulled
from cloud.hub.quantity import MEASURES, Quantity
from cloud.hub.readings.merge import Row
from cloud.hub.sources.naming import ids_for
from cloud.hub.sources.rounds.taking import new_names
from cloud.hub.sources.source import Source

SHOWN_MAX = 20  # readings and faults of one answer
BEGINS_BYTES = 300


@dataclass(frozen=True, slots=True)
class TriedMessage:
    """One answer: its size and first words, its format, and the readings and faults it would become."""

    bytes: int
    begins: str
    format: str | None
    offset_ms: int | None
    readings: int
    faults: int
    first_readings: tuple[Mapping[str, str | int], ...]
    first_faults: tuple[Fault, ...]
    new_devices: tuple[str, ...]


def would_be_made(source: Source, item: Arrived) -> dict[str, str]:
    """Return the devices that would be made for names that are new."""
    if source.new_kind is None:
        return {}
    names = new_names(item.parsed, item.sender.devices)
    return {name: next(ids_for(source.community, source.source, name)) for name in names}


def judged(
    item: Arrived, pulled: Pulled, made: Mapping[str, str], states: Mapping[tuple[str, str], State]
) -> TriedMessage:
    """Return what an answer would become."""
    found = resolve(item, states, "")
    sent_ms = pulled.sent_ms if pulled.sent_ms is not None or item.parsed is None else item.parsed.sent_ms
    return TriedMessage(
        bytes=len(pulled.raw),
        begins=pulled.raw[:BEGINS_BYTES].decode(errors="replace"),
        format=None if item.parsed is None else item.parsed.format,
        offset_ms=None if sent_ms is None else sent_ms - pulled.received_ms,
        readings=len(found.rows),
        faults=len(found.faults),
        first_readings=tuple(_plain(row) for row in found.rows[:SHOWN_MAX]),
        first_faults=tuple(found.faults[:SHOWN_MAX]),
        new_devices=tuple(sorted(made.values())),
    )


def _plain(row: Row) -> dict[str, str | int]:
    (_, _, measured_ms, device, point, quantity), (seconds, value, timed), _ = row
    named = {"device": device, "point": point, "quantity": quantity, "unit": MEASURES[Quantity(quantity)].unit}
    at: dict[str, str | int] = {"measured_at": moment_text(measured_ms), "measured_ms": measured_ms}
    return {**named, **at, "seconds": seconds, "value": value, "timed": timed}
