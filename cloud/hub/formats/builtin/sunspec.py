"""Inverters and meters as SunSpec models in JSON: points with scale factors beside them, as SunSpec tools write. Pure.

An inverter (101-103, 111-113) says what it gives off: here that is negative. A meter (201-204, 211-214) counts from
the grid, but for makers whose meters count outwards. The point is the model's number, `.2` for a second one of a kind,
and the phase: `103`, `203.2/L1`.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from cloud.hub.formats.book import Format
from cloud.hub.formats.document import Document, UnreadableError
from cloud.hub.formats.gathered import DEVICE_LETTERS_MAX, Gathered, wrong_name
from cloud.hub.formats.times import NoTimeError, Told, told_ms
from cloud.hub.formats.units import NoNumber, Unit, number_of, shortened, unit_of, whole_of
from cloud.hub.quantity import MEASURES, Quantity
from cloud.hub.reading import Reading

MODELS_MAX = 200  # of one device: a large inverter has about 30
SCALE_MAX = 10  # what a scale factor may be
INVERTERS = frozenset({101, 102, 103, 111, 112, 113})
METERS = frozenset({201, 202, 203, 204, 211, 212, 213, 214})
WITHOUT_SCALE = frozenset({111, 112, 113, 211, 212, 213, 214})  # these hold floating numbers
NOT_IMPLEMENTED = (-32_768, 65_535)  # of points of 16 bits
NOT_COUNTED = (0, 2**32 - 1)  # of a counter: at zero it is one that does not count

NAME_PLATE = 1
OUTWARD_METERS = ("solaredge",)  # makers whose meters count power towards the grid, against their own registers
DIRECTED = frozenset({Quantity.POWER, Quantity.REACTIVE_POWER, Quantity.CURRENT})

type Meaning = tuple[str, str, Quantity, str, int]  # point, scale factor, what it is of, unit, direction


def _phased(names: str, meaning: tuple[str, Quantity, str, int]) -> dict[str, tuple[str, Meaning]]:
    """Return the points of three phases, whose names end in A, B and C."""
    scale, quantity, unit, direction = meaning
    return {
        f"{names}{letter}": (f"/L{number}", (f"{names}{letter}", scale, quantity, unit, direction))
        for number, letter in enumerate("ABC", start=1)
    }


def _whole_device(*meanings: Meaning) -> dict[str, tuple[str, Meaning]]:
    return {meaning[0]: ("", meaning) for meaning in meanings}


INVERTER: Mapping[str, tuple[str, Meaning]] = {
    **_whole_device(
        ("W", "W_SF", Quantity.POWER, "W", -1),
        ("VA", "VA_SF", Quantity.APPARENT_POWER, "VA", 1),
        ("VAr", "VAr_SF", Quantity.REACTIVE_POWER, "var", -1),
        ("PF", "PF_SF", Quantity.POWER_FACTOR, "%", 0),
        ("A", "A_SF", Quantity.CURRENT, "A", -1),
        ("Hz", "Hz_SF", Quantity.FREQUENCY, "Hz", 1),
        ("WH", "WH_SF", Quantity.EXPORT_REGISTER, "Wh", 1),
        ("TmpCab", "Tmp_SF", Quantity.TEMPERATURE, "°C", 1),
    ),
    **_phased("Aph", ("A_SF", Quantity.CURRENT, "A", -1)),
    **_phased("PhVph", ("V_SF", Quantity.VOLTAGE, "V", 1)),
}
METER: Mapping[str, tuple[str, Meaning]] = {
    **_whole_device(
        ("W", "W_SF", Quantity.POWER, "W", 1),
        ("VA", "VA_SF", Quantity.APPARENT_POWER, "VA", 1),
        ("VAR", "VAR_SF", Quantity.REACTIVE_POWER, "var", 1),
        ("PF", "PF_SF", Quantity.POWER_FACTOR, "%", 0),
        ("A", "A_SF", Quantity.CURRENT, "A", 1),
        ("PhV", "V_SF", Quantity.VOLTAGE, "V", 1),
        ("Hz", "Hz_SF", Quantity.FREQUENCY, "Hz", 1),
        ("TotWhImp", "TotWh_SF", Quantity.IMPORT_REGISTER, "Wh", 1),
        ("TotWhExp", "TotWh_SF", Quantity.EXPORT_REGISTER, "Wh", 1),
    ),
    **_phased("Wph", ("W_SF", Quantity.POWER, "W", 1)),
    **_phased("VAph", ("VA_SF", Quantity.APPARENT_POWER, "VA", 1)),
    **_phased("VARph", ("VAR_SF", Quantity.REACTIVE_POWER, "var", 1)),
    **_phased("PFph", ("PF_SF", Quantity.POWER_FACTOR, "%", 0)),
    **_phased("Aph", ("A_SF", Quantity.CURRENT, "A", 1)),
    **_phased("PhVph", ("V_SF", Quantity.VOLTAGE, "V", 1)),
    **_phased("TotWhImpPh", ("TotWh_SF", Quantity.IMPORT_REGISTER, "Wh", 1)),
    **_phased("TotWhExpPh", ("TotWh_SF", Quantity.EXPORT_REGISTER, "Wh", 1)),
}
"""The points of a model, what phase each is of and what it means. Direction 0: its sign has two meanings in the world
and is left out."""


def _models(data: Any) -> list[Any] | None:
    models = data.get("models") if isinstance(data, dict) else None
    if not isinstance(models, list):
        return None
    return models if any(isinstance(each, dict) and type(each.get("ID")) is int for each in models) else None


def matches(document: Document) -> bool:
    """Tell whether a message is a chain of models with their numbers."""
    return document.is_json and _models(document.json()) is not None


def reads(document: Document, into: Gathered) -> int | None:
    """Take what the inverters and meters of a chain say; a row is a model."""
    data = document.json()
    models = _models(data)
    if models is None or len(models) > MODELS_MAX:
        raise UnreadableError("no-rows", f"there is no list of at most {MODELS_MAX} models", "models")
    told, device, outward = _told(data, into), _device(data), _counts_outwards(models)
    for number, part, model in _parts(models):
        points = INVERTER if model["ID"] in INVERTERS else METER
        for name, (phase, meaning) in points.items():
            if (seen := model.get(name)) is not None:
                value = _value(model, meaning, seen, number, into)
                if value is not None:
                    turned = outward and points is METER and meaning[2] in DIRECTED
                    value = -value if turned else value
                    reading = Reading(device, part + phase, meaning[2], told.at_ms, 0, value, told.timed)
                    into.add(number, name, reading)
    return None


def _counts_outwards(models: list[Any]) -> bool:
    """Tell by the first name plate whether meters count power towards the grid."""
    plates = [each for each in models if isinstance(each, dict) and each.get("ID") == NAME_PLATE]
    return bool(plates) and str(plates[0].get("Mn", "")).lower().startswith(OUTWARD_METERS)


def _told(data: Mapping[str, Any], into: Gathered) -> Told:
    if data.get("measured_at") is None:
        return Told(into.received_ms, "received")
    try:
        return Told(told_ms(data["measured_at"]))
    except NoTimeError as error:
        raise UnreadableError(error.reason, str(error), "measured_at") from None


def _device(data: Mapping[str, Any]) -> str:
    device = data.get("device", "")
    wrong = wrong_name(device, DEVICE_LETTERS_MAX) if isinstance(device, str) else "is no text"
    if wrong is not None:
        raise UnreadableError("bad-name", wrong, "device")
    return str(device)


def _parts(models: list[Any]) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    seen: dict[int, int] = {}
    for number, model in enumerate(models):
        code = model.get("ID") if isinstance(model, dict) else None
        if type(code) is not int or code not in INVERTERS | METERS:
            continue
        seen[code] = seen.get(code, 0) + 1
        yield number, f"{code}" if seen[code] == 1 else f"{code}.{seen[code]}", model


def _value(model: Mapping[str, Any], meaning: Meaning, seen: Any, number: int, into: Gathered) -> int | None:
    name, scale_name, quantity, unit_name, direction = meaning
    floating = model["ID"] in WITHOUT_SCALE
    if seen in (NOT_COUNTED if MEASURES[quantity].shape == "register" else () if floating else NOT_IMPLEMENTED):
        return None
    scale = 0 if floating else model.get(scale_name, 0)
    if type(scale) is not int or abs(scale) > SCALE_MAX:
        into.fault(number, "not-a-scale", scale_name, f"{shortened(repr(scale))} is no scale factor")
        return None
    read = number_of(seen)
    whole = read if isinstance(read, NoNumber) else whole_of(read, _unit(quantity, unit_name), Decimal(1).scaleb(scale))
    if isinstance(whole, NoNumber):
        into.fault(number, whole.reason, name, whole.why)
        return None
    return whole * direction if direction else abs(whole)


def _unit(quantity: Quantity, name: str) -> Unit:
    unit = unit_of(quantity, name)
    assert unit is not None
    return unit


FORMATS = (Format("sunspec-json", 1, "SunSpec models as JSON", matches, reads, built_in=True),)
