"""Diagnostics by an allow-list: how the site is built and how it fares, never who, where, or with which key."""

from dataclasses import asdict
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import AnyDeviceEntry

from .coordinator import CommonwattConfigEntry
from .devices.port import Device, Dumps, Quantity
from .errors import DeviceError
from .hardware import owner_identifier, tap_identifier
from .site import TapConfig
from .sources import ModbusSource
from .state import TapState
from .wire import CablePeriod

# Of a quantity that is not listed here it is only said that it is told: a place, a site, a car, whatever comes later.
TOLD: frozenset[Quantity] = frozenset(
    {
        "voltage_v",
        "voltage_l1_v",
        "voltage_l2_v",
        "voltage_l3_v",
        "current_a",
        "current_l1_a",
        "current_l2_a",
        "current_l3_a",
        "power_l1_w",
        "power_l2_w",
        "power_l3_w",
        "apparent_power_va",
        "reactive_power_var",
        "power_factor",
        "frequency_hz",
        "dc_power_w",
        "dc_power_1_w",
        "dc_power_2_w",
        "dc_power_3_w",
        "dc_power_4_w",
        "demand_w",
        "demand_max_w",
        "charger_state",
        "plugged",
        "session_wh",
        "charge",
        "current_limit_a",
        "mode",
        "soc_percent",
        "capacity_wh",
        "set_point_w",
        "permission",
        "agreement",
        "signed_number",
        "signed_valid",
        "period_seconds",
    }
)
WITHHELD = "withheld"

PERIOD = ("energy_wh", "connected", "agreement", "meter_wh", "consumption_wh", "before_wh")


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: CommonwattConfigEntry) -> dict[str, Any]:
    """Return what helps to find a fault; names, addresses, serial numbers, codes, secrets and keys are not in it."""
    site = entry.runtime_data.coordinator
    state = site.data
    owners = _owners(entry)
    return {
        "has_cloud": state.cloud is not None,
        "interval_seconds": site.settings.interval_seconds,
        "time_scale": site.settings.time_scale,
        "poll_seconds": site.update_interval and site.update_interval.total_seconds(),
        "last_end": state.last_end,
        "outbox_depth": state.depth,
        "cloud": None if state.cloud is None else _cloud(asdict(state.cloud)),
        "owners": {owners[owner]: asdict(energy) for owner, energy in state.owners.items()},
        "taps": {tap.tap: _tap(entry, tap) for tap in site.taps.values()},
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: CommonwattConfigEntry, device: AnyDeviceEntry
) -> dict[str, Any]:
    """Return the same of one tap, with the registers its device holds now; of an owner their energy."""
    runtime = entry.runtime_data
    for tap in runtime.coordinator.taps.values():
        if tap_identifier(runtime.key_id, tap.tap) in device.identifiers:
            dump = await _dump(runtime.devices[tap.tap])
            return {"tap": tap.tap, **_tap(entry, tap), "registers": dump}
    for owner, energy in runtime.coordinator.data.owners.items():
        if owner_identifier(runtime.key_id, owner) in device.identifiers:
            return {"owner": _owners(entry)[owner], **asdict(energy)}
    return await async_get_config_entry_diagnostics(hass, entry)


def _owners(entry: CommonwattConfigEntry) -> dict[str, str]:
    """Return a number for every owner in place of the name."""
    return {owner: f"owner_{number}" for number, owner in enumerate(sorted(entry.runtime_data.coordinator.owners), 1)}


def _cloud(state: dict[str, Any]) -> dict[str, Any]:
    return {name: state[name] for name in ("connected", "clock_offset_ms", "settled_through")}


def _tap(entry: CommonwattConfigEntry, tap: TapConfig) -> dict[str, Any]:
    runtime = entry.runtime_data
    site, source = runtime.coordinator, tap.source
    state = site.data.taps[tap.tap]
    breaker = runtime.breakers.get(tap.tap)
    return {
        "kind": tap.kind,
        "owner": _owners(entry)[site.settings.owner_or_main(tap.owner)],
        "parent": tap.parent,
        "rated_power_w": tap.rated_power_w,
        "source": source.profile if isinstance(source, ModbusSource) else "entities",
        "part": source.part if isinstance(source, ModbusSource) else None,
        "has_serial": isinstance(source, ModbusSource) and source.serial is not None,
        "essential": tap.essential,
        "breaker_closed": None if breaker is None else breaker.closed,
        "silent": state.silent,
        "quality": state.quality,
        "power_w": state.power_w,
        "reset_at_ms": state.reset_at_ms,
        "reading": None if state.reading is None else asdict(state.reading),
        **_device(runtime.devices[tap.tap], state, own_words=isinstance(source, ModbusSource)),
        **_period(site.periods.last_of(tap.tap)),
    }


def _period(period: CablePeriod | None) -> dict[str, Any]:
    """Return how a cable and the meter agreed last; never whose car it was, nor where."""
    return {} if period is None else {"period": {name: getattr(period, name) for name in PERIOD}}


def _device(device: Device, state: TapState, *, own_words: bool) -> dict[str, Any]:
    """Return what a device offers and tells; modes in words only where they are the device's, not a person's."""
    told = TOLD if own_words else TOLD - {"mode"}
    return {
        "integrated": device.integrated,
        "quantities": sorted(device.quantities),
        "commands": {
            command: asdict(accepted) | {"options": len(accepted.options)}
            for command, accepted in sorted(device.commands.items())
        },
        "values": {name: value if name in told else WITHHELD for name, value in sorted(state.values.items())},
    }


async def _dump(device: Device) -> dict[str, Any] | None:
    """Return a device's registers by space and address; the reason where it does not answer; None where it has none."""
    if not isinstance(device, Dumps):
        return None
    try:
        dump = await device.async_dump()
    except DeviceError:
        return {"error": "no answer"}  # its words may hold an address
    return {space: {str(address): word for address, word in words.items()} for space, words in dump.items()}
