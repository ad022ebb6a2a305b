"""What the models of a part say, in the words and signs of this site: import and charging positive, energy exact."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import math
from typing import Any, cast

from modbus_connection.model.sunspec import SunSpecComponent

from ..port import QUANTITIES, Quantity, Value
from .models import MODELS, WIRES

SCALES = range(-10, 11)  # what a scale factor may be; devices that wake up say otherwise
ACC32 = 2**32  # where the counter of a model with scale factors begins anew
FULL_PERCENT = 100
RATIO_MAX = 1.0  # a power factor beyond is in percent, as the definitions have it and half of the devices do

DISCHARGING, CHARGING = 3, 4  # states of a battery
PANEL_PORT, STORAGE_PORT = 0, 1  # the kinds of a direct-current port behind which panels or a battery stand
PANEL_POWERS: tuple[Quantity, ...] = ("dc_power_1_w", "dc_power_2_w", "dc_power_3_w", "dc_power_4_w")
CHARGE_LABEL, DISCHARGE_LABEL = "StCha", "StDisCha"  # what hybrid inverters call the two inputs that are their battery

SINGLE_PHASE = {"voltage_l1_v": "voltage_v", "current_l1_a": "current_a"}
DIRECTED = ("power", "current", "reactive_power")  # quantities that change their sign with the point of view
# Meters of these makers count power from the house towards the grid, against their own energy registers.
OUTWARD_METERS = ("solaredge",)


@dataclass(frozen=True, slots=True)
class Flow:
    """Power and registers as a part tells them, in W and whole Wh; None what it does not tell now."""

    power_w: float | None = None
    import_wh: int | None = None
    export_wh: int | None = None
    wraps_wh: int | None = None


def exact_wh(raw: float | None, scale: int | None) -> int | None:
    """Return a register in whole Wh, floored: as a float it would step back now and then, and here it never does."""
    if raw is None or scale is None or not math.isfinite(raw) or scale not in SCALES:
        return None
    factor: int = 10 ** abs(scale)
    return math.floor(raw) * factor if scale >= 0 else math.floor(raw) // factor


def flow_of(component: SunSpecComponent, model_id: int, *, outward: bool) -> Flow:
    """Return power and registers of an inverter, a meter or a battery's own inverter.

    A counter at zero is not accumulated; where the other direction is counted, nothing has flowed this way yet.
    """
    power_w = _number(component, "power_w")
    points = MODELS[model_id]
    scale = component_value(component, "energy_scale") if "energy_scale" in points else 0
    exported = exact_wh(component_value(component, "export_raw"), scale)
    imported = exact_wh(component_value(component, "import_raw"), scale)
    if points["export_raw"][0] != "uint64":  # of 64 bits zero is a number, and another one says that there is none
        exported, imported = _accumulated(exported, imported, one_way="import_raw" not in points)
    wraps_wh = exact_wh(ACC32, scale) if points["export_raw"][0] == "acc32" else None
    return Flow(None if power_w is None else 0 - power_w if outward else power_w, imported, exported, wraps_wh)


def flow_of_battery(component: SunSpecComponent) -> Flow:
    """Return the power of a battery's base model, which tells of no energy; what it says it does is the sign."""
    power_w = _number(component, "power_w")
    if power_w is None:
        return Flow()
    match component_value(component, "state"):
        case state if state == CHARGING:
            return Flow(abs(power_w))
        case state if state == DISCHARGING:
            return Flow(0 - abs(power_w))
        case _:
            return Flow(0 - power_w)  # the definition names no sign; devices that tell no state give what they give off


def flow_of_ports(component: SunSpecComponent) -> Flow:
    """Return power and registers of the direct-current ports behind which a battery stands."""
    ports = storage_inputs(component, 714)
    scale = component_value(component, "energy_scale")
    power_w = _sum(_number(port, "power_w") for port in ports)
    return Flow(
        None if power_w is None else 0 - power_w,
        _sum(exact_wh(component_value(port, "import_raw"), scale) for port in ports),
        _sum(exact_wh(component_value(port, "export_raw"), scale) for port in ports),
    )


def flow_of_strings(component: SunSpecComponent) -> Flow:
    """Return power and registers of the inputs of a hybrid inverter that are its battery, one for each direction."""
    inputs = storage_inputs(component, 160)
    charging = [part for part in inputs if _label(part).startswith(CHARGE_LABEL)]
    discharging = [part for part in inputs if _label(part).startswith(DISCHARGE_LABEL)]
    charge_w = _sum(_number(part, "power_w") for part in charging)
    discharge_w = _sum(_number(part, "power_w") for part in discharging)
    scale = component_value(component, "energy_scale")
    exported = _sum(exact_wh(component_value(part, "energy_raw"), scale) for part in discharging)
    imported = _sum(exact_wh(component_value(part, "energy_raw"), scale) for part in charging)
    exported, imported = _accumulated(exported, imported, one_way=False)
    single = len(charging) == len(discharging) == 1
    return Flow(
        None if charge_w is None or discharge_w is None else charge_w - discharge_w,
        imported,
        exported,
        exact_wh(ACC32, scale) if single else None,
    )


