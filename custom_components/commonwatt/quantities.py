"""The table of sensors: how each quantity of a device is shown, by kind of device; the entities follow from it."""

from dataclasses import dataclass
from typing import get_args

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription, SensorStateClass
from homeassistant.const import (
    PERCENTAGE,
    EntityCategory,
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfPower,
    UnitOfReactivePower,
)

from .arrivals import QuantityDescription
from .devices.port import ChargerState, Kind, Permission, Quantity
from .wire import Verdict
from .wish import KINDS_WITH_A_CAR

TAP: frozenset[Kind] = frozenset({"tap"})
METER: frozenset[Kind] = frozenset({"meter"})
CABLE: frozenset[Kind] = frozenset({"cable"})
KINDS_WITH_A_BATTERY: frozenset[Kind] = KINDS_WITH_A_CAR | {"battery"}
KINDS_WITH_A_SET_POINT: frozenset[Kind] = frozenset({"cable", "battery"})


@dataclass(frozen=True, kw_only=True)
class QuantitySensorDescription(QuantityDescription, SensorEntityDescription):
    """A sensor that shows a quantity as it is told."""


PHASES: tuple[tuple[str, Quantity, Quantity, Quantity], ...] = (
    ("l1", "voltage_l1_v", "current_l1_a", "power_l1_w"),
    ("l2", "voltage_l2_v", "current_l2_a", "power_l2_w"),
    ("l3", "voltage_l3_v", "current_l3_a", "power_l3_w"),
)


def _of_phase(phase: str, voltage: Quantity, current: Quantity, power: Quantity) -> list[QuantitySensorDescription]:
    return [
        QuantitySensorDescription(
            key=f"voltage_{phase}",
            translation_key=f"voltage_{phase}",
            quantity=voltage,
            device_class=SensorDeviceClass.VOLTAGE,
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
            native_unit_of_measurement=UnitOfElectricPotential.VOLT,
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=1,
        ),
        QuantitySensorDescription(
            key=f"current_{phase}",
            translation_key=f"current_{phase}",
            quantity=current,
            device_class=SensorDeviceClass.CURRENT,
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
            native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=2,
        ),
        QuantitySensorDescription(
            key=f"power_{phase}",
            translation_key=f"power_{phase}",
            quantity=power,
            device_class=SensorDeviceClass.POWER,
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
            native_unit_of_measurement=UnitOfPower.WATT,
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=0,
        ),
    ]


# What an inverter takes from its panels, in all and input by input.
DIRECT_CURRENT: tuple[tuple[str, Quantity], ...] = (
    ("dc_power", "dc_power_w"),
    ("dc_power_1", "dc_power_1_w"),
    ("dc_power_2", "dc_power_2_w"),
    ("dc_power_3", "dc_power_3_w"),
    ("dc_power_4", "dc_power_4_w"),
)


def _of_direct_current(key: str, power: Quantity) -> QuantitySensorDescription:
    return QuantitySensorDescription(
        key=key,
        translation_key=key,
        quantity=power,
        kinds=TAP,
        device_class=SensorDeviceClass.POWER,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
    )


# What everybody looks for is on; what only a few need is off and among the diagnostics.
ELECTRICAL: tuple[QuantitySensorDescription, ...] = (
    QuantitySensorDescription(
        key="voltage",
        quantity="voltage_v",
        device_class=SensorDeviceClass.VOLTAGE,
        native_unit_of_measurement=UnitOfElectricPotential.VOLT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
    ),
    QuantitySensorDescription(
        key="current",
        quantity="current_a",
        device_class=SensorDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
    ),
    *(description for phase in PHASES for description in _of_phase(*phase)),
    QuantitySensorDescription(
        key="apparent_power",
        quantity="apparent_power_va",
        device_class=SensorDeviceClass.APPARENT_POWER,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfApparentPower.VOLT_AMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
    ),
    QuantitySensorDescription(
        key="reactive_power",
        quantity="reactive_power_var",
        device_class=SensorDeviceClass.REACTIVE_POWER,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfReactivePower.VOLT_AMPERE_REACTIVE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
    ),
    QuantitySensorDescription(
        key="power_factor",
        quantity="power_factor",
        device_class=SensorDeviceClass.POWER_FACTOR,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
    ),
    QuantitySensorDescription(
        key="frequency",
        quantity="frequency_hz",
        device_class=SensorDeviceClass.FREQUENCY,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfFrequency.HERTZ,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
    ),
    *(_of_direct_current(*power) for power in DIRECT_CURRENT),
    QuantitySensorDescription(
        key="demand",
        translation_key="demand",
        quantity="demand_w",
        kinds=METER,
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
    ),
    QuantitySensorDescription(
        key="demand_max",
        translation_key="demand_max",
        quantity="demand_max_w",
        kinds=METER,
        device_class=SensorDeviceClass.POWER,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
    ),
)

