"""The actions: what a person, or an automation, asks of a site."""

from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, device_registry as dr
import probatio

from .const import CONF_OWNER, DOMAIN, SUBENTRY_CABLE
from .coordinator import CommonwattConfigEntry
from .gaps import async_setup_gaps
from .hardware import tap_identifier
from .own_cable import async_setup_own_cable
from .site import SiteSettings, TapConfig, is_paired
from .transfers import raise_transfer
from .verification import async_setup_verification

SERVICE_TRANSFER_TAP: Final = "transfer_tap"

# a passcode is no field here: what an action is called with stands in events, traces and histories
TRANSFER_TAP = probatio.Schema({probatio.Required(ATTR_DEVICE_ID): cv.string, probatio.Optional(CONF_OWNER): cv.string})


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Offer the actions, also while no site runs."""
    hass.services.async_register(DOMAIN, SERVICE_TRANSFER_TAP, async_transfer_tap, schema=TRANSFER_TAP)
    async_setup_gaps(hass)
    async_setup_own_cable(hass)
    async_setup_verification(hass)


async def async_transfer_tap(call: ServiceCall) -> None:
    """Ask a person, in a repair, who takes a tap over and for its passcode."""
    entry, tap = tap_of(call.hass, call.data[ATTR_DEVICE_ID])
    settings = entry.runtime_data.coordinator.settings
    owner = None if CONF_OWNER not in call.data else _owner(settings, call.data[CONF_OWNER])
    raise_transfer(call.hass, entry, tap, owner)


def tap_of(hass: HomeAssistant, device_id: str) -> tuple[CommonwattConfigEntry, TapConfig]:
    """Return the running, paired site and the tap that a device stands for."""
    device = dr.async_get(hass).async_get(device_id)
    entry: CommonwattConfigEntry | None = None
    if device is not None:
        entry = hass.config_entries.async_get_entry(device.config_entry_id)
    if device is None or entry is None or entry.domain != DOMAIN:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="not_a_tap")
    if entry.state is not ConfigEntryState.LOADED:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="site_not_loaded")
    for tap in entry.runtime_data.coordinator.taps.values():
        # a cable is measured, and is nobody's tap at the cloud: its owner is changed like its name
        if tap_identifier(entry.runtime_data.key_id, tap.tap) in device.identifiers and tap.kind != SUBENTRY_CABLE:
            break
    else:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="not_a_tap")
    if not is_paired(entry.data):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="site_without_cloud")
    return entry, tap


def _owner(settings: SiteSettings, word: str) -> str:
    """Return the owner of this id or name."""
    for owner, name in settings.owners.items():
        if word in (owner, name):
            return owner
    raise ServiceValidationError(
        translation_domain=DOMAIN, translation_key="no_such_owner", translation_placeholders={"owner": word}
    )
