"""Devices that announce themselves: asked who they are, found again at a new address, or offered to a site."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import (
    SOURCE_ZEROCONF,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowContext,
    ConfigFlowResult,
    ConfigSubentry,
)
from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import discovery_flow
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.util.hass_dict import HassKey

from ..const import (
    CONF_PROFILE,
    CONF_PUBLIC_KEY,
    CONF_RATED_POWER_W,
    CONF_SERIAL,
    CONF_SITE,
    CONF_SOURCE,
    CONF_TAP,
    CONF_UNIT_ID,
    DOMAIN,
    LOGGER,
    SOURCE_MODBUS,
    SUBENTRY_CABLE,
)
from ..devices.line import TcpLine
from ..devices.port import DeviceIdentity, Kind
from ..devices.profile import Profile
from ..site import TapConfig, next_tap_id, tap_configs
from ..sources import ModbusSource
from ..visitors import async_welcome, welcoming
from . import schemas
from .base import async_running_site
from .details import About
from .lines import UNIT_ID_USUAL
from .pairing import FormErrors
from .probe import identified, model_name, open_maps, probe, profiles
from .same import every_tap, tap_with_source
from .words import WordError, clean_name

if TYPE_CHECKING:
    from ..coordinator import CommonwattConfigEntry

PLACE = (CONF_HOST, CONF_PORT, CONF_UNIT_ID)
KEPT_MAX = 100  # announcements kept until there is a site; anybody in the network can announce

WITHOUT_SITE: HassKey[dict[str, ZeroconfServiceInfo]] = HassKey(f"{DOMAIN}_without_site")


class DiscoveryFlow(ConfigFlow):
    """The steps of a device that announced itself. What it announces is a hint; what it answers counts."""

    _kind: Kind
    _profile: Profile
    _identity: DeviceIdentity
    _announced: str | None
    _source: dict[str, Any]
    _entry: CommonwattConfigEntry

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Ask a device that was announced who it is, and follow one that moved."""
        found = FormErrors()
        if not await self._async_identify(discovery_info, found):
            return self.async_abort(reason=found.errors["base"])
        serial = self._identity.serial
        if serial is None:
            return self.async_abort(reason="no_serial")
        await self.async_set_unique_id(serial)
        self._abort_if_unique_id_configured()
        if await async_follow(self.hass, self._source, discovery_info.hostname):
            return self.async_abort(reason="already_configured")
        if not sites(self.hass):
            remember(self.hass, serial, discovery_info)
            return self.async_abort(reason="no_site")
        self.context["title_placeholders"] = {"name": self._name}
        if self._kind == SUBENTRY_CABLE and await self._async_welcomed():
            return self.async_abort(reason="device_added")
        return await self.async_step_zeroconf_site()

    async def _async_welcomed(self) -> bool:
        """Tell whether the cable was added under a host's standing consent."""
        if (entry := welcoming(sites(self.hass))) is None:
            return False
        await async_running_site(entry)
        return await async_welcome(self.hass, entry, self._name, self._source, self._identity)

    async def _async_identify(self, info: ZeroconfServiceInfo, found: FormErrors) -> bool:
        """Find out which of our register maps answers there."""
        self._announced = _name(info.properties)
        place = {CONF_SOURCE: SOURCE_MODBUS, CONF_HOST: info.host, CONF_PORT: info.port or schemas.PORT_DEFAULT}
        for profile in open_maps((await profiles(self.hass)).values()):
            found.errors.clear()
            source = place | {CONF_UNIT_ID: _unit_id(info.properties), CONF_PROFILE: profile.key}
            if (identity := await probe(self.hass, source, found)) is not None:
                self._source = source | identified(identity, {})
                self._profile, self._identity = profile, identity
                kinds = {str(kind): kind for kind in profile.kinds}
                self._kind = kinds.get(str(info.properties.get("kind")), profile.kinds[-1])
                return True
            if found.errors["base"] != "wrong_device":
                return False
        return False

    async def async_step_zeroconf_site(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which site it belongs to, if there are several."""
        entries = sites(self.hass)
        if len(entries) == 1:
            [self._entry] = entries.values()
            return await self.async_step_zeroconf_confirm()
        if not entries or (user_input is not None and user_input[CONF_SITE] not in entries):
            return self.async_abort(reason="not_loaded")
        if user_input is not None:
            self._entry = entries[user_input[CONF_SITE]]
            return await self.async_step_zeroconf_confirm()
        options = {entry_id: entry.title for entry_id, entry in entries.items()}
        return self.async_show_form(
            step_id="zeroconf_site",
            data_schema=schemas.choice(CONF_SITE, options),
            description_placeholders={"name": self._name},
        )

    async def async_step_zeroconf_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whose it is and where it is plugged in, and add it to the site."""
        about = About(self.hass, await async_running_site(self._entry), self._entry, self._kind, None)
        found = FormErrors()
        if user_input is not None:
            details = about.take(user_input, found)
            if tap_with_source(every_tap(self.hass, self._entry), self._source) is not None:
                return self.async_abort(reason="already_configured")
            if not found:
                self._add(user_input[CONF_NAME].strip(), details)
                return self.async_abort(reason="device_added")
        suggested = {CONF_NAME: self._name, CONF_RATED_POWER_W: self._identity.rated_power_w}
        form = user_input or {name: word for name, word in suggested.items() if word}
        return self.async_show_form(
            step_id="zeroconf_confirm",
            data_schema=self.add_suggested_values_to_schema(about.schema(), form),
            errors=found.errors,
            description_placeholders={
                "name": self._name,
                "site": self._entry.title,
                "serial": str(self._identity.serial),
                "host": self._source[CONF_HOST],
            },
        )

    def _add(self, name: str, details: Mapping[str, Any]) -> None:
        tap = next_tap_id(self._entry)
        data = {CONF_TAP: tap, CONF_SOURCE: self._source, **details}
        subentry = ConfigSubentry(data=MappingProxyType(data), subentry_type=self._kind, title=name, unique_id=tap)
        self.hass.config_entries.async_add_subentry(self._entry, subentry)

    @property
    def _name(self) -> str:
        return self._announced or model_name(self._identity) or self._profile.label


@callback
def sites(hass: HomeAssistant) -> dict[str, CommonwattConfigEntry]:
    """Return the sites that run, by entry."""
    entries = hass.config_entries.async_entries(DOMAIN, include_ignore=False)
    return {entry.entry_id: entry for entry in entries if entry.state is ConfigEntryState.LOADED}


async def async_follow(hass: HomeAssistant, source: Mapping[str, Any], hostname: str) -> bool:
    """Tell whether a device is at a tap of some site already; if it moved, the tap is read at the new address."""
    for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False):
        taps = tap_configs(entry).values()
        if (tap := next((tap for tap in taps if _is(tap, source)), None)) is None:
            continue
        subentry = entry.subentries[tap.subentry_id]
        if await _async_moved(hass, tap, subentry.data[CONF_SOURCE], source, hostname):
            # while the site is being opened it would not hear of the change
            async with entry.setup_lock:
                LOGGER.info("%s of %s is at %s:%s now", tap.name, entry.title, source[CONF_HOST], source[CONF_PORT])
                place = {name: source[name] for name in PLACE}
                data = {**subentry.data, CONF_SOURCE: {**subentry.data[CONF_SOURCE], **place}}
                hass.config_entries.async_update_subentry(entry, subentry, data=data)
        return True
    return False


