"""What chargers measure, as OCPP 1.6 and 2.0.1 tell it in MeterValues: the call, or its payload alone. Pure.

A message names no charger: it is told by whoever sends it. The point is the connector (1.6) or EVSE (2.0.1), with the
location where that is not the outlet, and the phase: `1`, `1/L2`, `1/EV`. Signed values are left alone.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cloud.hub.formats.book import Format
from cloud.hub.formats.document import Document, UnreadableError
from cloud.hub.formats.gathered import POINT_LETTERS_MAX, ROWS_MAX, Gathered, wrong_name
from cloud.hub.formats.times import NoTimeError, Told, told_ms
from cloud.hub.formats.units import NoNumber, number_of, shortened, unit_of, whole_of
from cloud.hub.quantity import Quantity
from cloud.hub.reading import Reading

CALL = 2  # the first member of a call
MULTIPLIER_MAX = 20
DEFAULT_MEASURAND = "Energy.Active.Import.Register"

MEASURANDS: Mapping[str, tuple[Quantity, int, str]] = {
    "Energy.Active.Import.Register": (Quantity.IMPORT_REGISTER, 1, "Wh"),
    "Energy.Active.Export.Register": (Quantity.EXPORT_REGISTER, 1, "Wh"),
    "Energy.Reactive.Import.Register": (Quantity.REACTIVE_REGISTER, 1, "varh"),
    "Power.Active.Import": (Quantity.POWER, 1, "W"),
    "Power.Active.Export": (Quantity.POWER, -1, "W"),
    "Power.Reactive.Import": (Quantity.REACTIVE_POWER, 1, "var"),
    "Power.Reactive.Export": (Quantity.REACTIVE_POWER, -1, "var"),
    "Power.Factor": (Quantity.POWER_FACTOR, 1, "1"),
    "Current.Import": (Quantity.CURRENT, 1, "A"),
    "Current.Export": (Quantity.CURRENT, -1, "A"),
    "Voltage": (Quantity.VOLTAGE, 1, "V"),
    "Frequency": (Quantity.FREQUENCY, 1, "Hz"),
    "SoC": (Quantity.SOC, 1, "percent"),
    "Temperature": (Quantity.TEMPERATURE, 1, "°C"),
}
"""What a measurand is of, its direction, and its unit where a value names none."""

NOT_KEPT = ("Energy.", "Power.Offered", "Current.Offered", "RPM", "Display.")
"""How measurands begin that have no place here: energies over a time that the message does not tell, limits."""

LOWEST = {f"L{phase}-N": f"L{phase}" for phase in (1, 2, 3)}


@dataclass(slots=True)
class Meant:
    """What the values of one moment say: net of both directions, with the row of the first."""

    told: Told
    rows: dict[tuple[Quantity, str], int] = field(default_factory=dict)
    wholes: dict[tuple[Quantity, str], dict[str, int]] = field(default_factory=dict)
    halves: set[tuple[Quantity, str]] = field(default_factory=set)  # of which one direction could not be read


def payload_of(data: Any) -> Mapping[str, Any] | None:
    """Return the payload of a MeterValues or TransactionEvent; None if the data is neither."""
    if isinstance(data, list) and len(data) == 4 and data[0] == CALL and data[2] in ("MeterValues", "TransactionEvent"):
        data = data[3]
    return data if isinstance(data, dict) and "meterValue" in data else None


def place_of(payload: Mapping[str, Any], version: int) -> Any:
    """Return the connector or EVSE of a payload; None if it is of another version."""
    if version == 16:
        return payload.get("connectorId")
    evse = payload.get("evse")
    return evse.get("id") if isinstance(evse, dict) else payload.get("evseId")


def _matches(version: int) -> Callable[[Document], bool]:
    def matches(document: Document) -> bool:
        payload = payload_of(document.json()) if document.is_json else None
        return payload is not None and place_of(payload, version) is not None

    return matches


def _reads(version: int) -> Callable[[Document, Gathered], int | None]:
    def reads(document: Document, into: Gathered) -> int | None:
        payload = payload_of(document.json())
        if payload is None:
            raise UnreadableError("wrong-shape", "it is no MeterValues", "meterValue")
        place = place_of(payload, version)
        if type(place) is not int or not 0 <= place < 10**6:
            where = "connectorId" if version == 16 else "evseId"
            raise UnreadableError("wrong-shape", f"{shortened(repr(place))} is no number of a place", where)
        _take(payload, str(place), into)
        return None

    return reads


def _take(payload: Mapping[str, Any], place: str, into: Gathered) -> None:
    row = 0
    for moment in _listed(payload, "meterValue"):
        values = _listed(moment, "sampledValue")
        try:
            meant = Meant(Told(told_ms(moment.get("timestamp"))))
        except NoTimeError as error:
            into.fault(row, error.reason, "timestamp", str(error))
            row += len(values)
            continue
        for value in values:
            if row >= ROWS_MAX:
                raise UnreadableError("too-many-rows", f"the message holds more than {ROWS_MAX} values")
            _note(value, row, place, meant, into)
            row += 1
        for row_of, reading in _net(meant):
            into.add(row_of, "value", reading)


def _listed(data: Any, name: str) -> list[Any]:
    found = data.get(name) if isinstance(data, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UnreadableError("wrong-shape", "it is no list of objects", name)
    return found


def _note(value: Mapping[str, Any], row: int, place: str, meant: Meant, into: Gathered) -> None:
    if value.get("format") == "SignedData":
        return
    name = value.get("measurand", DEFAULT_MEASURAND)
    known = MEASURANDS.get(name) if isinstance(name, str) else None
    if known is None:
        if not (isinstance(name, str) and name.startswith(NOT_KEPT)):
            into.fault(row, "unknown-measurand", "measurand", f"{shortened(repr(name))} is no measurand we know")
        return
    whole = _whole(value, known, row, into)
    point = _point(value, place)
    if wrong := wrong_name(point, POINT_LETTERS_MAX):
        into.fault(row, "bad-name", "phase", wrong)
    elif whole is None:
        meant.halves.add((known[0], point))
    else:
        said = meant.wholes.setdefault((known[0], point), {})
        if said.setdefault(name, whole) != whole:
            into.fault(row, "twice", "value", f"{name} is told twice of one moment, first as {said[name]}")
        meant.rows.setdefault((known[0], point), row)


def _whole(value: Mapping[str, Any], known: tuple[Quantity, int, str], row: int, into: Gathered) -> int | None:
    quantity, direction, usual = known
    of = value.get("unitOfMeasure")
    told = (of if isinstance(of, dict) else value).get("unit", usual)
    unit = unit_of(quantity, told) if isinstance(told, str) else None
    if unit is None:
        into.fault(row, "unknown-unit", "unit", f"{shortened(repr(told))} is no unit of {quantity}")
        return None
    power = of.get("multiplier", 0) if isinstance(of, dict) else 0
    if type(power) is not int or abs(power) > MULTIPLIER_MAX:
        into.fault(row, "not-a-scale", "multiplier", f"{shortened(repr(power))} is no power of ten")
        return None
    read = number_of(value.get("value"))
    whole = read if isinstance(read, NoNumber) else whole_of(read, unit, Decimal(direction).scaleb(power))
    if isinstance(whole, NoNumber):
        into.fault(row, whole.reason, "value", whole.why)
        return None
    return whole


def _point(value: Mapping[str, Any], place: str) -> str:
    location, phase = value.get("location", "Outlet"), value.get("phase")
    parts = [place]
    if location != "Outlet":
        parts.append(str(location))
    if phase is not None:
        parts.append(LOWEST.get(str(phase), str(phase)))
    return "/".join(parts)


def _net(meant: Meant) -> Iterator[tuple[int, Reading]]:
    for (quantity, point), said in meant.wholes.items():
        if (quantity, point) not in meant.halves:
            value = sum(said.values())
            yield meant.rows[quantity, point], Reading("", point, quantity, meant.told.at_ms, 0, value)


FORMATS = (
    Format("ocpp16-metervalues", 1, "OCPP 1.6 MeterValues", _matches(16), _reads(16), built_in=True),
    Format("ocpp201-metervalues", 1, "OCPP 2.0.1 MeterValues", _matches(201), _reads(201), built_in=True),
)
