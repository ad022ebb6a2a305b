"""The members of our own format: a quantity and its unit in one name, as everywhere in Commonwatt. Pure."""

from collections.abc import Mapping

from cloud.hub.formats.units import Unit, unit_of
from cloud.hub.quantity import Quantity

ENERGY = {"_wh": "Wh", "_kwh": "kWh"}
PRICE = {"_per_kwh": "/kWh", "_per_mwh": "/MWh"}
PERCENT = {"_percent": "%"}

SUFFIXES: Mapping[Quantity, Mapping[str, str]] = {
    Quantity.IMPORT_REGISTER: ENERGY,
    Quantity.EXPORT_REGISTER: ENERGY,
    Quantity.IMPORT: ENERGY,
    Quantity.EXPORT: ENERGY,
    Quantity.REACTIVE_REGISTER: {"_varh": "varh", "_kvarh": "kvarh"},
    Quantity.POWER: {"_w": "W", "_kw": "kW"},
    Quantity.REACTIVE_POWER: {"_var": "var", "_kvar": "kvar"},
    Quantity.APPARENT_POWER: {"_va": "VA", "_kva": "kVA"},
    Quantity.VOLTAGE: {"_v": "V", "_kv": "kV"},
    Quantity.CURRENT: {"_a": "A"},
    Quantity.POWER_FACTOR: {"": "1"},
    Quantity.FREQUENCY: {"_hz": "Hz"},
    Quantity.SOC: PERCENT,
    Quantity.TEMPERATURE: {"_c": "°C"},
    Quantity.HUMIDITY: PERCENT,
    Quantity.IRRADIANCE: {"_w_m2": "W/m2"},
    Quantity.WIND_SPEED: {"_m_s": "m/s"},
    Quantity.CLOUD_COVER: PERCENT,
    Quantity.PRECIPITATION: {"_mm": "mm"},
    Quantity.PRICE: PRICE,
    Quantity.BUY_PRICE: PRICE,
    Quantity.SELL_PRICE: PRICE,
    Quantity.CARBON: {"_g_kwh": "g/kWh"},
}
"""The endings of a quantity's members and the units they stand for."""


def _unit(quantity: Quantity, name: str) -> Unit:
    unit = unit_of(quantity, name)
    assert unit is not None
    return unit


MEMBERS: Mapping[str, tuple[Quantity, Unit, int | None]] = {
    f"{quantity.value}{suffix}": (quantity, _unit(quantity, name), _unit(quantity, name).whole())
    for quantity, suffixes in SUFFIXES.items()
    for suffix, name in suffixes.items()
}
"""The members, what each is of, its unit, and what a whole number of it is multiplied by where that is all."""
