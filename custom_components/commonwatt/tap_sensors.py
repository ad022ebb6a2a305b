"""The sensors of what stands at a tap: its registers, its power, how sure they are, and all else its device tells."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args, override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, Platform, UnitOfEnergy, UnitOfPower
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .arrivals import EVERY_KIND
from .devices.port import Kind
from .entity import TapEntity
from .metering import Reading
from .quantities import ENERGY_NEEDED, KINDS_WITH_A_BATTERY, QUANTITY_SENSORS, QuantitySensorDescription
from .runtime import SiteRuntime
from .site import TapConfig
from .wire import Quality
from .wish import energy_needed_wh

POWER = SensorEntityDescription(
    key="power",
    device_class=SensorDeviceClass.POWER,
    native_unit_of_measurement=UnitOfPower.WATT,
    state_class=SensorStateClass.MEASUREMENT,
    suggested_display_precision=0,
)

# of what stands in the tap tree: a cable's intervals are signed by itself
QUALITY = SensorEntityDescription(
    key="quality",
    translation_key="quality",
    device_class=SensorDeviceClass.ENUM,
    entity_category=EntityCategory.DIAGNOSTIC,
    options=list(get_args(Quality.__value__)),
)

OWNER = SensorEntityDescription(key="owner", translation_key="owner", entity_category=EntityCategory.DIAGNOSTIC)


@dataclass(frozen=True, kw_only=True)
class RegisterDescription(SensorEntityDescription):
    """A tap's energy register, in Wh, at devices of these kinds. A meter may be exchanged: total_increasing."""

    register_fn: Callable[[Reading], int]
    kinds: frozenset[Kind]
    device_class: SensorDeviceClass = SensorDeviceClass.ENERGY
    native_unit_of_measurement: str = UnitOfEnergy.WATT_HOUR
    suggested_unit_of_measurement: str = UnitOfEnergy.KILO_WATT_HOUR
    suggested_display_precision: int = 2
    state_class: SensorStateClass = SensorStateClass.TOTAL_INCREASING


def _import_wh(reading: Reading) -> int:
    return reading.import_wh


def _export_wh(reading: Reading) -> int:
    return reading.export_wh


REGISTERS: tuple[RegisterDescription, ...] = (
    RegisterDescription(
        key="import_energy",
        translation_key="import_energy",
        kinds=EVERY_KIND - KINDS_WITH_A_BATTERY,
        register_fn=_import_wh,
    ),
    RegisterDescription(
        key="import_energy", translation_key="charged_energy", kinds=KINDS_WITH_A_BATTERY, register_fn=_import_wh
    ),
    RegisterDescription(
        key="export_energy",
        translation_key="export_energy",
        kinds=EVERY_KIND - KINDS_WITH_A_BATTERY,
        register_fn=_export_wh,
    ),
    RegisterDescription(
        key="export_energy",
        translation_key="discharged_energy",
        kinds=KINDS_WITH_A_BATTERY - {"charger"},
        register_fn=_export_wh,
    ),
    RegisterDescription(  # few chargers can take energy back from a car
        key="export_energy",
        translation_key="discharged_energy",
        kinds=frozenset({"charger"}),
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        register_fn=_export_wh,
    ),
)


type MakeVisitSensor = Callable[[TapConfig, QuantitySensorDescription], SensorEntity | None]


def add_tap_sensors(
    runtime: SiteRuntime, make_visit_sensor: MakeVisitSensor, add: AddConfigEntryEntitiesCallback
) -> None:
    """Add to every tap what it always has, then what its device tells, now or later.

    Of a cable that the cloud knows, some is better known by the site: `make_visit_sensor` makes those.
    """
    for tap in runtime.coordinator.taps.values():
        sensors: list[SensorEntity] = [PowerSensor(runtime, tap, POWER), OwnerName(runtime, tap, OWNER)]
        sensors += [RegisterSensor(runtime, tap, register) for register in REGISTERS if tap.kind in register.kinds]
        if tap.kind != "cable":
            sensors.append(QualitySensor(runtime, tap, QUALITY))
        add(sensors, config_subentry_id=tap.subentry_id)

    def make(tap: TapConfig, description: QuantitySensorDescription) -> SensorEntity:
        made = EnergyNeeded if description is ENERGY_NEEDED else QuantitySensor
        return make_visit_sensor(tap, description) or made(runtime, tap, description)

    runtime.arrivals.async_join(Platform.SENSOR, QUANTITY_SENSORS, make, add)


