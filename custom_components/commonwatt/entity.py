"""What every entity of a site shares: its device, its id for ever, and the state it shows."""

from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import SiteCoordinator
from .runtime import SiteRuntime
from .site import TapConfig
from .sources import ModbusSource


def tap_identifier(key_id: str, tap: str) -> tuple[str, str]:
    """Return what a tap's device is known by."""
    return DOMAIN, f"{key_id}_{tap}"


def owner_identifier(key_id: str, owner: str) -> tuple[str, str]:
    """Return what an owner's device is known by."""
    return DOMAIN, f"{key_id}_owner_{owner}"


def device_identifiers(runtime: SiteRuntime) -> set[tuple[str, str]]:
    """Return what the devices of a site are known by: the site, its taps, those who own something in it."""
    site = runtime.coordinator
    return {
        (DOMAIN, runtime.key_id),
        *(tap_identifier(runtime.key_id, tap) for tap in site.taps),
        *(owner_identifier(runtime.key_id, owner) for owner in site.owners),
    }


class SiteEntity(CoordinatorEntity[SiteCoordinator]):
    """An entity of the site itself."""

    _attr_has_entity_name = True

    def __init__(self, runtime: SiteRuntime, description: EntityDescription) -> None:
        """Belong to the site's device."""
        super().__init__(runtime.coordinator)
        self.entity_description = description
        self._attr_unique_id = f"{runtime.key_id}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, runtime.key_id)})


class TapEntity(SiteEntity):
    """An entity of a tap or meter."""

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: EntityDescription) -> None:
        """Belong to the tap's device, which tells what measures there."""
        super().__init__(runtime, description)
        self._tap = tap.tap
        self._attr_unique_id = f"{runtime.key_id}_{tap.tap}_{description.key}"
        device = DeviceInfo(
            identifiers={tap_identifier(runtime.key_id, tap.tap)}, name=tap.name, via_device_id=runtime.device_id
        )
        if isinstance(tap.source, ModbusSource) and (profile := runtime.profiles.get(tap.source.profile)):
            device["manufacturer"], device["model"] = profile.manufacturer, profile.model
            device["serial_number"] = tap.source.serial
        self._attr_device_info = device


class OwnerEntity(SiteEntity):
    """An entity of somebody who owns taps here."""

    def __init__(self, runtime: SiteRuntime, owner: str, description: EntityDescription) -> None:
        """Belong to the owner's device."""
        super().__init__(runtime, description)
        self._owner = owner
        self._attr_unique_id = f"{runtime.key_id}_owner_{owner}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={owner_identifier(runtime.key_id, owner)},
            entry_type=DeviceEntryType.SERVICE,
            name=runtime.coordinator.owners[owner],
            via_device_id=runtime.device_id,
        )
