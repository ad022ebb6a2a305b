"""Asking a Modbus unit who it is, while a person waits; whatever is wrong gets its words."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_translations
from modbus_connection import (
    GatewayPathUnavailableError,
    GatewayTargetError,
    ModbusExceptionError,
    ModbusProtocolError,
    ServerDeviceBusyError,
)

from ..const import CONF_PROFILE, CONF_PUBLIC_KEY, CONF_SERIAL, CONF_UNIT_ID, DOMAIN, LOGGER
from ..devices.counting import modbus_device
from ..devices.faults import ImplausibleDevice, SilentUnit, SwappedWords, WrongDevice
from ..devices.library import async_profiles
from ..devices.line import Line, SerialLine, line_params
from ..devices.port import DeviceIdentity, Kind
from ..devices.profile import Profile
from ..devices.sunspec import NotSunSpec, SunSpecFound, SunSpecPart, async_find
from ..errors import DeviceError
from ..site import TapConfig
from ..sources import ModbusSource, line_of
from ..yaml_hubs import yaml_hub
from .pairing import FormErrors
from .same import place

PROBE_SECONDS_MAX = 15.0  # a line that does not open is given up after 10 s, and is to be told from a silent unit
OPEN_MAP = "commonwatt_"
HINDERED = ("cannot_connect", "timeout", "not_modbus", "no_serial_port")


async def profiles(hass: HomeAssistant) -> Mapping[str, Profile]:
    """Return the register maps there are."""
    return await async_profiles(hass)


def open_maps(every: Iterable[Profile]) -> list[Profile]:
    """Return our own register maps; one that says more of its device comes before one that fits more devices."""
    own = [profile for profile in every if profile.key.startswith(OPEN_MAP)]
    return sorted(own, key=lambda profile: (-len(profile.identity), profile.key))


async def profile_labels(hass: HomeAssistant, kind: Kind) -> dict[str, str]:
    """Return what the register maps for this kind of device are called; one no real device has proven says so."""
    texts = await async_get_translations(hass, hass.config.language, "selector", [DOMAIN])
    map_only = texts[f"component.{DOMAIN}.selector.checked.options.map"]
    return {
        profile.key: profile.label if profile.checked == "dump" else f"{profile.label} ({map_only})"
        for profile in sorted((await profiles(hass)).values(), key=lambda profile: profile.label.casefold())
        if kind in profile.kinds
    }


def model_name(identity: DeviceIdentity) -> str | None:
    """Return what a device calls itself, by maker and model."""
    return " ".join(word for word in (identity.manufacturer, identity.model) if word) or None


async def part_texts(hass: HomeAssistant) -> Mapping[str, str]:
    """Return what parts of a SunSpec device are called here."""
    prefix = f"component.{DOMAIN}.selector.part.options."
    texts = await async_get_translations(hass, hass.config.language, "selector", [DOMAIN])
    return {key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)}


def part_words(part: SunSpecPart, texts: Mapping[str, str]) -> str:
    """Return a part's name, with its number if there are several."""
    word, _, number = part.label.partition(" ")
    return " ".join((texts.get(word.lower(), word), number)).strip()


async def probe(hass: HomeAssistant, source: Mapping[str, Any], found: FormErrors) -> DeviceIdentity | None:
    """Ask the unit who it is, over the link it may already share with others; None with the reason in `found`."""
    profile = (await profiles(hass))[source[CONF_PROFILE]]
    line = line_of(source)
    try:
        async with (
            asyncio.timeout(PROBE_SECONDS_MAX),
            async_get_temporary_unit(hass, line_params(line), source[CONF_UNIT_ID]) as unit,
        ):
            return await modbus_device(unit, profile, None).async_identify()
    except (DeviceError, TimeoutError, HomeAssistantError) as error:
        tell(hass, line, error, found)
    return None


def identified(identity: DeviceIdentity, current: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what a source keeps of who answered: its serial number, and of a cable the key that was met first."""
    known = current.get(CONF_PUBLIC_KEY) if current.get(CONF_SERIAL) == identity.serial else None
    key = known or identity.public_key
    return {CONF_SERIAL: identity.serial} | ({} if key is None else {CONF_PUBLIC_KEY: key})


async def find_parts(hass: HomeAssistant, source: Mapping[str, Any], found: FormErrors) -> SunSpecFound | None:
    """Ask a SunSpec unit what it is made of; None with the reason in `found`."""
    line = line_of(source)
    try:
        async with (
            asyncio.timeout(PROBE_SECONDS_MAX),
            async_get_temporary_unit(hass, line_params(line), source[CONF_UNIT_ID]) as unit,
        ):
            return await async_find(unit)
    except (DeviceError, TimeoutError, HomeAssistantError) as error:
        tell(hass, line, error, found)
        if found.errors["base"] == "wrong_device":  # it refuses models that it names itself; there is no map to choose
            found.errors["base"] = "not_sunspec"
    return None


@asynccontextmanager
async def relinked(
    hass: HomeAssistant, entry: ConfigEntry[Any], own: TapConfig | None, line: Line
) -> AsyncGenerator[None]:
    """Let go of a line of the site while it is tried with other settings, which two users at once cannot have."""
    taken = own is not None and isinstance(own.source, ModbusSource) and other_settings(own.source.line, line)
    if not taken or entry.state is not ConfigEntryState.LOADED:
        yield
        return
    # a failed unload leaves the site running; the probe then says what it runs into
    gone = await hass.config_entries.async_unload(entry.entry_id)
    try:
        yield
    finally:
        if gone:
            await hass.config_entries.async_setup(entry.entry_id)


def other_settings(current: Line, wanted: Line) -> bool:
    """Tell whether two lines lead to one place in two ways."""
    return place(current) == place(wanted) and current != wanted


def tell(hass: HomeAssistant, line: Line, error: Exception, found: FormErrors) -> None:
    """Say in words what came instead of a device."""
    LOGGER.debug("Probing %s: %r", line, error)
    key = fault_of(error, line)
    if key in HINDERED and (hub := yaml_hub(hass, line)) is not None:
        # many devices take one connection only, and at a serial port two who ask spoil each other's answers
        key = "yaml_hub_in_the_way"
        found.placeholders["hub"] = hub
    found.errors["base"] = key


def fault_of(error: Exception, line: Line) -> str:
    """Return the translation key of what is wrong."""
    match error, error.__cause__:
        case WrongDevice(), _:
            return "wrong_device"
        case SwappedWords(), _:
            return "swapped_words"
        case ImplausibleDevice(), _:
            return "implausible"
        case NotSunSpec(), _:
            return "not_sunspec"
        case (TimeoutError() | SilentUnit(), _) | (_, GatewayTargetError() | GatewayPathUnavailableError()):
            return "timeout"
        case DeviceError(), ModbusProtocolError():
            return "not_modbus"
        case DeviceError(), ServerDeviceBusyError():
            return "busy"
        case DeviceError(), ModbusExceptionError():
            return "wrong_device"
        case DeviceError(), _:
            return "no_serial_port" if isinstance(line, SerialLine) else "cannot_connect"
        case _:
            return "link_settings_in_use"
