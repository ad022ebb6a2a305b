"""A site's devices in Home Assistant's registry: what stands at each tap, below which other; those gone are removed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er

from .const import DOMAIN
from .devices.port import DeviceIdentity, Identified
from .site import TapConfig
from .sources import EntitiesSource

if TYPE_CHECKING:
    from .coordinator import SiteCoordinator
    from .runtime import SiteRuntime

UNKNOWN: Mapping[str, Any] = dict.fromkeys(("manufacturer", "model", "serial_number", "sw_version"))


def tap_identifier(key_id: str, tap: str) -> tuple[str, str]:
    """Return what a tap's device is known by."""
    return DOMAIN, f"{key_id}_{tap}"


def owner_identifier(key_id: str, owner: str) -> tuple[str, str]:
    """Return what an owner's device is known by."""
    return DOMAIN, f"{key_id}_owner_{owner}"


def device_identifiers(key_id: str, site: SiteCoordinator) -> set[tuple[str, str]]:
    """Return what the devices of a site are known by: the site, its taps, those who own something in it."""
    return {
        (DOMAIN, key_id),
        *(tap_identifier(key_id, tap) for tap in site.taps),
        *(owner_identifier(key_id, owner) for owner in site.owners),
    }


def upstream_first(taps: Mapping[str, TapConfig]) -> list[TapConfig]:
    """Return taps so that each comes after the one it hangs below."""
    ordered: dict[str, TapConfig] = {}
    for tap in taps.values():
        chain: dict[str, TapConfig] = {}
        at: TapConfig | None = tap
        while at is not None and at.tap not in ordered and at.tap not in chain:
            chain[at.tap] = at
            at = taps.get(at.parent or "")
        ordered |= dict(reversed(chain.items()))
    return list(ordered.values())


class Hardware:
    """Keeps the device registry as the site is: the tree of taps is the tree of devices."""

    def __init__(self, hass: HomeAssistant, entry_id: str, runtime: SiteRuntime) -> None:
        """Take a site whose own device is registered."""
        self.key_id = runtime.key_id
        self._hass = hass
        self._entry_id = entry_id
        self._runtime = runtime
        self._registry = dr.async_get(hass)
        self._ids: dict[str, str] = {}
        self._identified = {tap: device for tap, device in runtime.devices.items() if isinstance(device, Identified)}
        self._told: dict[str, DeviceIdentity] = {}

    @callback
    def async_register(self) -> None:
        """Register every tap's device below that of the tap upstream; remove those of taps and owners that are gone."""
        for tap in upstream_first(self._runtime.coordinator.taps):
            self._ids[tap.tap] = self._registry.async_get_or_create(
                config_entry_id=self._entry_id,
                config_subentry_id=tap.subentry_id,
                identifiers={tap_identifier(self.key_id, tap.tap)},
                name=tap.name,
                via_device_id=self._ids.get(tap.parent or "", self._runtime.device_id),
                **self._described(tap),
            ).id
        current = device_identifiers(self.key_id, self._runtime.coordinator)
        for device in dr.async_entries_for_config_entry(self._registry, self._entry_id):
            if not device.identifiers & current:
                self._registry.async_remove_device(device.id)

    @callback
    def async_answered(self, tap: TapConfig) -> None:
        """Write down what a device says of itself, where that is new."""
        device = self._identified.get(tap.tap)
        if device is None or (identity := device.identity) is None or identity == self._told.get(tap.tap):
            return
        self._told[tap.tap] = identity
        self._registry.async_update_device(self._ids[tap.tap], **_of_identity(identity))

    def _described(self, tap: TapConfig) -> dict[str, Any]:
        """Return maker, model and the like as far as they are known, from whoever knows them best."""
        if isinstance(tap.source, EntitiesSource):
            return {**UNKNOWN, **self._adopted(tap.source)}
        info: dict[str, Any] = {"serial_number": tap.source.serial}
        if not self._is_registered(tap, tap.source.serial):  # nothing of what stood here before is true of this one
            info = {**UNKNOWN, **info}
            if (profile := self._runtime.profiles.get(tap.source.profile)) is not None:
                info |= {"manufacturer": profile.manufacturer, "model": profile.model}
        device = self._identified.get(tap.tap)
        if device is not None and device.identity is not None:
            self._told[tap.tap] = device.identity
            info |= _of_identity(device.identity)
        return info

    def _is_registered(self, tap: TapConfig, serial: str | None) -> bool:
        """Tell whether the very device with this serial number stood at the tap before."""
        identifier = tap_identifier(self.key_id, tap.tap)
        known = self._registry.async_get_device_by_identifier(identifier, self._entry_id)
        return isinstance(known, dr.DeviceEntry) and serial is not None and known.serial_number == serial

    def _adopted(self, source: EntitiesSource) -> dict[str, Any]:
        """Return what is known of the device whose entities were adopted, and the area it is in."""
        registry = er.async_get(self._hass)
        references = [source.power_entity, source.import_entity, source.export_entity, *source.entities.values()]
        for reference in references:
            found = None if reference is None else er.async_resolve_entity_id(registry, reference)
            entity = None if found is None else registry.async_get(found)
            if entity is None or entity.device_id is None:
                continue
            device = self._registry.async_get(entity.device_id, include_child_devices=False)
            if device is None:
                continue
            info = {
                "manufacturer": device.manufacturer,
                "model": device.model,
                "serial_number": device.serial_number,
                "sw_version": device.sw_version,
            }
            area_id = entity.area_id or device.area_id
            if area_id is not None and (area := ar.async_get(self._hass).async_get_area(area_id)) is not None:
                info["suggested_area"] = area.name
            return info
        return {}


def _of_identity(identity: DeviceIdentity) -> dict[str, Any]:
    """Return what a device says of itself in the registry's words; where it is silent, what was known stays."""
    told = {
        "manufacturer": identity.manufacturer,
        "model": identity.model,
        "serial_number": identity.serial,
        "sw_version": identity.firmware,
    }
    return {name: word for name, word in told.items() if word is not None}