def values_of(component: SunSpecComponent, model_id: int, *, outward: bool) -> dict[Quantity, Value]:
    """Return the other quantities of an inverter, a meter or a battery's own inverter."""
    names = QUANTITIES & MODELS[model_id].keys()
    numbers: dict[str, float] = {name: number for name in names if (number := _number(component, name)) is not None}
    for name, number in numbers.items():
        if name == "apparent_power_va":
            numbers[name] = abs(number)
        elif outward and name.startswith(DIRECTED):
            numbers[name] = 0 - number  # of a zero, too: minus zero is nothing to show
    if (power_factor := _ratio(numbers.pop("power_factor", None))) is not None:
        numbers["power_factor"] = power_factor
    return cast("dict[Quantity, Value]", _wired(numbers, _wires(component, model_id)))


def quantities_of_ac(model_id: int) -> frozenset[Quantity]:
    """Return what an inverter or a meter with this model may tell besides power and registers."""
    names: dict[str, float] = dict.fromkeys(QUANTITIES & MODELS.get(model_id, {}).keys(), 0.0)
    return cast("frozenset[Quantity]", frozenset(_wired(names, WIRES.get(model_id, 3))))


def storage_values(components: Iterable[SunSpecComponent]) -> dict[Quantity, Value]:
    """Return how full a battery is and how much it holds, of the first model that says so."""
    values: dict[Quantity, Value] = {}
    for component in components:
        soc_percent = component_value(component, "soc_percent")
        if soc_percent is not None and 0 <= soc_percent <= FULL_PERCENT:
            values.setdefault("soc_percent", soc_percent)
        if capacity_wh := component_value(component, "capacity_wh"):
            values.setdefault("capacity_wh", capacity_wh)
    return values


def component_value(component: Any, name: str) -> Any:
    """Return a point's value as read last; None where the device has none, or the model no such point."""
    return getattr(component, name, None)


def panel_values(component: SunSpecComponent, model_id: int) -> dict[Quantity, Value]:
    """Return what the panels at each input of an inverter give, in W, and their sum."""
    if model_id == 714:
        panels = [port for port in _inputs(component) if component_value(port, "port") == PANEL_PORT]
    else:
        batteries = storage_inputs(component, model_id)
        panels = [part for part in _inputs(component) if part not in batteries]
    powers = [_number(panel, "power_w") for panel in panels]
    values = {name: power for name, power in zip(PANEL_POWERS, powers, strict=False) if power is not None}
    total_w = _sum(powers)
    return dict(values) if total_w is None else {"dc_power_w": total_w, **values}


def _inputs(component: SunSpecComponent) -> list[Any]:
    return list(getattr(component, "group", ()))


def storage_inputs(component: SunSpecComponent, model_id: int) -> list[Any]:
    """Return those of an inverter's direct-current inputs behind which its battery stands."""
    if model_id == 714:
        return [port for port in _inputs(component) if component_value(port, "port") == STORAGE_PORT]
    return [part for part in _inputs(component) if _label(part).startswith((CHARGE_LABEL, DISCHARGE_LABEL))]


def _number(component: Any, name: str) -> float | None:
    value = component_value(component, name)
    if value is None or not math.isfinite(value):
        return None
    # a float of 32 bits has 7 digits; the others are what the conversion to 64 bits made of it
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _sum[N: (int, float)](values: Iterable[N | None]) -> N | None:
    """Return the sum; None where one of the values, or every one, is missing."""
    known = list(values)
    if not known or None in known:
        return None
    return cast("N", sum(cast("list[int]", known)))


def _label(part: Any) -> str:
    return str(component_value(part, "label") or "")


def _accumulated(exported: int | None, imported: int | None, *, one_way: bool) -> tuple[int | None, int | None]:
    if one_way:
        return (exported, 0) if exported else (None, None)
    if not exported and not imported:
        return None, None
    return exported or 0, imported or 0


def _ratio(number: float | None) -> float | None:
    """Return a power factor as a number from 0 to 1; its sign has two meanings in the world and is left out."""
    if number is None or abs(number) > FULL_PERCENT:
        return None
    return round(abs(number) if abs(number) <= RATIO_MAX else abs(number) / FULL_PERCENT, 6)


def _wires(component: SunSpecComponent, model_id: int) -> int:
    wiring = component_value(component, "wiring")
    return {0: 1, 1: 2}.get(wiring, 3) if model_id == 701 else WIRES.get(model_id, 3)


def _wired(numbers: Mapping[str, float], wires: int) -> dict[str, float]:
    """Return the quantities that a device of so many phases has; that of a single phase is not said twice."""
    present = {name: number for name, number in numbers.items() if not name.endswith(_beyond(wires))}
    if wires == 1:
        present = {of: numbers[name] for name, of in SINGLE_PHASE.items() if name in numbers} | present
    return present


def _beyond(wires: int) -> tuple[str, ...]:
    gone = {1: ("l1", "l2", "l3"), 2: ("l3",), 3: ()}[wires]
    return tuple(f"_{phase}_{unit}" for phase in gone for unit in ("v", "a", "w"))
