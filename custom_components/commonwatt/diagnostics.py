"""Diagnostics by an allow-list: how the site is built and how it fares, never who, where, or with which key."""

from dataclasses import asdict
from typing import Any

from homeassistant.core import HomeAssistant

from .coordinator import CommonwattConfigEntry
from .site import TapConfig
from .sources import ModbusSource
from .state import TapState


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: CommonwattConfigEntry) -> dict[str, Any]:
    """Return what helps to find a fault; names, addresses, serial numbers, codes, secrets and keys are not in it."""
    site = entry.runtime_data.coordinator
    state = site.data
    owners = {owner: f"owner_{number}" for number, owner in enumerate(sorted(site.owners), 1)}
    return {
        "has_cloud": state.cloud is not None,
        "interval_seconds": site.settings.interval_seconds,
        "time_scale": site.settings.time_scale,
        "poll_seconds": site.update_interval and site.update_interval.total_seconds(),
        "last_end": state.last_end,
        "outbox_depth": state.depth,
        "cloud": None if state.cloud is None else _cloud(asdict(state.cloud)),
        "owners": {owners[owner]: asdict(energy) for owner, energy in state.owners.items()},
        "taps": {
            tap: _tap(config, owners[site.settings.owner_or_main(config.owner)], state.taps[tap])
            for tap, config in site.taps.items()
        },
    }


def _cloud(state: dict[str, Any]) -> dict[str, Any]:
    return {name: state[name] for name in ("connected", "clock_offset_ms", "settled_through")}


def _tap(config: TapConfig, owner: str, state: TapState) -> dict[str, Any]:
    source = config.source
    return {
        "kind": config.kind,
        "owner": owner,
        "parent": config.parent,
        "rated_power_w": config.rated_power_w,
        "source": source.profile if isinstance(source, ModbusSource) else "entities",
        "has_serial": isinstance(source, ModbusSource) and source.serial is not None,
        "silent": state.silent,
        "quality": state.quality,
        "power_w": state.power_w,
        "reset_at_ms": state.reset_at_ms,
        "reading": None if state.reading is None else asdict(state.reading),
    }
