"""What a site shows: registers and power per tap, net energy per owner, and how it stands with its cloud."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args, override

from homeassistant.components.sensor import (
    RestoreSensor,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfEnergy, UnitOfPower, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .coordinator import CommonwattConfigEntry
from .entity import OwnerEntity, SiteEntity, TapEntity
from .metering import Reading
from .runtime import SiteRuntime
from .site import TapConfig
from .state import CloudState, OwnerState, SiteState, TapState
from .wire import Quality

PARALLEL_UPDATES = 0

MICRO = 1_000_000


@dataclass(frozen=True, kw_only=True)
class TapSensorDescription(SensorEntityDescription):
    """A tap's sensor; one that needs the meter is unavailable while the meter is silent."""

    value_fn: Callable[[TapState], StateType]
    needs_meter: bool = True


@dataclass(frozen=True, kw_only=True)
class RegisterDescription(SensorEntityDescription):
    """A tap's energy register, in Wh."""

    register_fn: Callable[[Reading], int]


@dataclass(frozen=True, kw_only=True)
class OwnerSensorDescription(SensorEntityDescription):
    """An owner's sensor."""

    value_fn: Callable[[OwnerState], StateType]


@dataclass(frozen=True, kw_only=True)
class SiteSensorDescription(SensorEntityDescription):
    """A sensor of the site itself."""

    value_fn: Callable[[SiteState], StateType | datetime]


@dataclass(frozen=True, kw_only=True)
class CloudSensorDescription(SensorEntityDescription):
    """A sensor of a site that has a cloud."""

    value_fn: Callable[[CloudState], StateType | datetime]


def _time(at: int | None) -> datetime | None:
    return None if at is None else dt_util.utc_from_timestamp(at)


TAP_SENSORS: tuple[TapSensorDescription, ...] = (
    TapSensorDescription(
        key="power",
        translation_key="power",
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda tap: tap.power_w,
    ),
    TapSensorDescription(
        key="quality",
        translation_key="quality",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(get_args(Quality.__value__)),
        needs_meter=False,
        value_fn=lambda tap: tap.quality,
    ),
)

# A meter may be exchanged, so its register may begin anew: total_increasing.
REGISTERS: tuple[RegisterDescription, ...] = (
    RegisterDescription(
        key="import_energy",
        translation_key="import_energy",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        state_class=SensorStateClass.TOTAL_INCREASING,
        register_fn=lambda reading: reading.import_wh,
    ),
    RegisterDescription(
        key="export_energy",
        translation_key="export_energy",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        state_class=SensorStateClass.TOTAL_INCREASING,
        register_fn=lambda reading: reading.export_wh,
    ),
)

OWNER_SENSORS: tuple[OwnerSensorDescription, ...] = (
    OwnerSensorDescription(
        key="net_energy_interval",
        translation_key="net_energy_interval",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_display_precision=0,
        value_fn=lambda owner: owner.last_wh,
    ),
    OwnerSensorDescription(
        key="net_energy",
        translation_key="net_energy",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=2,
        state_class=SensorStateClass.TOTAL,
        value_fn=lambda owner: owner.total_wh,
    ),
)

SITE_SENSORS: tuple[SiteSensorDescription, ...] = (
    SiteSensorDescription(
        key="last_closed_interval",
        translation_key="last_closed_interval",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda site: _time(site.last_end),
    ),
)

SITE_WITH_CLOUD_SENSORS: tuple[SiteSensorDescription, ...] = (
    SiteSensorDescription(
        key="outbox_depth",
        translation_key="outbox_depth",
        entity_category=EntityCategory.DIAGNOSTIC,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda site: site.depth,
    ),
)

CLOUD_SENSORS: tuple[CloudSensorDescription, ...] = (
    CloudSensorDescription(
        # points are no currency: a plain measurement, whose unit is a translated word
        key="balance",
        translation_key="balance",
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=2,
        value_fn=lambda cloud: None if cloud.balance_micro is None else cloud.balance_micro / MICRO,
    ),
    CloudSensorDescription(
        key="last_settled_interval",
        translation_key="last_settled_interval",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda cloud: _time(cloud.settled_through),
    ),
    CloudSensorDescription(
        key="clock_offset",
        translation_key="clock_offset",
        device_class=SensorDeviceClass.DURATION,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda cloud: cloud.clock_offset_ms,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors of the site, of its owners, and of every tap to the tap's own subentry."""
    runtime = entry.runtime_data
    site: list[SensorEntity] = [SiteSensor(runtime, description) for description in SITE_SENSORS]
    site += [
        OwnerSensor(runtime, owner, description)
        for owner in runtime.coordinator.owners
        for description in OWNER_SENSORS
    ]
    if runtime.cloud is not None:
        site += [SiteSensor(runtime, description) for description in SITE_WITH_CLOUD_SENSORS]
        site += [CloudSensor(runtime, description) for description in CLOUD_SENSORS]
    async_add_entities(site)
    for tap in runtime.coordinator.taps.values():
        sensors: list[SensorEntity] = [TapSensor(runtime, tap, description) for description in TAP_SENSORS]
        sensors += [RegisterSensor(runtime, tap, description) for description in REGISTERS]
        async_add_entities(sensors, config_subentry_id=tap.subentry_id)


class TapSensor(TapEntity, SensorEntity):
    """Shows a tap's state."""

    entity_description: TapSensorDescription

    @property
    @override
    def available(self) -> bool:
        state = self.coordinator.data.taps[self._tap]
        return super().available and not (
            self.entity_description.needs_meter and (state.silent or state.reading is None)
        )

    @property
    @override
    def native_value(self) -> StateType:
        return self.entity_description.value_fn(self.coordinator.data.taps[self._tap])


class RegisterSensor(TapEntity, RestoreSensor):
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
        state = self.coordinator.data.taps[self._tap]
        return super().available and state.reading is not None and not state.silent

    @property
    @override
    def native_value(self) -> StateType:
        state = self.coordinator.data.taps[self._tap]
        if state.reading is None:
            return None
        register_wh = self.entity_description.register_fn(state.reading)
        if state.reset_at_ms != self._reset_at_ms:
            self._highest_wh, self._reset_at_ms = 0, state.reset_at_ms
        self._highest_wh = max(self._highest_wh, register_wh)
        return self._highest_wh


class OwnerSensor(OwnerEntity, SensorEntity):
    """Shows an owner's energy."""

    entity_description: OwnerSensorDescription

    @property
    @override
    def native_value(self) -> StateType:
        return self.entity_description.value_fn(self.coordinator.data.owners[self._owner])


class SiteSensor(SiteEntity, SensorEntity):
    """Shows the site's own state."""

    entity_description: SiteSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        return self.entity_description.value_fn(self.coordinator.data)


class CloudSensor(SiteEntity, SensorEntity):
    """Shows what the cloud told."""

    entity_description: CloudSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        cloud = self.coordinator.data.cloud
        return None if cloud is None else self.entity_description.value_fn(cloud)


def _whole_wh(value: Any) -> int:
    try:
        return int(value)
    except TypeError, ValueError:
        return 0