class TapSensor(TapEntity, SensorEntity):
    """A sensor of a tap; unavailable while the device is silent."""

    shows_only_tap = True

    @property
    @override
    def available(self) -> bool:
        return self._answers

    @property
    @override
    def _face(self) -> object:
        return self.native_value


class PowerSensor(TapSensor):
    """Shows the power, import positive."""

    @property
    @override
    def native_value(self) -> StateType:
        return self._tap_state.power_w


class QuantitySensor(TapSensor):
    """Shows a quantity; unknown while the device does not tell it."""

    entity_description: QuantitySensorDescription

    @property
    @override
    def native_value(self) -> StateType:
        value = self._tap_state.values.get(self.entity_description.quantity)
        options = self.entity_description.options
        return None if options is not None and value not in options else value


class EnergyNeeded(QuantitySensor):
    """Shows what a car's battery lacks of the charge that is wished for."""

    shows_only_tap = False

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: QuantitySensorDescription) -> None:
        """Look at the wish at every turn."""
        super().__init__(runtime, tap, description)
        self._wishes = runtime.wishes

    @property
    @override
    def native_value(self) -> StateType:
        values = self._tap_state.values
        soc, capacity = values.get("soc_percent"), values.get("capacity_wh")
        if not isinstance(soc, int | float) or not isinstance(capacity, int | float):
            return None
        return energy_needed_wh(self._wishes[self._tap], soc, capacity)


class QualitySensor(TapEntity, SensorEntity):
    """Shows how sure the interval closed last is, also while the device is silent."""

    shows_only_tap = True

    @property
    @override
    def native_value(self) -> StateType:
        return self._tap_state.quality

    @property
    @override
    def _face(self) -> object:
        return self.native_value


class OwnerName(TapEntity, SensorEntity):
    """Shows who owns what stands here; another owner comes with a reload."""

    shows_only_tap = True

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: SensorEntityDescription) -> None:
        """Take the owner's name."""
        super().__init__(runtime, tap, description)
        settings = runtime.coordinator.settings
        self._attr_native_value = settings.owners[settings.owner_or_main(tap.owner)]

    @property
    @override
    def _face(self) -> object:
        return None


class RegisterSensor(TapSensor, RestoreSensor):
    """Shows an energy register, which never goes back unless the meter was exchanged or reset."""

    entity_description: RegisterDescription

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: RegisterDescription) -> None:
        """Know no highest value yet."""
        super().__init__(runtime, tap, description)
        self._highest_wh = 0
        self._reset_at_ms = 0

    @override
    async def async_added_to_hass(self) -> None:
        if (last := await self.async_get_last_sensor_data()) is not None:
            self._highest_wh = _whole_wh(last.native_value)
        await super().async_added_to_hass()

    @property
    @override
    def available(self) -> bool:
        return self._answers and self._tap_state.reading is not None

    @property
    @override
    def native_value(self) -> StateType:
        state = self._tap_state
        if state.reading is None:
            return None
        register_wh = self.entity_description.register_fn(state.reading)
        if state.reset_at_ms != self._reset_at_ms:
            self._highest_wh, self._reset_at_ms = 0, state.reset_at_ms
        self._highest_wh = max(self._highest_wh, register_wh)
        return self._highest_wh


def _whole_wh(value: Any) -> int:
    try:
        return int(value)
    except TypeError, ValueError:
        return 0
