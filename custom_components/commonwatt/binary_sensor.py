"""Whether a site is in touch with its cloud, and whether a tap is cut off."""

from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import CommonwattConfigEntry
from .entity import SiteEntity, TapEntity
from .runtime import SiteRuntime
from .site import TapConfig

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


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the link's sensor to a site that has a cloud, and one to each of its taps that can be cut off."""
    runtime = entry.runtime_data
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