CHARGING: tuple[QuantitySensorDescription, ...] = (
    QuantitySensorDescription(
        key="charger_state",
        translation_key="charger_state",
        quantity="charger_state",
        kinds=KINDS_WITH_A_CAR,
        device_class=SensorDeviceClass.ENUM,
        options=list(get_args(ChargerState.__value__)),
    ),
    QuantitySensorDescription(
        key="session_energy",
        translation_key="session_energy",
        quantity="session_wh",
        kinds=KINDS_WITH_A_CAR,
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        state_class=SensorStateClass.TOTAL_INCREASING,
    ),
    QuantitySensorDescription(
        key="state_of_charge",
        translation_key="state_of_charge",
        quantity="soc_percent",
        kinds=KINDS_WITH_A_BATTERY,
        device_class=SensorDeviceClass.BATTERY,
        native_unit_of_measurement=PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
    ),
    QuantitySensorDescription(
        key="capacity",
        translation_key="capacity",
        quantity="capacity_wh",
        kinds=KINDS_WITH_A_BATTERY,
        device_class=SensorDeviceClass.ENERGY_STORAGE,
        entity_category=EntityCategory.DIAGNOSTIC,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        state_class=SensorStateClass.MEASUREMENT,
    ),
    QuantitySensorDescription(
        key="current_limit",
        translation_key="current_limit",
        quantity="current_limit_a",
        kinds=KINDS_WITH_A_CAR,
        read_only=True,
        device_class=SensorDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
    ),
    QuantitySensorDescription(
        key="mode",
        translation_key="mode",
        quantity="mode",
        kinds=KINDS_WITH_A_BATTERY,
        read_only=True,
    ),
    QuantitySensorDescription(
        key="set_point",
        translation_key="set_point",
        quantity="set_point_w",
        kinds=KINDS_WITH_A_SET_POINT,
        read_only=True,
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
    ),
)

# A cable is told these by the site where it is plugged in, not by a person: sensors even where they can be told.
PLUGGED_AT: tuple[QuantitySensorDescription, ...] = (
    QuantitySensorDescription(
        key="site_id",
        translation_key="site_id",
        quantity="site_id",
        kinds=CABLE,
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    QuantitySensorDescription(
        key="permission",
        translation_key="permission",
        quantity="permission",
        kinds=CABLE,
        device_class=SensorDeviceClass.ENUM,
        options=list(get_args(Permission.__value__)),
    ),
    QuantitySensorDescription(
        key="agreement",
        translation_key="agreement",
        quantity="agreement",
        kinds=CABLE,
        device_class=SensorDeviceClass.ENUM,
        options=list(get_args(Verdict.__value__)),
    ),
)

# What a cable says of who charges is of nobody's concern but theirs: off until somebody wants it.
SIGNED: tuple[QuantitySensorDescription, ...] = (
    QuantitySensorDescription(
        key="signed_number",
        translation_key="signed_number",
        quantity="signed_number",
        kinds=CABLE,
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    QuantitySensorDescription(
        key="vehicle_id",
        translation_key="vehicle_id",
        quantity="vehicle_id",
        kinds=CABLE,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    ),
    QuantitySensorDescription(
        key="user_id",
        translation_key="user_id",
        quantity="user_id",
        kinds=CABLE,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    ),
)

# Until the state of charge that a person wished for; only where both charge and capacity are known.
ENERGY_NEEDED = QuantitySensorDescription(
    key="energy_needed",
    translation_key="energy_needed",
    quantity="soc_percent",
    needs=("capacity_wh",),
    kinds=KINDS_WITH_A_CAR,
    device_class=SensorDeviceClass.ENERGY_STORAGE,
    native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
    suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    suggested_display_precision=1,
    state_class=SensorStateClass.MEASUREMENT,
)

QUANTITY_SENSORS = (*ELECTRICAL, *CHARGING, *PLUGGED_AT, *SIGNED, ENERGY_NEEDED)
