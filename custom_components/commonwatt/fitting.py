"""Fitting: what stands at each tap becomes a device that can be read, or one that says why it cannot."""

from collections.abc import Mapping

from homeassistant.components.modbus import async_get_unit
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from .coordinator import CommonwattConfigEntry
from .devices.absent import AbsentDevice
from .devices.adopted import AdoptedDevice
from .devices.line import line_params
from .devices.modbus import ModbusDevice
from .devices.port import Device
from .devices.profile import Profile
from .issues import show_issue
from .site import TapConfig
from .sources import ModbusSource


@callback
def build_devices(
    hass: HomeAssistant,
    entry: CommonwattConfigEntry,
    taps: Mapping[str, TapConfig],
    profiles: Mapping[str, Profile],
) -> dict[str, Device]:
    """Return what stands at each tap. One that cannot be linked is silent with an issue; the others go on."""
    devices: dict[str, Device] = {}
    shared, strange = [], []
    for tap in taps.values():
        source = tap.source
        if not isinstance(source, ModbusSource):
            devices[tap.tap] = AdoptedDevice(hass, source.import_entity, source.export_entity, source.power_entity)
            continue
        if (profile := profiles.get(source.profile)) is None:
            strange.append(tap.name)
            devices[tap.tap] = AbsentDevice(f"there is no profile {source.profile}")
            continue
        try:
            unit = async_get_unit(hass, entry, line_params(source.line), source.unit_id)
        except HomeAssistantError as error:
            shared.append(tap.name)
            devices[tap.tap] = AbsentDevice(str(error))
            continue
        devices[tap.tap] = ModbusDevice(unit, profile, source.serial)
    show_issue(hass, entry.entry_id, "link_settings_in_use", shared)
    show_issue(hass, entry.entry_id, "profile_unknown", strange)
    return devices
