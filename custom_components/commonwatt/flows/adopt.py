"""Adopting what Home Assistant already knows: the form of each kind, filled in by a guess, checked slot by slot."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, CONF_DEVICE_ID
from homeassistant.core import HomeAssistant, callback, split_entity_id
from homeassistant.data_entry_flow import section
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.selector import (
    BooleanSelector,
    DeviceSelector,
    DeviceSelectorConfig,
    EntityFilterSelectorConfig,
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.util import slugify
from homeassistant.util.unit_conversion import BaseUnitConverter, EnergyConverter, PowerConverter
import probatio

from ..const import (
    CONF_DIRECTION,
    CONF_ENTITIES,
    CONF_EXPORT_ENTITY,
    CONF_IMPORT_ENTITY,
    CONF_INVERTED,
    CONF_POWER_ENTITY,
    CONF_SOURCE,
    DOMAIN,
    SOURCE_ENTITIES,
)
from ..devices.adopted import SLOTS, Slot, SlotName
from ..devices.adopted.guess import Candidate, Guess, guess
from ..devices.adopted.slots import BY_NAME, REGISTER_SLOTS, SENSOR, Section
from ..devices.port import Kind
from .pairing import FormErrors

# Where a source keeps these slots; the others lie under CONF_ENTITIES.
REGISTERS: tuple[SlotName, ...] = (CONF_IMPORT_ENTITY, CONF_EXPORT_ENTITY, CONF_POWER_ENTITY)
DIRECTIONS = ["import", "export", "both"]
SECTIONS: tuple[Section, ...] = ("electrical", "phases")

WRONG_UNIT: Mapping[type[BaseUnitConverter], str] = {EnergyConverter: "not_energy", PowerConverter: "not_power"}

# A device that tells neither energy nor power measures nothing.
MEASURES = EntityFilterSelectorConfig(domain=SENSOR, device_class=[SensorDeviceClass.ENERGY, SensorDeviceClass.POWER])
ANY_DEVICE = probatio.Schema(
    {probatio.Optional(CONF_DEVICE_ID): DeviceSelector(DeviceSelectorConfig(entity=[MEASURES]))}
)


@dataclass(frozen=True, slots=True)
class Picked:
    """What a chosen device suggests: the form of its entities, its name, and the switch that could cut it off."""

    form: Mapping[str, Any]
    name: str | None
    breaker: str | None


def schema(kind: Kind) -> probatio.Schema:
    """Ask which entities tell of a device, and which it obeys; rare ones lie folded up."""
    fields: dict[Any, Any] = {
        probatio.Optional(slot.name): _selector(slot) for slot in SLOTS[kind] if slot.section is None
    }
    fields[probatio.Optional(CONF_INVERTED, default=False)] = BooleanSelector()
    if kind not in ("charger", "battery"):
        fields[probatio.Optional(CONF_DIRECTION)] = SelectSelector(
            SelectSelectorConfig(options=DIRECTIONS, mode=SelectSelectorMode.DROPDOWN, translation_key=CONF_DIRECTION)
        )
    for name in SECTIONS:
        folded = {probatio.Optional(slot.name): _selector(slot) for slot in SLOTS[kind] if slot.section == name}
        if folded:
            fields[probatio.Optional(name)] = section(probatio.Schema(folded), {"collapsed": True})
    return probatio.Schema(fields)


def _selector(slot: Slot) -> EntitySelector:
    """Offer what fits: sensors by device class or by unit, since not every template has a class."""
    filters: list[EntityWithDeviceFilterSelectorConfig] = []
    for domain in slot.domains:
        if domain != SENSOR or not slot.device_classes:
            filters.append(EntityWithDeviceFilterSelectorConfig(domain=domain))
            continue
        filters.append(EntityWithDeviceFilterSelectorConfig(domain=domain, device_class=list(slot.device_classes)))
        if slot.name in REGISTER_SLOTS and slot.converter is not None:
            units = sorted(str(unit) for unit in slot.converter.VALID_UNITS if unit is not None)
            filters.append(EntityWithDeviceFilterSelectorConfig(domain=domain, unit_of_measurement=units))
    return EntitySelector(EntitySelectorConfig(filter=filters))


@callback
def check(hass: HomeAssistant, kind: Kind, user_input: Mapping[str, Any], found: FormErrors) -> dict[str, Any]:
    """Return the entities as a source keeps them, by registry id if they have one, so that renaming does no harm.

    What cannot be taken goes into `found`: at its field, or at the form for a field that is folded up.
    """
    chosen = _chosen(kind, user_input)
    if not any(name in chosen for name in REGISTER_SLOTS):
        found.errors["base"] = "no_energy_entity"
    references: dict[SlotName, str] = {}
    for slot, entity in chosen.values():
        reference, error = _checked(hass, slot, entity)
        if error is None and reference in references.values():
            error = "same_entity"
        if error is not None:
            found.errors.setdefault(slot.name if slot.section is None else "base", error)
            found.placeholders.setdefault("entity", entity)
        references[slot.name] = reference
    source: dict[str, Any] = {CONF_SOURCE: SOURCE_ENTITIES}
    source |= {name: references.get(name) for name in REGISTERS}
    source[CONF_ENTITIES] = {name: reference for name, reference in references.items() if name not in REGISTERS}
    source[CONF_INVERTED] = user_input.get(CONF_INVERTED, False)
    if user_input.get(CONF_DIRECTION):
        source[CONF_DIRECTION] = user_input[CONF_DIRECTION]
    return source


@callback
def form(hass: HomeAssistant, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form shows of a source there is; an entity that is gone is shown as none."""
    if source.get(CONF_SOURCE) != SOURCE_ENTITIES:
        return {}
    registry = er.async_get(hass)
    references = {name: source.get(name) for name in REGISTERS} | dict(source.get(CONF_ENTITIES, {}))
    known = {
        name: entity_id
        for name, reference in references.items()
        if reference and (entity_id := er.async_resolve_entity_id(registry, reference)) is not None
    }
    shown = _folded(known.items()) | {CONF_INVERTED: source.get(CONF_INVERTED, False)}
    return shown | ({CONF_DIRECTION: source[CONF_DIRECTION]} if source.get(CONF_DIRECTION) else {})


