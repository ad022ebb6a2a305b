"""One's own cable: registered at the cloud when nobody has yet, and reported stolen by an action."""

from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv, device_registry as dr
import probatio

from .const import DOMAIN, LOGGER
from .coordinator import CommonwattConfigEntry
from .devices.cable import CableDevice
from .errors import BadSignature, CloudRefused, CloudUnreachable, DeviceError
from .guest import Guest
from .hardware import tap_identifier
from .link import CloudClient
from .link.visits import OwnCable, register_cable, report_stolen
from .site import wire_name

SERVICE_REPORT_STOLEN: Final = "report_stolen"
REPORT_STOLEN = probatio.Schema({probatio.Required(ATTR_DEVICE_ID): cv.string})
TOLD: Final = ("cable", "state", "since", "owner")  # of what the cloud answers


@callback
def async_setup_own_cable(hass: HomeAssistant) -> None:
    """Offer the action."""
    hass.services.async_register(
        DOMAIN,
        SERVICE_REPORT_STOLEN,
        async_report_stolen,
        schema=REPORT_STOLEN,
        supports_response=SupportsResponse.OPTIONAL,
    )


async def async_report_stolen(call: ServiceCall) -> ServiceResponse:
    """Tell the cloud that the site's own cable was stolen; only its driver's site may."""
    entry, guest = _guest_of(call.hass, call.data[ATTR_DEVICE_ID])
    runtime = entry.runtime_data
    if runtime.cloud is None:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="site_without_cloud")
    words = {"cable": guest.name}
    standing = runtime.visits.standing(guest.serial)
    if standing is None or not standing.own:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="not_own_cable", translation_placeholders=words
        )
    try:
        told = await report_stolen(runtime.cloud.client, guest.serial)
    except (CloudUnreachable, CloudRefused, BadSignature) as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="cable_not_reported",
            translation_placeholders=words | {"error": str(error)},
        ) from error
    runtime.visits.ask_again(guest.tap)
    return {name: told.get(name) for name in TOLD}


def _guest_of(hass: HomeAssistant, device_id: str) -> tuple[CommonwattConfigEntry, Guest]:
    """Return the running site and the cable that a device stands for."""
    device = dr.async_get(hass).async_get(device_id)
    entry: CommonwattConfigEntry | None = None
    if device is not None:
        entry = hass.config_entries.async_get_entry(device.config_entry_id)
    if device is not None and entry is not None and entry.domain == DOMAIN and entry.state is ConfigEntryState.LOADED:
        runtime = entry.runtime_data
        for tap, guest in runtime.visits.guests.items():
            if tap_identifier(runtime.key_id, tap) in device.identifiers:
                return entry, guest
    raise ServiceValidationError(translation_domain=DOMAIN, translation_key="not_a_cable")


async def async_register(client: CloudClient, guest: Guest) -> tuple[str, dict[str, str]] | None:
    """Register a cable; return what is wrong instead, with the words that say it."""
    device = guest.device
    if not isinstance(device, CableDevice):
        return "cannot_read", {"error": "-"}
    try:
        key = (await device.async_identify()).public_key
        proof = None if key is None else await device.async_proof()
    except DeviceError as error:
        return "cannot_read", {"error": error.detail}
    if key is None or proof is None:
        return "nothing_signed", {}
    try:
        await register_cable(client, OwnCable(guest.serial, key, wire_name(guest.name) or guest.serial, proof))
    except CloudRefused as error:
        return "cable_refused", {"detail": error.detail}
    except (CloudUnreachable, BadSignature) as error:
        LOGGER.debug("%s is not registered: %s", guest.name, error)
        return "cloud_unreachable", {}
    return None
