"""Where a tap's registers come from, checked while a person is there to correct it."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util.unit_conversion import BaseUnitConverter, EnergyConverter, PowerConverter
from modbus_connection import ModbusTimeoutError

from ..const import (
    CONF_EXPORT_ENTITY,
    CONF_IMPORT_ENTITY,
    CONF_POWER_ENTITY,
    CONF_PROFILE,
    CONF_SOURCE,
    CONF_UNIT_ID,
    DOMAIN,
    LOGGER,
    SECTION_MORE_OPTIONS,
    SOURCE_ENTITIES,
    SOURCE_MODBUS,
)
from ..devices.line import line_params
from ..devices.modbus import ModbusDevice, WrongDevice
from ..devices.port import DeviceIdentity
from ..devices.profile import Profile, load_profiles
from ..errors import DeviceError
from ..site import TapConfig
from ..sources import EntitiesSource, ModbusSource, line_of, source_of
from .pairing import FormErrors

PROBE_SECONDS_MAX = 15.0
FIELDS: Mapping[str, tuple[type[BaseUnitConverter], str]] = {
    CONF_IMPORT_ENTITY: (EnergyConverter, "not_energy"),
    CONF_EXPORT_ENTITY: (EnergyConverter, "not_energy"),
    CONF_POWER_ENTITY: (PowerConverter, "not_power"),
}


async def profiles(hass: HomeAssistant) -> Mapping[str, Profile]:
    """Return the register maps there are."""
    return await hass.async_add_executor_job(load_profiles)


def check_entities(hass: HomeAssistant, user_input: Mapping[str, Any], found: FormErrors) -> dict[str, Any]:
    """Return the entities as a subentry keeps them: by registry id if they have one, so that renaming does no harm."""
    chosen: dict[str, str] = {name: user_input[name] for name in FIELDS if user_input.get(name)}
    if CONF_IMPORT_ENTITY not in chosen and CONF_EXPORT_ENTITY not in chosen:
        found.errors["base"] = "no_energy_entity"
    elif chosen.get(CONF_IMPORT_ENTITY) == chosen.get(CONF_EXPORT_ENTITY):
        found.errors[CONF_EXPORT_ENTITY] = "same_entity"
    source: dict[str, Any] = {CONF_SOURCE: SOURCE_ENTITIES}
    registry = er.async_get(hass)
    for name, reference in chosen.items():
        entity_id = er.async_resolve_entity_id(registry, reference)
        entry = None if entity_id is None else registry.async_get(entity_id)
        state = None if entity_id is None else hass.states.get(entity_id)
        converter, wrong_unit = FIELDS[name]
        unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT) if state else entry and entry.unit_of_measurement
        if entry is None and state is None:
            found.errors[name] = "entity_gone"
        elif entry is not None and entry.platform == DOMAIN:
            found.errors[name] = "own_entity"
        elif unit not in converter.VALID_UNITS:
            found.errors[name] = wrong_unit
        source[name] = reference if entry is None else entry.id
    return source


def modbus_source(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Modbus form's content as a subentry keeps it."""
    return {
        CONF_SOURCE: SOURCE_MODBUS,
        CONF_HOST: user_input[CONF_HOST].strip().lower(),
        CONF_PORT: user_input[CONF_PORT],
        CONF_UNIT_ID: user_input[SECTION_MORE_OPTIONS][CONF_UNIT_ID],
        CONF_PROFILE: user_input[CONF_PROFILE],
    }


async def probe(hass: HomeAssistant, source: Mapping[str, Any], found: FormErrors) -> DeviceIdentity | None:
    """Ask the unit who it is, over the link it may already share with others; None with the reason in `found`."""
    profile = (await profiles(hass))[source[CONF_PROFILE]]
    params = line_params(line_of(source))
    try:
        async with (
            asyncio.timeout(PROBE_SECONDS_MAX),
            async_get_temporary_unit(hass, params, source[CONF_UNIT_ID]) as unit,
        ):
            return await ModbusDevice(unit, profile, None).async_identify()
    except WrongDevice as error:
        LOGGER.debug("Probing %s: %s", params, error)
        found.errors["base"] = "wrong_device"
    except DeviceError as error:
        LOGGER.debug("Probing %s: %s", params, error)
        timed_out = isinstance(error.__cause__, ModbusTimeoutError)
        found.errors["base"] = "timeout" if timed_out else "cannot_connect"
    except TimeoutError:
        found.errors["base"] = "timeout"
    except HomeAssistantError as error:
        LOGGER.debug("Probing %s: %s", params, error)
        found.errors["base"] = "link_settings_in_use"
    return None


def tap_with_source(taps: Iterable[TapConfig], source: Mapping[str, Any]) -> TapConfig | None:
    """Return the tap that already measures with the same register, if there is one."""
    wanted = source_of(source)
    return next((tap for tap in taps if _same(tap.source, wanted)), None)


def _same(one: EntitiesSource | ModbusSource, other: EntitiesSource | ModbusSource) -> bool:
    match one, other:
        case EntitiesSource(), EntitiesSource():
            return bool(_energy_entities(one) & _energy_entities(other))
        case ModbusSource(), ModbusSource():
            same_place = (one.line, one.unit_id, one.part) == (other.line, other.unit_id, other.part)
            named = (one.profile, one.serial, one.part) == (other.profile, other.serial, other.part)
            same_device = named and one.serial is not None
            return same_place or same_device
        case _:
            return False


def _energy_entities(source: EntitiesSource) -> set[str]:
    return {entity for entity in (source.import_entity, source.export_entity) if entity is not None}


def entities_form(hass: HomeAssistant, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form of existing entities shows of a source there is."""
    if source.get(CONF_SOURCE) != SOURCE_ENTITIES:
        return {}
    registry = er.async_get(hass)
    known = {name: er.async_resolve_entity_id(registry, source[name]) for name in FIELDS if source.get(name)}
    return {name: entity_id for name, entity_id in known.items() if entity_id is not None}


def modbus_form(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the Modbus form shows of a source there is."""
    if source.get(CONF_SOURCE) != SOURCE_MODBUS:
        return {}
    form = {name: source[name] for name in (CONF_HOST, CONF_PORT, CONF_PROFILE)}
    return form | {SECTION_MORE_OPTIONS: {CONF_UNIT_ID: source[CONF_UNIT_ID]}}