@callback
def picked(hass: HomeAssistant, kind: Kind, device_id: str) -> Picked:
    """Return what a device suggests; nothing is taken over before a person has seen it."""
    device = dr.async_get(hass).async_get(device_id)
    guessed = guess(kind, candidates(hass, device_id))
    name = None if device is None else device.name_by_user or device.name
    return Picked(_guessed_form(kind, guessed), name, guessed.breaker)


@callback
def candidates(hass: HomeAssistant, device_id: str) -> list[Candidate]:
    """Return the entities of a device that could be adopted: all but those that are disabled, or our own."""
    entries = er.async_entries_for_device(er.async_get(hass), device_id)
    device = dr.async_get(hass).async_get(device_id)
    names = [slugify(name) for name in (device.name_by_user, device.name) if name] if device is not None else []
    return [_candidate(hass, entry, names) for entry in entries if entry.platform != DOMAIN]


def _candidate(hass: HomeAssistant, entry: er.RegistryEntry, names: list[str]) -> Candidate:
    state = hass.states.get(entry.entity_id)
    own = None if state is None else state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    called = [slugify(name) for name in (entry.original_name or "", split_entity_id(entry.entity_id)[1])]
    for name in names:  # a plug called "Solar pump" takes energy all the same
        called = [word.removeprefix(name).strip("_") for word in called]
    return Candidate(
        entity_id=entry.entity_id,
        domain=entry.domain,
        text="_".join(word for word in (entry.translation_key, *called) if word),
        device_class=entry.device_class or entry.original_device_class,
        unit=own or entry.unit_of_measurement,
        category=entry.entity_category,
    )


def _guessed_form(kind: Kind, guessed: Guess) -> dict[str, Any]:
    shown = _folded(guessed.entities.items()) | {CONF_INVERTED: guessed.inverted}
    if guessed.direction is not None and kind not in ("charger", "battery"):
        shown[CONF_DIRECTION] = guessed.direction
    return shown


def _folded(flat: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return slots as the form holds them: some in its sections."""
    shown: dict[str, Any] = {}
    for name, entity_id in flat:
        place = BY_NAME[name].section
        (shown if place is None else shown.setdefault(place, {}))[name] = entity_id
    return shown


def _chosen(kind: Kind, user_input: Mapping[str, Any]) -> dict[str, tuple[Slot, str]]:
    flat = dict(user_input)
    for name in SECTIONS:
        flat |= user_input.get(name, {})
    return {slot.name: (slot, flat[slot.name]) for slot in SLOTS[kind] if flat.get(slot.name)}


@callback
def _checked(hass: HomeAssistant, slot: Slot, entity: str) -> tuple[str, str | None]:
    """Return the reference of an entity, and why it cannot be taken."""
    registry = er.async_get(hass)
    entity_id = er.async_resolve_entity_id(registry, entity)
    entry = None if entity_id is None else registry.async_get(entity_id)
    state = None if entity_id is None else hass.states.get(entity_id)
    reference = entity if entry is None else entry.id
    if entity_id is None or (entry is None and state is None):
        return reference, "entity_gone"
    if entry is not None and entry.platform == DOMAIN:
        return reference, "own_entity"
    if entry is not None and entry.disabled:
        return reference, "entity_disabled"
    if split_entity_id(entity_id)[0] not in slot.domains:
        return reference, "wrong_entity"
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT) if state else entry and entry.unit_of_measurement
    if slot.converter is not None and unit not in slot.converter.VALID_UNITS:
        return reference, WRONG_UNIT.get(slot.converter, "not_unit")
    return reference, None
