"""Properties of ECHONET Lite objects in hex, as gateways hand them on: smart meters, solar, batteries, EVs. Pure.

    {"eoj": "028801", "measured_at": "2026-11-21T05:30:00+09:00",
     "properties": {"E0": "0001E240", "E1": "01", "E7": "000001F4"}}

or several of them under `objects`. The point is the object's six digits, and `/R` or `/T` behind them for a current.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
import re
from typing import Any
from zoneinfo import ZoneInfo

from cloud.hub.formats.book import Format
from cloud.hub.formats.document import Document, UnreadableError
from cloud.hub.formats.gathered import DEVICE_LETTERS_MAX, Gathered, wrong_name
from cloud.hub.formats.times import NoTimeError, Told, ms_of, told_ms
from cloud.hub.formats.units import NoNumber, shortened, unit_of, whole_of
from cloud.hub.quantity import Quantity
from cloud.hub.reading import Reading

OBJECTS_MAX = 1000  # of one message
PROPERTIES_MAX = 300  # there are 128 codes
HEX = re.compile(r"(?:0[xX])?((?:[0-9A-Fa-f]{2}){1,250})", re.ASCII)
JAPAN = ZoneInfo("Asia/Tokyo")
TENS = {0x00: 0, 0x01: -1, 0x02: -2, 0x03: -3, 0x04: -4, 0x0A: 1, 0x0B: 2, 0x0C: 3, 0x0D: 4}
COEFFICIENT_MAX = 999_999
MULTIPLE = "D4"  # of the coefficient, as a power of ten
COUNT_MAX = 99_999_999  # of a meter; beyond are words: no data, too large

type Told3 = tuple[Quantity, str, Decimal, Told | None]  # quantity, end of the point, number, its own time
type Properties = Mapping[str, bytes]
type Says = Callable[[Properties, bytes], Iterator[Told3]]  # raises PropertyError


class PropertyError(ValueError):
    """A property that does not say what it must."""


@dataclass(frozen=True, slots=True)
class Property:
    """What a property of a class says, and in which unit."""

    unit: str
    says: Says


def _whole(raw: bytes, size: int, *, signed: bool) -> int | None:
    """Return a number; None for the words at the ends of its range: no data, too large, too small."""
    if len(raw) != size:
        raise PropertyError(f"it has {len(raw)} bytes instead of {size}")
    value, most = int.from_bytes(raw, signed=signed), 1 << (8 * size - signed)
    return None if value in (most - 2, most - 1, -most) else value


def _instant(quantity: Quantity, size: int, factor: str = "1", *, signed: bool = True) -> Says:
    def says(_: Properties, raw: bytes) -> Iterator[Told3]:
        value = _whole(raw, size, signed=signed)
        if value is not None:
            yield quantity, "", value * Decimal(factor), None

    return says


def _currents(_: Properties, raw: bytes) -> Iterator[Told3]:
    if len(raw) != 4:
        raise PropertyError(f"it has {len(raw)} bytes instead of 4")
    for phase, part in (("/R", raw[:2]), ("/T", raw[2:])):
        value = _whole(part, 2, signed=True)
        if value is not None:
            yield Quantity.CURRENT, phase, value * Decimal("0.1"), None


def _counted(properties: Properties, raw: bytes, unit: str, *, multiplied: bool) -> Decimal | None:
    """Return a meter's counter in kWh: the number, times what its unit's and coefficient's properties say.

    `multiplied`: the coefficient always has a multiple of its own, in D4; else only where that is told.
    """
    value = _whole(raw, 4, signed=False)
    if value is None or value > COUNT_MAX:
        return None
    number = Decimal(value)
    if "D3" in properties:
        coefficient = int.from_bytes(properties["D3"])
        if coefficient > COEFFICIENT_MAX:
            raise PropertyError(f"property D3 says {shortened(properties['D3'].hex())}, which is no coefficient")
        number *= coefficient
    for code in (unit, MULTIPLE) if multiplied or MULTIPLE in properties else (unit,):
        if code not in properties:
            raise PropertyError(f"without property {code} nobody knows its unit")
        tens = TENS.get(int.from_bytes(properties[code]))
        if tens is None:
            raise PropertyError(f"property {code} says {shortened(properties[code].hex())}, which is no unit")
        number = number.scaleb(tens)
    return number


def _register(quantity: Quantity) -> Says:
    def says(properties: Properties, raw: bytes) -> Iterator[Told3]:
        number = _counted(properties, raw, "E1", multiplied=False)
        if number is not None:
            yield quantity, "", number, None

    return says


def _timed(quantity: Quantity, unit: str = "E1", *, multiplied: bool = False) -> Says:
    """Return what reads a register with the local time it was read at before it."""

    def says(properties: Properties, raw: bytes) -> Iterator[Told3]:
        if len(raw) != 11:
            raise PropertyError(f"it has {len(raw)} bytes instead of 11")
        number = _counted(properties, raw[7:], unit, multiplied=multiplied)
        if number is None:
            return
        try:
            month, day, hour, minute, second = raw[2:7]
            at = datetime(int.from_bytes(raw[:2]), month, day, hour, minute, second, tzinfo=JAPAN)
        except ValueError:
            raise PropertyError(f"{raw[:7].hex()} is no date and time") from None
        yield quantity, "", number, Told(ms_of(at))

    return says


STORAGE = {
    "D3": Property("W", _instant(Quantity.POWER, 4)),
    "D6": Property("Wh", _instant(Quantity.EXPORT_REGISTER, 4, signed=False)),
    "D8": Property("Wh", _instant(Quantity.IMPORT_REGISTER, 4, signed=False)),
    "E4": Property("%", _instant(Quantity.SOC, 1, signed=False)),
}
CLASSES: Mapping[str, Mapping[str, Property]] = {
    "0288": {  # smart meter, low voltage
        "E0": Property("kWh", _register(Quantity.IMPORT_REGISTER)),
        "E3": Property("kWh", _register(Quantity.EXPORT_REGISTER)),
        "E7": Property("W", _instant(Quantity.POWER, 4)),
        "E8": Property("A", _currents),
        "EA": Property("kWh", _timed(Quantity.IMPORT_REGISTER)),
        "EB": Property("kWh", _timed(Quantity.EXPORT_REGISTER)),
    },
    "028A": {  # smart meter, high voltage
        "E2": Property("kWh", _timed(Quantity.IMPORT_REGISTER, "E6", multiplied=True)),
        "E3": Property("kWh", _timed(Quantity.IMPORT_REGISTER, "E6", multiplied=True)),
    },
    "0279": {  # household solar power generation
        "E0": Property("W", _instant(Quantity.POWER, 2, "-1", signed=False)),
        "E1": Property("Wh", _instant(Quantity.EXPORT_REGISTER, 4, signed=False)),
    },
    "027D": STORAGE
    | {  # storage battery: what it counts on its alternating-current side comes before the rest
        "A8": Property("Wh", _instant(Quantity.IMPORT_REGISTER, 4, signed=False)),
        "A9": Property("Wh", _instant(Quantity.EXPORT_REGISTER, 4, signed=False)),
    },
    "027E": STORAGE,  # EV charger and discharger
}
INSTEAD = {"027D": {"A8": "D8", "A9": "D6"}}  # two counters of one thing: the first is believed


def _objects(data: Any) -> list[Any] | None:
    if not isinstance(data, dict):
        return None
    objects = data.get("objects", [data])
    first = objects[0] if isinstance(objects, list) and objects else None
    return objects if isinstance(first, dict) and "eoj" in first and "properties" in first else None


def matches(document: Document) -> bool:
    """Tell whether a message is of objects with their properties."""
    return document.is_json and _objects(document.json()) is not None


def reads(document: Document, into: Gathered) -> int | None:
    """Take what the objects of classes we know say; a row is an object."""
    objects = _objects(document.json())
    if objects is None or len(objects) > OBJECTS_MAX:
        raise UnreadableError("no-rows", f"there are no objects, or more than {OBJECTS_MAX}", "objects")
    for number, each in enumerate(objects):
        if not isinstance(each, dict):
            into.fault(number, "wrong-shape", "", "it is no object")
            continue
        try:
            told = _told(each, into)
        except NoTimeError as error:
            into.fault(number, error.reason, "measured_at", str(error))
            continue
        _take(each, number, told, into)
    return None


def _told(each: Mapping[str, Any], into: Gathered) -> Told:
    if each.get("measured_at") is None:
        return Told(into.received_ms, "received")
    return Told(told_ms(each["measured_at"]))


def _take(each: Mapping[str, Any], number: int, told: Told, into: Gathered) -> None:
    device = each.get("device", "")
    wrong = wrong_name(device, DEVICE_LETTERS_MAX) if isinstance(device, str) else "is no text"
    if wrong is not None:
        into.fault(number, "bad-name", "device", wrong)
        return
    eoj = _hex(each.get("eoj"))
    code = eoj[:2].hex().upper()
    if len(eoj) != 3 or code not in CLASSES:
        into.fault(number, "unknown-class", "eoj", f"{shortened(repr(each.get('eoj')))} is of no class we know")
        return
    properties = _properties(each.get("properties"), number, into)
    doubled = {less for more, less in INSTEAD.get(code, {}).items() if more in properties}
    for epc, known in CLASSES[code].items():
        if epc not in properties or epc in doubled:
            continue
        try:
            for quantity, end, value, own in known.says(properties, properties[epc]):
                unit = unit_of(quantity, known.unit)
                assert unit is not None
                whole = whole_of(value, unit)
                assert not isinstance(whole, NoNumber)  # 32 bits times ten thousand, at most
                at = own or told
                into.add(number, epc, Reading(device, eoj.hex() + end, quantity, at.at_ms, 0, whole, at.timed))
        except PropertyError as error:
            into.fault(number, "wrong-shape", epc, str(error))


def _hex(seen: object) -> bytes:
    match = HEX.fullmatch(seen) if isinstance(seen, str) else None
    return b"" if match is None else bytes.fromhex(match[1])


def _properties(seen: object, number: int, into: Gathered) -> Properties:
    """Return the properties by their two digits; what is no hex is a fault."""
    if not isinstance(seen, dict) or len(seen) > PROPERTIES_MAX:
        into.fault(number, "wrong-shape", "properties", f"it is no object of at most {PROPERTIES_MAX} members")
        return {}
    found = {}
    for name, value in seen.items():
        epc, raw = _hex(name), _hex(value)
        if len(epc) == 1 and raw:
            found[epc.hex().upper()] = raw
        else:
            into.fault(number, "wrong-shape", shortened(str(name)), f"{shortened(repr(value))} is no hex of a property")
    return found


FORMATS = (Format("echonet-lite", 1, "ECHONET Lite properties in hex", matches, reads, built_in=True),)
