"""From what a message says to rows of the record: whose device each is, and what is refused and why. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloud.database import bucket_of
from cloud.hub.devices.device import DeviceState as State
from cloud.hub.quantity import Quantity
from cloud.hub.reading import INTERVAL_SECONDS_MAX, PAST_MS_MIN, Reading
from cloud.hub.readings.merge import Key, Row, Said

from .message import Arrived, Fault, Parsed, Sender, Way

REFUSED = frozenset(
    {"another-device", "device-missing", "future", "past", "revoked", "too-long", "twice", "unknown-device"}
)
"""Reasons of rows that could be read and are not believed; every other one is an error of the format."""

WORDS = {quantity: quantity.value for quantity in Quantity}  # looking it up here takes a fifth of asking the member

SPEAKS_FOR_ITSELF: frozenset[Way] = frozenset({"push", "mqtt"})

type States = Mapping[tuple[str, str], State]  # by community and device


@dataclass(slots=True)
class Resolved:
    """The rows of one message, how many of its readings say again what an earlier row said, and the faults."""

    message: str
    rows: list[Row] = field(default_factory=list)
    again: int = 0
    faults: list[Fault] = field(default_factory=list)


def devices_named(item: Arrived) -> set[str]:
    """Return the devices of its community that a message may speak for and does."""
    if item.parsed is None:
        return set()
    names = {reading.device for reading in item.parsed.readings}
    return {device for name in names if (device := device_of(item.sender, name)) is not None}


def device_of(sender: Sender, name: str) -> str | None:
    """Return which device a sender means by a name; None if it may not speak for one of that name."""
    return sender.devices.get(name) if name else sender.default


def resolve(item: Arrived, states: States, message: str) -> Resolved:
    """Return what of a message goes into the record, given the states of the devices it names.

    Of rows that say something else about the same time, the first is kept and the others are faults: a message has
    one word on each measurement, and which of two it means nobody can tell.
    """
    found = Resolved(message, faults=[*item.faults])
    if item.parsed is None:
        return found
    found.faults += item.parsed.faults
    owned, said = (bucket_of(item.sender.community), item.sender.community), dict[Key, Said]()
    for number, reading in enumerate(item.parsed.readings):
        device = device_of(item.sender, reading.device)
        wrong = _wrong(item, item.parsed, reading, device, states)
        if wrong is None:
            assert device is not None
            key = (*owned, reading.measured_ms, device, reading.point, WORDS[reading.quantity])
            word = (reading.seconds, reading.value, reading.timed)
            stood = said.setdefault(key, word)
            if stood is word:
                found.rows.append((key, word, message))
                continue
            if stood[:2] == word[:2]:
                found.again += 1
                continue
            wrong = "twice", f"another row of this message says {stood[1]} of the same time"
        found.faults.append(Fault(_row(item.parsed, number), wrong[0], _where(reading), wrong[1]))
    return found


def _wrong(
    item: Arrived, parsed: Parsed, reading: Reading, device: str | None, states: States
) -> tuple[str, str] | None:
    if device is None:
        return _not_its_own(item, reading)
    state = states.get((item.sender.community, device))
    if state is None:
        return "unknown-device", "the community has no such device (any more)"
    if state == "revoked":
        return "revoked", "the device was revoked"
    if reading.measured_ms - item.received_ms > parsed.ahead_ms:
        return "future", f"it says a time more than {parsed.ahead_ms // 1000} s ahead of its receipt"
    if reading.measured_ms < PAST_MS_MIN:
        return "past", "it says a time before the year 2000"
    if reading.seconds > INTERVAL_SECONDS_MAX:
        return "too-long", f"it is about more than {INTERVAL_SECONDS_MAX // 86_400} days"
    if reading.point and not reading.point.isprintable():
        return "bad-name", "the point's name holds a character that cannot be printed"
    return None


def _not_its_own(item: Arrived, reading: Reading) -> tuple[str, str]:
    if not reading.device:
        return "device-missing", "it names no device, and its sender speaks for several"
    if item.way in SPEAKS_FOR_ITSELF:
        return "another-device", f"{item.sender.who} does not speak for a device of this name"
    return "unknown-device", "no device is known by this name"


def _row(parsed: Parsed, number: int) -> int | None:
    return parsed.rows[number] if parsed.rows else None


def _where(reading: Reading) -> str:
    return "/".join(filter(None, (reading.device, reading.point, reading.quantity.value, str(reading.measured_ms))))


def by_its_receipt(parsed: Parsed) -> bool:
    """Tell whether a message leaves the time of a reading to its receipt: then the same bytes can be other readings."""
    return any(reading.timed == "received" for reading in parsed.readings)
