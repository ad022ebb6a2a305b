"""System health: how many sites there are, and how they stand with their clouds."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import CommonwattConfigEntry


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Offer the page."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return what stands on the page."""
    entries: list[CommonwattConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    states = [entry.runtime_data.coordinator.data for entry in entries if entry.state is ConfigEntryState.LOADED]
    clouds = [state.cloud for state in states if state.cloud is not None]
    return {
        "sites": len(entries),
        "sites_connected": sum(1 for cloud in clouds if cloud.connected),
        "outbox_depth": sum(state.depth for state in states if state.cloud is not None),
        "silent_meters": sum(1 for state in states for tap in state.taps.values() if tap.silent),
    }
