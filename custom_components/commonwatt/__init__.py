"""Commonwatt, the site: measures every tap, nets it by owner, keeps it, and works without its cloud."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util

from .adopted_issues import AdoptedIssues
from .arrivals import Arrivals
from .attention import clear_exchanged
from .const import CONF_KEY_ID, DOMAIN, LOGGER
from .coordinator import CommonwattConfigEntry
from .errors import OutboxError
from .flows.discovery import offer_remembered
from .hardware import Hardware, device_identifiers
from .issues import clear_gone, clear_issues
from .keeper import register_store
from .runtime import HANDOVERS, open_site, outbox_not_ready, site_folder
from .services import async_setup_services
from .site import rehang_orphans
from .transfers import clear_transfers
from .visitors import remove_gone
from .yaml_hubs import watch_yaml_hubs

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.TIME,
]


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Offer the actions."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: CommonwattConfigEntry) -> bool:
    """Open a site and start its pump and its link; a silent meter stops neither."""
    runtime = await open_site(hass, entry)
    entry.runtime_data = runtime
    forwarded = False
    try:
        await runtime.coordinator.async_config_entry_first_refresh()
        await runtime.visits.async_start()
        hardware = Hardware(hass, entry.entry_id, runtime)
        hardware.async_register()
        runtime.arrivals = Arrivals(hass, runtime.coordinator, runtime.devices, hardware)
        await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
        forwarded = True
        entry.async_on_unload(runtime.arrivals.async_follow())
        entry.async_on_unload(runtime.coordinator.async_add_listener(runtime.keeper.async_look))
        adopted = AdoptedIssues(hass, entry.entry_id, runtime.coordinator.taps, runtime.devices)
        entry.async_on_unload(runtime.coordinator.async_add_listener(adopted.async_look))
        # measuring must go on when every entity is disabled
        entry.async_on_unload(runtime.coordinator.async_add_listener(_nothing))
        entry.async_on_unload(runtime.coordinator.async_add_listener(partial(remove_gone, hass, entry)))
        watch_yaml_hubs(hass, entry, runtime.coordinator.taps)
        if runtime.supply is not None:
            await runtime.supply.async_start()
        if runtime.cloud is not None:
            await runtime.cloud.async_start()
    except BaseException as error:
        if forwarded:  # or they would be set up twice at the next try
            await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
        await runtime.async_close(hass, entry.entry_id)
        if isinstance(error, OutboxError):
            raise outbox_not_ready(hass, entry, error) from error
        raise

    async def stop(_event: Event) -> None:
        await runtime.async_close(hass, entry.entry_id)

    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stop))
    entry.async_on_unload(entry.add_update_listener(_async_updated))
    clear_gone(hass, entry.entry_id, runtime.coordinator.taps)
    offer_remembered(hass)
    if hass.is_stopping:  # begun by a reload as Home Assistant was told to stop: nobody would close it
        await runtime.async_close(hass, entry.entry_id)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: CommonwattConfigEntry) -> bool:
    """Close a site: first its entities, then the link, the pump and the outbox."""
    if not await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return False
    await entry.runtime_data.async_close(hass, entry.entry_id)
    return True


async def async_remove_entry(hass: HomeAssistant, entry: CommonwattConfigEntry) -> None:
    """Put a removed site's folder aside under a name nobody opens.

    Key and outbox are evidence of what was settled, and batches not yet acknowledged lie in it; so nothing is deleted.
    Whoever wants it gone removes `commonwatt/removed-…` in the configuration folder.
    """
    hass.data.get(HANDOVERS, {}).pop(entry.entry_id, None)
    clear_issues(hass, entry.entry_id)
    clear_gone(hass, entry.entry_id, ())
    await register_store(hass, entry.entry_id).async_remove()
    clear_exchanged(hass, entry.entry_id)
    clear_transfers(hass, entry.entry_id)
    folder = site_folder(hass, entry.data[CONF_KEY_ID])
    aside = await hass.async_add_executor_job(_put_aside, folder, dt_util.utcnow())
    if aside is not None:
        LOGGER.info("%s is removed; its key and outbox lie in %s", entry.title, aside)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: CommonwattConfigEntry, device: dr.DeviceEntry
) -> bool:
    """Let a device be deleted unless it is the site, or one of the taps and owners it has now."""
    runtime = entry.runtime_data
    return not device.identifiers & device_identifiers(runtime.key_id, runtime.coordinator)


async def _async_updated(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Take up a changed site or tap; what hung below a removed tap hangs below what was above it."""
    former = {tap.tap: tap.parent for tap in entry.runtime_data.coordinator.taps.values()}
    if not rehang_orphans(hass, entry, former):
        hass.config_entries.async_schedule_reload(entry.entry_id)


@callback
def _nothing() -> None:
    """Listen, so that the pump never stops."""


def _put_aside(folder: Path, now: datetime) -> Path | None:
    aside = folder.with_name(f"removed-{now:%Y%m%d-%H%M%S}-{folder.name}")
    try:
        return folder.rename(aside)
    except FileNotFoundError:
        return None
