"""From what a maker's cloud answered to a message of the hub: whom it speaks of, and which names are new. Pure."""

from collections.abc import Iterable, Mapping

from cloud.hub.devices.device import Device
from cloud.hub.messages.message import Fault, Parsed, Sender, Taken
from cloud.hub.pull.driver import Pulled
from cloud.hub.sources.source import Source

NAME_LETTERS_MAX = 200
PROBLEM_LETTERS_MAX = 300


def sender_of(source: Source, devices: Mapping[str, str], pulled: Pulled) -> Sender:
    """Return a maker's cloud as a sender; what names no device is of the one asked about, or of the only one."""
    if pulled.device is not None:
        default = devices.get(pulled.device)
    else:
        default = next(iter(devices.values())) if len(devices) == 1 else None
    return Sender(source.community, source.source, devices, default)


def new_names(parsed: Parsed | None, devices: Mapping[str, str]) -> list[str]:
    """Return the names in a message that no device is known by, in the order in which they come."""
    if parsed is None:
        return []
    named = dict.fromkeys(reading.device for reading in parsed.readings)
    return [name for name in named if 0 < len(name) <= NAME_LETTERS_MAX and name.isprintable() and name not in devices]


def new_device(source: Source, name: str, device: str) -> Device:
    """Return the device that is made for a name of the maker's."""
    assert source.new_kind is not None
    return Device(
        community=source.community,
        device=device,
        kind=source.new_kind,
        name=name[:100],
        source=source.source,
        state="active",
    )


def unread(taken: Taken) -> Fault | None:
    """Return why nobody could read a message at all, None if some of it was."""
    if taken.stored or taken.revised:
        return None
    return next((fault for fault in taken.faults if fault.row is None), None)


def without(secrets: Iterable[str], text: str) -> str:
    """Return a text for people in which no secret stands, whoever wrote it there."""
    for value in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(value, "…")
    return "".join(letter if letter.isprintable() else " " for letter in text)[:PROBLEM_LETTERS_MAX]
