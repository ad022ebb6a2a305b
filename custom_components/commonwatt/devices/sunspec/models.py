"""Which points of the SunSpec models are read, where they stand, and what they are called here.

Offsets count from the model's header, as in the definitions of the SunSpec Alliance (models 1 to 802). A point with a
scale register is read scaled; energies are read raw, their scale beside them, because a float would round them.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from modbus_connection.model import Component, RegisterField
from modbus_connection.model.sunspec import (
    SunSpecComponent,
    acc32,
    bitfield16,
    enum16,
    float32,
    int16,
    int32,
    model_length_group,
    string,
    sunssf,
    uint16,
    uint32,
    uint64,
)

# name: (type, offset) or (type, offset, offset of its scale factor, or registers of a string)
type Points = Mapping[str, tuple[str, int] | tuple[str, int, int]]

_COMMON: Points = {
    "manufacturer": ("string", 2, 16),
    "model": ("string", 18, 16),
    "firmware": ("string", 42, 8),
    "serial": ("string", 50, 16),
}
_INVERTER: Points = {
    "current_a": ("uint16", 2, 6),
    "current_l1_a": ("uint16", 3, 6),
    "current_l2_a": ("uint16", 4, 6),
    "current_l3_a": ("uint16", 5, 6),
    "voltage_l1_v": ("uint16", 10, 13),
    "voltage_l2_v": ("uint16", 11, 13),
    "voltage_l3_v": ("uint16", 12, 13),
    "power_w": ("int16", 14, 15),
    "frequency_hz": ("uint16", 16, 17),
    "apparent_power_va": ("int16", 18, 19),
    "reactive_power_var": ("int16", 20, 21),
    "power_factor": ("int16", 22, 23),
    "export_raw": ("acc32", 24),
    "energy_scale": ("sunssf", 26),
    "dc_power_w": ("int16", 31, 32),
}
_INVERTER_FLOAT: Points = {
    "current_a": ("float32", 2),
    "current_l1_a": ("float32", 4),
    "current_l2_a": ("float32", 6),
    "current_l3_a": ("float32", 8),
    "voltage_l1_v": ("float32", 16),
    "voltage_l2_v": ("float32", 18),
    "voltage_l3_v": ("float32", 20),
    "power_w": ("float32", 22),
    "frequency_hz": ("float32", 24),
    "apparent_power_va": ("float32", 26),
    "reactive_power_var": ("float32", 28),
    "power_factor": ("float32", 30),
    "export_raw": ("float32", 32),
    "dc_power_w": ("float32", 38),
}
_NAMEPLATE: Points = {
    "rated_power_w": ("uint16", 3, 4),
    "capacity_wh": ("uint16", 19, 20),
    "charge_max_w": ("uint16", 23, 24),
    "discharge_max_w": ("uint16", 25, 26),
}
_STORAGE: Points = {
    "charge_max_w": ("uint16", 2, 18),
    "control": ("bitfield16", 5),
    "soc_percent": ("uint16", 8, 22),
    "discharge_percent": ("int16", 12, 25),
    "charge_percent": ("int16", 13, 25),
    "revert_s": ("uint16", 15),
}
_STRINGS: Points = {"dc_scale": ("sunssf", 4), "energy_scale": ("sunssf", 5)}
_STRING: Points = {"label": ("string", 11, 8), "power_w": ("uint16", 21, 4), "energy_raw": ("acc32", 22)}
_METER: Points = {
    "current_a": ("int16", 2, 6),
    "current_l1_a": ("int16", 3, 6),
    "current_l2_a": ("int16", 4, 6),
    "current_l3_a": ("int16", 5, 6),
    "voltage_v": ("int16", 7, 15),
    "voltage_l1_v": ("int16", 8, 15),
    "voltage_l2_v": ("int16", 9, 15),
    "voltage_l3_v": ("int16", 10, 15),
    "frequency_hz": ("int16", 16, 17),
    "power_w": ("int16", 18, 22),
    "power_l1_w": ("int16", 19, 22),
    "power_l2_w": ("int16", 20, 22),
    "power_l3_w": ("int16", 21, 22),
    "apparent_power_va": ("int16", 23, 27),
    "reactive_power_var": ("int16", 28, 32),
    "power_factor": ("int16", 33, 37),
    "export_raw": ("acc32", 38),
    "import_raw": ("acc32", 46),
    "energy_scale": ("sunssf", 54),
}
_METER_FLOAT: Points = {
    "current_a": ("float32", 2),
    "current_l1_a": ("float32", 4),
    "current_l2_a": ("float32", 6),
    "current_l3_a": ("float32", 8),
    "voltage_v": ("float32", 10),
    "voltage_l1_v": ("float32", 12),
    "voltage_l2_v": ("float32", 14),
    "voltage_l3_v": ("float32", 16),
    "frequency_hz": ("float32", 26),
    "power_w": ("float32", 28),
    "power_l1_w": ("float32", 30),
    "power_l2_w": ("float32", 32),
    "power_l3_w": ("float32", 34),
    "apparent_power_va": ("float32", 36),
    "reactive_power_var": ("float32", 44),
    "power_factor": ("float32", 52),
    "export_raw": ("float32", 60),
    "import_raw": ("float32", 68),
}
_DER_AC: Points = {
    "wiring": ("enum16", 2),
    "power_w": ("int16", 10, 116),
    "apparent_power_va": ("int16", 11, 118),
    "reactive_power_var": ("int16", 12, 119),
    "power_factor": ("int16", 13, 117),
    "current_a": ("int16", 14, 113),
    "voltage_v": ("uint16", 16, 114),
    "frequency_hz": ("uint32", 17, 115),
    "export_raw": ("uint64", 19),
    "import_raw": ("uint64", 23),
    "power_l1_w": ("int16", 41, 116),
    "current_l1_a": ("int16", 45, 113),
    "voltage_l1_v": ("uint16", 47, 114),
    "power_l2_w": ("int16", 64, 116),
    "current_l2_a": ("int16", 68, 113),
    "voltage_l2_v": ("uint16", 70, 114),
    "power_l3_w": ("int16", 87, 116),
    "current_l3_a": ("int16", 91, 113),
    "voltage_l3_v": ("uint16", 93, 114),
    "energy_scale": ("sunssf", 120),
}
_DER_CAPACITY: Points = {
    "rated_power_w": ("uint16", 2, 45),
    "charge_max_w": ("uint16", 10, 45),
    "discharge_max_w": ("uint16", 11, 45),
    "power_max_w": ("uint16", 26, 45),
}
_DER_SERVICE: Points = {"permitted": ("enum16", 2)}
_DER_CONTROLS: Points = {
    "enabled": ("enum16", 22),
    "unit": ("enum16", 23),
    "watts": ("int32", 24, 55),
    "percent": ("int16", 28, 56),
    "revert_enabled": ("enum16", 30),
    "revert_s": ("uint32", 31),
    "revert_left_s": ("uint32", 33),
    "watts_scale": ("sunssf", 55),
    "percent_scale": ("sunssf", 56),
}
_DER_STORAGE: Points = {"capacity_wh": ("uint16", 2, 7), "soc_percent": ("uint16", 4, 8)}
_DER_DC: Points = {"energy_scale": ("sunssf", 18)}
_DER_PORT: Points = {
    "port": ("enum16", 20),
    "power_w": ("int16", 32, 17),
    "export_raw": ("uint64", 33),
    "import_raw": ("uint64", 37),
}
_BATTERY: Points = {
    "capacity_wh": ("uint16", 3, 53),
    "charge_max_w": ("uint16", 4, 54),
    "discharge_max_w": ("uint16", 5, 54),
    "soc_percent": ("uint16", 11, 56),
    "state": ("enum16", 16),
    "power_w": ("int16", 47, 63),
}

MODELS: Mapping[int, Points] = {
    1: _COMMON,
    101: _INVERTER,
    102: _INVERTER,
    103: _INVERTER,
    111: _INVERTER_FLOAT,
    112: _INVERTER_FLOAT,
    113: _INVERTER_FLOAT,
    120: _NAMEPLATE,
    124: _STORAGE,
    160: _STRINGS,
    201: _METER,
    202: _METER,
    203: _METER,
    # a delta meter has no neutral: its voltage is that between the lines
    204: {**_METER, "voltage_v": ("int16", 11, 15)},
    211: _METER_FLOAT,
    212: _METER_FLOAT,
    213: _METER_FLOAT,
    214: {**_METER_FLOAT, "voltage_v": ("float32", 18)},
    701: _DER_AC,
    702: _DER_CAPACITY,
    703: _DER_SERVICE,
    704: _DER_CONTROLS,
    713: _DER_STORAGE,
    714: _DER_DC,
    802: _BATTERY,
}

INVERTERS = (101, 102, 103)
INVERTERS_FLOAT = (111, 112, 113)
METERS = (201, 202, 203, 204)
METERS_FLOAT = (211, 212, 213, 214)
STORAGES = (802, 713, 124)  # the one that tells most comes first
POWER_OF: Mapping[int, int] = {713: 714, 124: 160}  # whose power stands in another model, input by input

# what repeats to the end of a model, as often as its length says: (first register, registers each, points)
GROUPS: Mapping[int, tuple[int, int, Points]] = {160: (10, 20, _STRING), 714: (20, 25, _DER_PORT)}
GROUP_LENGTH_MAX = 512  # 25 strings; a longer model is garbage, and would be read for ever

WIRES: Mapping[int, int] = {101: 1, 111: 1, 201: 1, 211: 1, 102: 2, 112: 2, 202: 2, 212: 2}  # phases; others: three

_WRITABLE = {"enabled", "unit", "watts", "percent", "revert_enabled", "revert_s", "control"}
_WRITABLE |= {"discharge_percent", "charge_percent"}


@cache
def component_class(model_id: int) -> type[SunSpecComponent]:
    """Return what reads the points of a model in one block."""
    members: dict[str, Any] = {name: _field(name, point) for name, point in MODELS[model_id].items()}
    if model_id in GROUPS:
        start, stride, points = GROUPS[model_id]
        inner = {name: _field(name, point) for name, point in points.items()}
        members["group"] = model_length_group(type(f"Group{model_id}", (Component,), inner), start=start, stride=stride)
    # a model is one block of the device: gaps in what is read of it are read over
    return type(f"Model{model_id}", (SunSpecComponent,), {**members, "max_gap": 125})


def length_least(model_id: int) -> int:
    """Return how long a model must be, header left out, to have the points that are read of it."""
    fields = [_field(name, point) for name, point in MODELS[model_id].items()]
    ends = [max(field.address + field.count, (field.scale_register or 0) + 1) for field in fields]
    return max([*ends, GROUPS[model_id][0] if model_id in GROUPS else 0]) - 2


def _field(name: str, point: tuple[str, int] | tuple[str, int, int]) -> RegisterField[Any]:
    kind, offset = point[0], point[1]
    extra = point[2] if len(point) == 3 else None
    if kind == "string":
        assert extra is not None
        return string(offset, extra)
    if kind in _PLAIN:
        return _PLAIN[kind](offset)
    if kind in _UNSCALED:
        return _UNSCALED[kind](offset, writable=name in _WRITABLE)
    return _SCALED[kind](offset, scale_register=extra, writable=name in _WRITABLE)


type _Make = Callable[..., RegisterField[Any]]

_PLAIN: Mapping[str, _Make] = {"acc32": acc32, "uint64": uint64, "sunssf": sunssf, "float32": float32}
_UNSCALED: Mapping[str, _Make] = {"enum16": enum16, "bitfield16": bitfield16}
_SCALED: Mapping[str, _Make] = {"int16": int16, "uint16": uint16, "int32": int32, "uint32": uint32}
