"""System health: whether the clouds answer, whether every device does, and what still waits to be sent."""

import asyncio
from collections.abc import Sequence
from typing import Any

from homeassistant.components import system_health
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import CommonwattConfigEntry
from .state import SiteState


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Offer the page."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return what stands on the page; what is asked over the network comes later than the rest."""
    entries: list[CommonwattConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    states = [entry.runtime_data.coordinator.data for entry in entries if entry.state is ConfigEntryState.LOADED]
    return {
        "sites": len(entries),
        "sites_running": len(states),
        "devices": sum(len(state.taps) for state in states),
        "silent_devices": sum(1 for state in states for tap in state.taps.values() if tap.silent),
        **_clouds(hass, entries, states),
    }


def _clouds(
    hass: HomeAssistant, entries: Sequence[CommonwattConfigEntry], states: Sequence[SiteState]
) -> dict[str, Any]:
    """Return how the sites stand with their clouds; nothing if none has one."""
    urls = {entry.data[CONF_URL] for entry in entries if CONF_URL in entry.data}
    if not urls:
        return {}
    clouds = [state.cloud for state in states if state.cloud is not None]
    offsets = [abs(cloud.clock_offset_ms) for cloud in clouds if cloud.clock_offset_ms is not None]
    return {
        "cloud_reachable": _reachable(hass, urls),
        "sites_connected": sum(1 for cloud in clouds if cloud.connected),
        "outbox_depth": sum(state.depth for state in states if state.cloud is not None),
        "clock_offset": f"{max(offsets)} ms" if offsets else None,
    }


async def _reachable(hass: HomeAssistant, urls: set[str]) -> str | dict[str, str]:
    """Return "ok" if every cloud answers at its address, else what is wrong with one that does not."""
    answers = await asyncio.gather(*(system_health.async_check_can_reach_url(hass, url) for url in sorted(urls)))
    return next((answer for answer in answers if answer != "ok"), "ok")
