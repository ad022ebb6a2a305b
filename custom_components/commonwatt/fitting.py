"""Fitting: what stands at each tap becomes a device that can be read, or one that says why it cannot."""

from collections.abc import Mapping

from homeassistant.components.modbus import async_get_unit
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from .cable import RecordJudge
from .const import CONF_EXPORT_ENTITY, CONF_IMPORT_ENTITY, CONF_POWER_ENTITY, PROFILE_SUNSPEC
from .coordinator import CommonwattConfigEntry
from .devices.absent import AbsentDevice
from .devices.adopted import SLOTS, AdoptedDevice, Adoption
from .devices.counting import modbus_device
from .devices.line import Line, line_params
from .devices.patience import Bus
from .devices.port import Device
from .devices.profile import Profile
from .devices.sunspec import sunspec_device
from .issues import show_issue
from .site import TapConfig
from .sources import EntitiesSource, ModbusSource


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
    buses: dict[Line, Bus] = {}
    for tap in taps.values():
        source = tap.source
        if not isinstance(source, ModbusSource):
            device = AdoptedDevice(hass, adoption(tap, source))
            entry.async_on_unload(device.async_follow())
            devices[tap.tap] = device
            continue
        profile = profiles.get(source.profile)
        if profile is None and source.profile != PROFILE_SUNSPEC:
            strange.append(tap.name)
            devices[tap.tap] = AbsentDevice(f"there is no profile {source.profile}")
            continue
        try:
            unit = async_get_unit(hass, entry, line_params(source.line), source.unit_id)
        except HomeAssistantError as error:
            shared.append(tap.name)
            devices[tap.tap] = AbsentDevice(str(error))
            continue
        bus = buses.setdefault(source.line, Bus())
        if profile is None:
            devices[tap.tap] = sunspec_device(unit, source.part or "", source.serial, bus)
        else:
            devices[tap.tap] = modbus_device(unit, profile, source.serial, bus, judge(tap, source))
    show_issue(hass, entry.entry_id, "link_settings_in_use", shared)
    show_issue(hass, entry.entry_id, "profile_unknown", strange)
    return devices


def judge(tap: TapConfig, source: ModbusSource) -> RecordJudge | None:
    """Return what judges the signed records of a cable, None where no key of it is known."""
    key = source.public_key
    return None if key is None else RecordJudge(tap.name, source.serial, bytes.fromhex(key))


def adoption(tap: TapConfig, source: EntitiesSource) -> Adoption:
    """Return what an adopted device is made of."""
    registers = {
        CONF_IMPORT_ENTITY: source.import_entity,
        CONF_EXPORT_ENTITY: source.export_entity,
        CONF_POWER_ENTITY: source.power_entity,
    }
    named = {name: reference for name, reference in registers.items() if reference is not None} | dict(source.entities)
    entities = {slot.name: named[slot.name] for slot in SLOTS[tap.kind] if slot.name in named}
    return Adoption(tap.kind, entities, source.inverted, source.direction, tap.rated_power_w)
