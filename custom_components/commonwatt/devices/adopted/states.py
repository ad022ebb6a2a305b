"""What an existing entity says now, in the unit that is wanted: a number, a yes or no, or one word of several."""

import math

from homeassistant.components.select.const import ATTR_OPTIONS
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import slugify

from ...errors import DeviceError
from .slots import Slot

NOTHING = frozenset({STATE_UNAVAILABLE, STATE_UNKNOWN, ""})


@callback
def entity_id_of(hass: HomeAssistant, reference: str) -> str | None:
    """Return the entity id a reference stands for now; None when its registry entry is gone."""
    return er.async_resolve_entity_id(er.async_get(hass), reference)


@callback
def state_of(hass: HomeAssistant, reference: str) -> State:
    """Return the state of an entity; raise DeviceError when there is none, or it says nothing."""
    entity_id = entity_id_of(hass, reference)
    state = None if entity_id is None else hass.states.get(entity_id)
    if state is None:
        raise DeviceError(f"{entity_id or 'the entity'} does not exist")
    if state.state in NOTHING:
        raise DeviceError(f"{entity_id} is {state.state or 'empty'}")
    return state


def number_of(state: State, slot: Slot) -> float:
    """Return a state in the unit of a slot; raise DeviceError when it is no finite number with a unit that can be."""
    assert slot.converter is not None
    try:
        value = float(state.state)
    except ValueError:
        raise DeviceError(f"{state.entity_id} is {state.state}") from None
    if not math.isfinite(value):
        raise DeviceError(f"{state.entity_id} is {state.state}")
    try:
        return slot.converter.convert(value, state.attributes.get(ATTR_UNIT_OF_MEASUREMENT), slot.unit)
    except HomeAssistantError as error:
        raise DeviceError(f"{state.entity_id}: {error}") from error


def is_on(state: State) -> bool:
    """Return whether a state is on; raise DeviceError when it is neither on nor off."""
    if (said := {STATE_ON: True, STATE_OFF: False}.get(state.state)) is None:
        raise DeviceError(f"{state.entity_id} is {state.state}")
    return said


def words_of(options: list[str]) -> dict[str, str]:
    """Return a select's options by their word in lower snake case; of two with the same word the second is numbered."""
    words: dict[str, str] = {}
    for option in options:
        word = base = slugify(option)
        number = 1
        while word in words:
            number += 1
            word = f"{base}_{number}"
        words[word] = option
    return words


def word_of(state: State) -> str | None:
    """Return the word of the option a select shows; None for one it does not have."""
    words = words_of(state.attributes.get(ATTR_OPTIONS) or [])
    return next((word for word, option in words.items() if option == state.state), None)
