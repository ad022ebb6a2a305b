"""Visitors: cables that come under the host's standing consent are added by themselves, and go again."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from . import wire
from .const import (
    CONF_OWNER,
    CONF_PUBLIC_KEY,
    CONF_RATED_POWER_W,
    CONF_SERIAL,
    CONF_SOURCE,
    CONF_TAP,
    CONF_UPSTREAM,
    CONF_VISITING_CABLES,
    CONF_VISITING_TAP,
    CONF_VISITOR,
    LOGGER,
    SUBENTRY_CABLE,
    SUBENTRY_METER,
)
from .devices.port import DeviceIdentity
from .site import is_paired, next_tap_id, tap_configs

if TYPE_CHECKING:
    from .coordinator import CommonwattConfigEntry

VISITORS_MAX: Final = 20  # at one site: anybody in the network can announce cables
GONE_S: Final = 7 * 86_400
LISTENED_S_MIN: Final = 600  # after a long absence of the site its visitors get the time to answer
NOT_WELCOME: Final = frozenset({"unknown-cable", "stolen", "revoked", "two-places"})


def visiting_tap(entry: ConfigEntry[Any]) -> str | None:
    """Return the tap below which visitors are plugged in: the one that was chosen, else the site's meter."""
    taps = tap_configs(entry)
    chosen = taps.get(entry.options.get(CONF_VISITING_TAP, ""))
    if chosen is not None and chosen.kind != SUBENTRY_CABLE:
        return chosen.tap
    return next((tap.tap for tap in taps.values() if tap.kind == SUBENTRY_METER), None)


def welcoming(entries: Mapping[str, CommonwattConfigEntry]) -> CommonwattConfigEntry | None:
    """Return the site where visitors are welcome; None where there is none, or where a person must say which."""
    open_to_all = [entry for entry in entries.values() if is_paired(entry.data) and _has_room(entry)]
    return open_to_all[0] if len(open_to_all) == 1 else None


def _has_room(entry: ConfigEntry[Any]) -> bool:
    if not entry.options.get(CONF_VISITING_CABLES, False) or visiting_tap(entry) is None:
        return False
    return len(_visitors(entry)) < VISITORS_MAX


async def async_welcome(
    hass: HomeAssistant,
    entry: CommonwattConfigEntry,
    name: str,
    source: Mapping[str, Any],
    identity: DeviceIdentity,
) -> bool:
    """Add a cable if the cloud knows it, by the very key it shows; whatever else it is, a person decides on it."""
    tap, serial, key = visiting_tap(entry), source[CONF_SERIAL], source.get(CONF_PUBLIC_KEY)
    if tap is None or key is None:
        return False
    visit = wire.Visit(serial, int(dt_util.utcnow().timestamp()), tap, key)
    standing = await entry.runtime_data.visits.async_introduce(visit)
    if standing is None or standing.cause in NOT_WELCOME or standing.public_key != key.lower():
        return False
    async with entry.setup_lock:  # while the site is being opened it would not hear of the change
        return _added(hass, entry, (tap, name), source, identity.rated_power_w)


def _added(
    hass: HomeAssistant,
    entry: CommonwattConfigEntry,
    place: tuple[str, str],
    source: Mapping[str, Any],
    rated_power_w: int | None,
) -> bool:
    """Add a cable below a tap, by a name; not if anything stands against it meanwhile."""
    (tap, name), serial = place, source[CONF_SERIAL]
    there = any(_serial(subentry) == serial for subentry in entry.subentries.values())
    if entry.state is not ConfigEntryState.LOADED or there or tap not in tap_configs(entry) or not _has_room(entry):
        return False
    new = next_tap_id(entry)
    data = {
        CONF_TAP: new,
        CONF_SOURCE: dict(source),
        CONF_OWNER: entry.runtime_data.coordinator.settings.main_owner,
        CONF_UPSTREAM: tap,
        CONF_RATED_POWER_W: rated_power_w,
        CONF_VISITOR: True,
    }
    LOGGER.info("%s: the visiting cable %s (%s) is welcome", entry.title, name, serial)
    added = ConfigSubentry(data=MappingProxyType(data), subentry_type=SUBENTRY_CABLE, title=name, unique_id=new)
    hass.config_entries.async_add_subentry(entry, added)
    return True


@callback
def remove_gone(hass: HomeAssistant, entry: CommonwattConfigEntry) -> None:
    """Remove visitors that have not answered for days; called with every poll."""
    now, monotonic = dt_util.utcnow().timestamp(), hass.loop.time()
    for tap, guest in entry.runtime_data.visits.guests.items():
        silent_since = guest.silent_since
        if not guest.visitor or silent_since is None or monotonic - silent_since < LISTENED_S_MIN:
            continue
        subentry = next((one for one in _visitors(entry) if one.data[CONF_TAP] == tap), None)
        if subentry is not None and now - guest.seen_at >= GONE_S:
            LOGGER.info("%s: the visiting cable %s has been gone for days and is removed", entry.title, guest.name)
            hass.config_entries.async_remove_subentry(entry, subentry.subentry_id)
            return  # the site starts anew


def _visitors(entry: ConfigEntry[Any]) -> list[ConfigSubentry]:
    return [one for one in entry.subentries.values() if one.data.get(CONF_VISITOR, False)]


def _serial(subentry: ConfigSubentry) -> str | None:
    serial: str | None = subentry.data[CONF_SOURCE].get(CONF_SERIAL)
    return serial
