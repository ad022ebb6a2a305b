"""What a site shows: what stands at each tap, net energy per owner, and how the site stands with its cloud."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfEnergy, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .coordinator import CommonwattConfigEntry
from .entity import OwnerEntity, SiteEntity
from .link import OwnerPrice
from .runtime import SiteRuntime
from .site import tree_taps
from .state import CloudState, OwnerState, SiteState
from .supply import Supply
from .tap_sensors import add_tap_sensors
from .visit_sensors import add_reward_sensors, visit_sensor

PARALLEL_UPDATES = 0

MILLI = 1_000
MICRO = 1_000_000


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
        key="local_share_today",
        translation_key="local_share_today",
        native_unit_of_measurement=PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda cloud: None if cloud.today is None else cloud.today.near_percent,
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


# points are no currency; where a community has one, cost is told in it
COST_IN_POINTS = CloudSensorDescription(
    key="cost_today",
    translation_key="cost_today_points",
    suggested_display_precision=2,
    value_fn=lambda cloud: None if cloud.today is None else cloud.today.cost_micro / MICRO,
)
COST_IN_CURRENCY = CloudSensorDescription(
    key="cost_today",
    translation_key="cost_today",
    device_class=SensorDeviceClass.MONETARY,
    suggested_display_precision=2,
    value_fn=COST_IN_POINTS.value_fn,
)


@dataclass(frozen=True, kw_only=True)
class PriceSensorDescription(SensorEntityDescription):
    """A price of the main owner in the interval that runs, in micro-points per Wh."""

    price_fn: Callable[[OwnerPrice], int | None]


PRICES: Mapping[str, Callable[[OwnerPrice], int | None]] = {
    "grid_price": lambda price: price.grid_buy_micro_per_wh,
    "feed_in_price": lambda price: price.grid_sell_micro_per_wh,
    "local_price": lambda price: price.local_micro_per_wh,
}
PRICES_IN_CURRENCY = tuple(
    PriceSensorDescription(key=key, translation_key=key, suggested_display_precision=4, price_fn=price_fn)
    for key, price_fn in PRICES.items()
)
PRICES_IN_POINTS = tuple(
    PriceSensorDescription(key=key, translation_key=f"{key}_points", suggested_display_precision=2, price_fn=price_fn)
    for key, price_fn in PRICES.items()
)

# off by default: most owners do not pay ahead
CREDIT_RESERVE = SensorEntityDescription(
    key="credit_reserve",
    translation_key="credit_reserve",
    device_class=SensorDeviceClass.ENERGY_STORAGE,
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
    native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
    suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    suggested_display_precision=1,
    state_class=SensorStateClass.MEASUREMENT,
)


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors of the site, of its owners, and of every tap to the tap's own subentry."""
    runtime = entry.runtime_data
    site: list[SensorEntity] = [SiteSensor(runtime, description) for description in SITE_SENSORS]
    site += [OwnerSensor(runtime, owner, description) for owner in _netted(runtime) for description in OWNER_SENSORS]
    if runtime.cloud is not None:
        site += [SiteSensor(runtime, description) for description in SITE_WITH_CLOUD_SENSORS]
        site += [CloudSensor(runtime, description) for description in CLOUD_SENSORS]
        site.append(CostSensor(runtime))
        settings = runtime.coordinator.settings
        in_currency = settings.currency is not None and settings.points_per_unit is not None
        prices = PRICES_IN_CURRENCY if in_currency else PRICES_IN_POINTS
        site += [PriceSensor(runtime, description) for description in prices]
    if (supply := runtime.supply) is not None:
        site += [CreditReserve(runtime, owner, supply) for owner in runtime.coordinator.owners]
    async_add_entities(site)
    add_tap_sensors(runtime, partial(visit_sensor, runtime), async_add_entities)
    add_reward_sensors(hass, runtime, async_add_entities)


