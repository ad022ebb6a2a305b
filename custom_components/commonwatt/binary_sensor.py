"""Whether a site is in touch with its cloud."""

from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import CommonwattConfigEntry
from .entity import SiteEntity

PARALLEL_UPDATES = 0

CLOUD_LINK = BinarySensorEntityDescription(
    key="cloud_link",
    translation_key="cloud_link",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the link's sensor to a site that has a cloud."""
    if entry.runtime_data.cloud is not None:
        async_add_entities([CloudLink(entry.runtime_data, CLOUD_LINK)])


class CloudLink(SiteEntity, BinarySensorEntity):
    """On while the cloud answers."""

    @property
    @override
    def is_on(self) -> bool | None:
        cloud = self.coordinator.data.cloud
        return None if cloud is None else cloud.connected
