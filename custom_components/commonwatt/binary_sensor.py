"""Whether a site is in touch with its cloud, a tap is cut off, a car is plugged in."""

from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .arrivals import QuantityDescription
from .coordinator import CommonwattConfigEntry
from .entity import SiteEntity, TapEntity
from .quantities import CABLE
from .runtime import SiteRuntime
from .site import TapConfig
from .wish import KINDS_WITH_A_CAR

PARALLEL_UPDATES = 0

CLOUD_LINK = BinarySensorEntityDescription(
    key="cloud_link",
    translation_key="cloud_link",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)

CUT_OFF = BinarySensorEntityDescription(
    key="cut_off", translation_key="cut_off", device_class=BinarySensorDeviceClass.PROBLEM
)


@dataclass(frozen=True, kw_only=True)
class QuantityBinaryDescription(QuantityDescription, BinarySensorEntityDescription):
    """A binary sensor that shows a quantity as it is told."""


CHARGING: tuple[QuantityBinaryDescription, ...] = (
    QuantityBinaryDescription(
        key="plugged", quantity="plugged", kinds=KINDS_WITH_A_CAR, device_class=BinarySensorDeviceClass.PLUG
    ),
    QuantityBinaryDescription(
        key="charge", translation_key="charge", quantity="charge", kinds=KINDS_WITH_A_CAR, read_only=True
    ),
    QuantityBinaryDescription(
        key="signed_valid",
        translation_key="signed_valid",
        quantity="signed_valid",
        kinds=CABLE,
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add what devices tell, the link of a site that has a cloud, and whether its taps are cut off."""
    runtime = entry.runtime_data

    def make(tap: TapConfig, description: QuantityBinaryDescription) -> QuantityBinarySensor:
        return QuantityBinarySensor(runtime, tap, description)

    runtime.arrivals.async_join(Platform.BINARY_SENSOR, CHARGING, make, async_add_entities)
    if runtime.cloud is None:
        return
    async_add_entities([CloudLink(runtime, CLOUD_LINK)])
    for tap in runtime.breakers:
        config = runtime.coordinator.taps[tap]
        async_add_entities([CutOff(runtime, config, CUT_OFF)], config_subentry_id=config.subentry_id)


class CloudLink(SiteEntity, BinarySensorEntity):
    """On while the cloud answers."""

    @property
    @override
    def is_on(self) -> bool | None:
        cloud = self.coordinator.data.cloud
        return None if cloud is None else cloud.connected

    @property
    @override
    def _face(self) -> object:
        return self.is_on


class CutOff(TapEntity, BinarySensorEntity):
    """On while a tap's breaker is open for want of its owner's credit."""

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: BinarySensorEntityDescription) -> None:
        """Ask the site's supply."""
        super().__init__(runtime, tap, description)
        self._supply = runtime.supply

    @property
    @override
    def is_on(self) -> bool | None:
        return None if self._supply is None else self._supply.breakers.is_cut_off(self._tap)

    @property
    @override
    def _face(self) -> object:
        return self.is_on


class QuantityBinarySensor(TapEntity, BinarySensorEntity):
    """On while the device says so; unknown while it says nothing of it."""

    entity_description: QuantityBinaryDescription
    shows_only_tap = True

    @property
    @override
    def available(self) -> bool:
        return self._answers

    @property
    @override
    def is_on(self) -> bool | None:
        value = self._tap_state.values.get(self.entity_description.quantity)
        return None if value is None else bool(value)

    @property
    @override
    def _face(self) -> object:
        return self.is_on