async def _async_moved(
    hass: HomeAssistant, tap: TapConfig, kept: Mapping[str, Any], source: Mapping[str, Any], hostname: str
) -> bool:
    """Tell whether a device is no longer where its tap reads it: anybody can announce a serial number."""
    assert isinstance(tap.source, ModbusSource)
    line = tap.source.line
    # one that is read through a gateway is left there, and a name follows its device without us
    if not isinstance(line, TcpLine) or line.host == hostname.rstrip(".").lower():
        return False
    if all(kept[name] == source[name] for name in PLACE):
        return False
    known = kept.get(CONF_PUBLIC_KEY)
    if known is not None and source.get(CONF_PUBLIC_KEY) != known:
        LOGGER.info("%s is announced at %s, but with another key: it stays where it was", tap.name, source[CONF_HOST])
        return False
    there = await probe(hass, kept, FormErrors())
    return there is None or there.serial != source[CONF_SERIAL]


@callback
def remember(hass: HomeAssistant, serial: str, info: ZeroconfServiceInfo) -> None:
    """Keep an announcement until there is a site: it is not made again by itself."""
    kept = hass.data.setdefault(WITHOUT_SITE, {})
    if len(kept) < KEPT_MAX:
        kept[serial] = info


@callback
def offer_remembered(hass: HomeAssistant) -> None:
    """Offer what announced itself before there was a site."""
    for info in hass.data.pop(WITHOUT_SITE, {}).values():
        discovery_flow.async_create_flow(hass, DOMAIN, ConfigFlowContext(source=SOURCE_ZEROCONF), info)


def _is(tap: TapConfig, source: Mapping[str, Any]) -> bool:
    kept = tap.source
    return isinstance(kept, ModbusSource) and (kept.profile, kept.serial) == (source[CONF_PROFILE], source[CONF_SERIAL])


def _name(properties: Mapping[str, Any]) -> str | None:
    """Read what a device is to be called out of the announcement, if it can be a name."""
    try:
        return clean_name(str(properties.get("name") or ""))
    except WordError:
        return None


def _unit_id(properties: Mapping[str, Any]) -> int:
    """Read the unit id out of the announcement; whatever is no unit id is the usual one."""
    text = str(properties.get("unit_id", ""))
    unit_id = int(text) if text.isascii() and text.isdecimal() and len(text) <= 3 else UNIT_ID_USUAL
    return unit_id if 1 <= unit_id <= schemas.UNIT_ID_TCP_MAX else UNIT_ID_USUAL