def _netted(runtime: SiteRuntime) -> list[str]:
    """Return whose energy is netted here: what a cable moves is in nobody's net."""
    site, settings = runtime.coordinator, runtime.coordinator.settings
    netted = {settings.main_owner, *(tap.owner for tap in tree_taps(site.taps, settings).values())}
    return [owner for owner in site.owners if owner in netted]


class OwnerSensor(OwnerEntity, SensorEntity):
    """Shows an owner's energy."""

    entity_description: OwnerSensorDescription

    @property
    @override
    def native_value(self) -> StateType:
        return self.entity_description.value_fn(self.coordinator.data.owners[self._owner])

    @property
    @override
    def _face(self) -> object:
        return self.native_value


class SiteSensor(SiteEntity, SensorEntity):
    """Shows the site's own state."""

    entity_description: SiteSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        return self.entity_description.value_fn(self.coordinator.data)

    @property
    @override
    def _face(self) -> object:
        return self.native_value


class CloudSensor(SiteEntity, SensorEntity):
    """Shows what the cloud told."""

    entity_description: CloudSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        cloud = self.coordinator.data.cloud
        return None if cloud is None else self.entity_description.value_fn(cloud)

    @property
    @override
    def _face(self) -> object:
        return self.native_value


class PriceSensor(SiteEntity, SensorEntity):
    """Shows a price per kWh: in the community's currency, or in points where there is none."""

    entity_description: PriceSensorDescription
    _attr_state_class = SensorStateClass.MEASUREMENT

    def __init__(self, runtime: SiteRuntime, description: PriceSensorDescription) -> None:
        """Take the unit of the site's settings; other settings come with a reload."""
        super().__init__(runtime, description)
        settings = runtime.coordinator.settings
        self._points_per_unit = settings.points_per_unit if settings.currency else None
        if self._points_per_unit is not None:
            self._attr_native_unit_of_measurement = f"{settings.currency}/{UnitOfEnergy.KILO_WATT_HOUR}"

    @property
    @override
    def native_value(self) -> StateType:
        cloud = self.coordinator.data.cloud
        price = None if cloud is None or cloud.price is None else self.entity_description.price_fn(cloud.price)
        # micro-points per Wh are thousandths of a point per kWh
        return None if price is None else price / MILLI / (self._points_per_unit or 1)

    @property
    @override
    def _face(self) -> object:
        return self.native_value


class CostSensor(CloudSensor):
    """Shows what today's energy has cost so far: in the community's currency, or in points where there is none."""

    _attr_state_class = SensorStateClass.TOTAL

    def __init__(self, runtime: SiteRuntime) -> None:
        """Choose the unit by the site's settings; other settings come with a reload."""
        settings = runtime.coordinator.settings
        self._points_per_unit = settings.points_per_unit if settings.currency else None
        super().__init__(runtime, COST_IN_POINTS if self._points_per_unit is None else COST_IN_CURRENCY)
        if self._points_per_unit is not None:
            self._attr_native_unit_of_measurement = settings.currency

    @property
    @override
    def last_reset(self) -> datetime | None:
        return dt_util.start_of_local_day()

    @property
    @override
    def native_value(self) -> StateType | datetime:
        cost = super().native_value
        return cost / (self._points_per_unit or 1) if isinstance(cost, (int, float)) else None

    @property
    @override
    def _face(self) -> object:
        return self.native_value, self.last_reset


class CreditReserve(OwnerEntity, SensorEntity):
    """Shows how much energy the points of an owner who pays ahead still buy."""

    def __init__(self, runtime: SiteRuntime, owner: str, supply: Supply) -> None:
        """Ask the site's supply."""
        super().__init__(runtime, owner, CREDIT_RESERVE)
        self._supply = supply

    @property
    @override
    def native_value(self) -> StateType:
        return self._supply.reserves_wh.get(self._owner)

    @property
    @override
    def _face(self) -> object:
        return self.native_value
