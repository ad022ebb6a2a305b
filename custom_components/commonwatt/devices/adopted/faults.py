"""What is wrong with an adopted entity for good, so that a person must mend it; passing silence is none."""

from dataclasses import dataclass
import math
from typing import Literal

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_RESTORED, ATTR_UNIT_OF_MEASUREMENT
from homeassistant.core import HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er

from .slots import Slot
from .states import NOTHING

type FaultKind = Literal["entity_gone", "entity_disabled", "entity_not_provided", "entity_wrong_unit"]


@dataclass(frozen=True, slots=True)
class Fault:
    """An adopted entity that no patience helps: its id, or its slot's name where it has none left."""

    kind: FaultKind
    entity: str


@callback
def _former_name(registry: er.EntityRegistry, reference: str) -> str | None:
    """Return what an entity was called that was removed; the registry remembers for a while."""
    return next((entry.entity_id for entry in registry.deleted_entities.values() if entry.id == reference), None)


@callback
def fault_of(hass: HomeAssistant, slot: Slot, reference: str, names: dict[str, str]) -> Fault | None:
    """Return what is wrong with an entity, if that is for a person.

    `names` remembers what references were called last: thousands may have been removed, too many to search every time.
    """
    registry = er.async_get(hass)
    entity_id = er.async_resolve_entity_id(registry, reference)
    if entity_id is None:
        if reference not in names:
            names[reference] = _former_name(registry, reference) or slot.name
        return Fault("entity_gone", names[reference])
    names[reference] = entity_id
    entry, state = registry.async_get(entity_id), hass.states.get(entity_id)
    if entry is not None and entry.disabled:
        return Fault("entity_disabled", entity_id)
    if entry is not None and (state is None or state.attributes.get(ATTR_RESTORED)):
        return Fault("entity_not_provided", entity_id) if _is_orphan(hass, entry) else None
    if state is None:
        return Fault("entity_gone", entity_id)
    return Fault("entity_wrong_unit", entity_id) if _has_wrong_unit(slot, state) else None


def _is_orphan(hass: HomeAssistant, entry: er.RegistryEntry) -> bool:
    """Tell whether nobody is about to provide it; an integration that only cannot start says so itself."""
    if entry.config_entry_id is None:
        return True
    config_entry = hass.config_entries.async_get_entry(entry.config_entry_id)
    return config_entry is None or config_entry.state in (ConfigEntryState.LOADED, ConfigEntryState.NOT_LOADED)


def _has_wrong_unit(slot: Slot, state: State) -> bool:
    """Tell whether it is a number in a unit that cannot be converted; what is no number now has no unit now."""
    if slot.converter is None or state.state in NOTHING:
        return False
    try:
        value = float(state.state)
    except ValueError:
        return False
    return math.isfinite(value) and state.attributes.get(ATTR_UNIT_OF_MEASUREMENT) not in slot.converter.VALID_UNITS
