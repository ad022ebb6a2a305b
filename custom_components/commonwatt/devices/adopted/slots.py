"""The slots of an adopted device: what each kind may take from existing entities, and what fits into each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.components.number import NumberDeviceClass
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import (
    PERCENTAGE,
    Platform,
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfPower,
    UnitOfReactivePower,
)
from homeassistant.util.unit_conversion import (
    ApparentPowerConverter,
    BaseUnitConverter,
    ElectricCurrentConverter,
    ElectricPotentialConverter,
    EnergyConverter,
    FrequencyConverter,
    PowerConverter,
    ReactivePowerConverter,
    UnitlessRatioConverter,
)

from ..port import Kind, Quantity

# Slots that are no quantity: the registers, and the signed power that goes with them.
type RegisterSlot = Literal["import_entity", "export_entity", "power_entity", "export_power_entity"]
type SlotName = RegisterSlot | Quantity
# Where a form shows a slot: in sight, or in a section that is folded up.
type Section = Literal["electrical", "phases"]

# Which way energy can flow, where a register is made from power.
type Direction = Literal["import", "export", "both"]

SENSOR, BINARY_SENSOR, SWITCH, NUMBER, SELECT = (
    str(platform)
    for platform in (Platform.SENSOR, Platform.BINARY_SENSOR, Platform.SWITCH, Platform.NUMBER, Platform.SELECT)
)
INPUT_BOOLEAN, INPUT_NUMBER, INPUT_SELECT = "input_boolean", "input_number", "input_select"


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing an entity may tell, or be told.

    `device_classes` narrow what a form offers; what counts is that `converter` makes `unit` of the entity's own unit. A
    slot without a converter holds no number.
    """

    name: SlotName
    domains: tuple[str, ...] = (SENSOR,)
    device_classes: tuple[str, ...] = ()
    converter: type[BaseUnitConverter] | None = None
    unit: str | None = None
    section: Section | None = None
    required: bool = False


def _energy(name: SlotName, section: Section | None = None) -> Slot:
    return Slot(name, (SENSOR,), (SensorDeviceClass.ENERGY,), EnergyConverter, UnitOfEnergy.WATT_HOUR, section)


def _power(name: SlotName, section: Section | None = None) -> Slot:
    return Slot(name, (SENSOR,), (SensorDeviceClass.POWER,), PowerConverter, UnitOfPower.WATT, section)


def _voltage(name: SlotName, section: Section) -> Slot:
    unit = UnitOfElectricPotential.VOLT
    return Slot(name, (SENSOR,), (SensorDeviceClass.VOLTAGE,), ElectricPotentialConverter, unit, section)


def _current(name: SlotName, section: Section) -> Slot:
    unit = UnitOfElectricCurrent.AMPERE
    return Slot(name, (SENSOR,), (SensorDeviceClass.CURRENT,), ElectricCurrentConverter, unit, section)


IMPORT, EXPORT, POWER = _energy("import_entity"), _energy("export_entity"), _power("power_entity")

ELECTRICAL = (
    _power("export_power_entity", "electrical"),
    _voltage("voltage_v", "electrical"),
    _current("current_a", "electrical"),
    Slot(
        "power_factor", (SENSOR,), (SensorDeviceClass.POWER_FACTOR,), UnitlessRatioConverter, None, section="electrical"
    ),
    Slot(
        "frequency_hz",
        (SENSOR,),
        (SensorDeviceClass.FREQUENCY,),
        FrequencyConverter,
        UnitOfFrequency.HERTZ,
        section="electrical",
    ),
    Slot(
        "apparent_power_va",
        (SENSOR,),
        (SensorDeviceClass.APPARENT_POWER,),
        ApparentPowerConverter,
        UnitOfApparentPower.VOLT_AMPERE,
        section="electrical",
    ),
    Slot(
        "reactive_power_var",
        (SENSOR,),
        (SensorDeviceClass.REACTIVE_POWER,),
        ReactivePowerConverter,
        UnitOfReactivePower.VOLT_AMPERE_REACTIVE,
        section="electrical",
    ),
)
PHASES = (
    _voltage("voltage_l1_v", "phases"),
    _voltage("voltage_l2_v", "phases"),
    _voltage("voltage_l3_v", "phases"),
    _current("current_l1_a", "phases"),
    _current("current_l2_a", "phases"),
    _current("current_l3_a", "phases"),
    _power("power_l1_w", "phases"),
    _power("power_l2_w", "phases"),
    _power("power_l3_w", "phases"),
)
SOC = Slot("soc_percent", (SENSOR,), (SensorDeviceClass.BATTERY,), UnitlessRatioConverter, PERCENTAGE)
CHARGING = (
    Slot("charger_state", (SENSOR,)),
    Slot(
        "plugged",
        (BINARY_SENSOR, INPUT_BOOLEAN),
        (BinarySensorDeviceClass.PLUG, BinarySensorDeviceClass.CONNECTIVITY),
    ),
    _energy("session_wh"),
    Slot("charge", (SWITCH, INPUT_BOOLEAN)),
    Slot(
        "current_limit_a",
        (NUMBER, INPUT_NUMBER),
        (NumberDeviceClass.CURRENT,),
        ElectricCurrentConverter,
        UnitOfElectricCurrent.AMPERE,
    ),
    Slot("mode", (SELECT, INPUT_SELECT)),
    SOC,
)
SET_POINT = Slot("set_point_w", (NUMBER, INPUT_NUMBER), (NumberDeviceClass.POWER,), PowerConverter, UnitOfPower.WATT)
CAPACITY = Slot(
    "capacity_wh",
    (SENSOR, NUMBER, INPUT_NUMBER),
    (SensorDeviceClass.ENERGY_STORAGE, SensorDeviceClass.ENERGY),
    EnergyConverter,
    UnitOfEnergy.WATT_HOUR,
)

SLOTS: Mapping[Kind, tuple[Slot, ...]] = {
    "meter": (IMPORT, EXPORT, POWER, *ELECTRICAL, _power("demand_w", "electrical"), *PHASES),
    "tap": (IMPORT, EXPORT, POWER, *ELECTRICAL, *PHASES),
    "charger": (IMPORT, POWER, *CHARGING, *ELECTRICAL[1:], *PHASES),
    "cable": (IMPORT, EXPORT, POWER, *CHARGING, *ELECTRICAL, *PHASES),
    "battery": (IMPORT, EXPORT, POWER, SOC, SET_POINT, CAPACITY, *ELECTRICAL),
}

REGISTER_SLOTS: tuple[RegisterSlot, ...] = ("import_entity", "export_entity", "power_entity", "export_power_entity")

BY_NAME: Mapping[str, Slot] = {slot.name: slot for slots in SLOTS.values() for slot in slots}
