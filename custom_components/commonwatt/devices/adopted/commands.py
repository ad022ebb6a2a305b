"""Telling an adopted device to do something: through its entities' own services, until the entities show it."""

import asyncio
from collections.abc import Callable, Mapping
import math
from typing import Any

from homeassistant.components.number.const import ATTR_MAX, ATTR_MIN, ATTR_STEP, ATTR_VALUE, SERVICE_SET_VALUE
from homeassistant.components.select.const import ATTR_OPTIONS
from homeassistant.const import (
    ATTR_ENTITY_ID,
    ATTR_OPTION,
    ATTR_UNIT_OF_MEASUREMENT,
    SERVICE_SELECT_OPTION,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
)
from homeassistant.core import HomeAssistant, State, split_entity_id
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er

from ...errors import DeviceError
from ..port import Range, Value
from .slots import INPUT_NUMBER, INPUT_SELECT, NUMBER, SELECT, Slot
from .states import entity_id_of, is_on, number_of, state_of, words_of

PAUSE_S = 0.5  # between two looks at an entity that takes its time
LOOKS = 20  # a charger behind a cloud shows what it was told within 10 s
CALL_SECONDS_MAX = 20.0

SWITCH_RANGE = Range()

type Shows = Callable[[State], bool]


def range_of(hass: HomeAssistant, slot: Slot, reference: str, *, inverted: bool) -> Range | None:
    """Return what an entity accepts now, in the slot's unit; None while nobody knows."""
    if (entity_id := entity_id_of(hass, reference)) is None:
        return None
    attributes = _capabilities(hass, entity_id)
    match split_entity_id(entity_id)[0]:
        case domain if domain in (NUMBER, INPUT_NUMBER):
            return _number_range(slot, attributes, inverted=inverted)
        case domain if domain in (SELECT, INPUT_SELECT):
            options = attributes.get(ATTR_OPTIONS)
            return Range(options=tuple(words_of(options))) if options else None
        case _:
            return SWITCH_RANGE


def _capabilities(hass: HomeAssistant, entity_id: str) -> Mapping[str, Any]:
    """Return what an entity says of itself; while it has no state, what the registry remembers."""
    state = hass.states.get(entity_id)
    entry = er.async_get(hass).async_get(entity_id)
    remembered: dict[str, Any] = {}
    if entry is not None:
        remembered = {**(entry.capabilities or {}), ATTR_UNIT_OF_MEASUREMENT: entry.unit_of_measurement}
    return remembered | (dict(state.attributes) if state is not None else {})


def _number_range(slot: Slot, attributes: Mapping[str, Any], *, inverted: bool) -> Range | None:
    if slot.converter is None or attributes.get(ATTR_MIN) is None or attributes.get(ATTR_MAX) is None:
        return None
    unit = attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    if unit not in slot.converter.VALID_UNITS:
        return None
    least, most, step = (
        slot.converter.convert(float(value), unit, slot.unit)
        for value in (attributes[ATTR_MIN], attributes[ATTR_MAX], attributes.get(ATTR_STEP) or 1)
    )
    return Range(-most, -least, step) if inverted else Range(least, most, step)


async def async_tell(hass: HomeAssistant, slot: Slot, reference: str, value: Value, *, inverted: bool) -> None:
    """Tell an entity; raise ValueError for what it does not accept, DeviceError unless it then shows it."""
    if (accepted := range_of(hass, slot, reference, inverted=inverted)) is None:
        raise DeviceError(f"{entity_id_of(hass, reference) or 'the entity'} does not say what it accepts")
    state = state_of(hass, reference)  # one that says nothing obeys nothing
    domain = split_entity_id(state.entity_id)[0]
    if domain in (NUMBER, INPUT_NUMBER):
        await _async_set(hass, slot, state, _number(value, accepted), accepted.step, inverted=inverted)
    elif domain in (SELECT, INPUT_SELECT):
        await _async_select(hass, state, value)
    else:
        await _async_turn(hass, state, value)


def _number(value: Value, accepted: Range) -> float:
    """Return the value as a whole number of steps from the least, never farther from zero than was asked."""
    if isinstance(value, bool | str) or not math.isfinite(value):
        raise ValueError(f"{value} is no number")
    if not accepted.least <= value <= accepted.most:
        raise ValueError(f"{value} is not between {accepted.least:g} and {accepted.most:g}")
    steps = (value - accepted.least) / accepted.step
    whole = round(steps) if math.isclose(steps, round(steps), abs_tol=1e-6) else None
    if whole is None:
        whole = math.floor(steps) if value > 0 else math.ceil(steps)
    told = min(accepted.least + whole * accepted.step, accepted.most)
    # where zero is no step of its own, the one next to it may lie beyond
    return told if abs(told) <= abs(value) + accepted.step * 1e-6 and told * value >= 0 else 0.0


async def _async_set(
    hass: HomeAssistant, slot: Slot, state: State, value: float, step: float, *, inverted: bool
) -> None:
    assert slot.converter is not None
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    own = slot.converter.convert(-value if inverted else value, slot.unit, unit)

    def shows(now: State) -> bool:
        shown = number_of(now, slot)
        return abs((-shown if inverted else shown) - value) <= step / 2

    await _async_call(hass, state, SERVICE_SET_VALUE, {ATTR_VALUE: round(own, 6)}, shows)


async def _async_select(hass: HomeAssistant, state: State, value: Value) -> None:
    option = words_of(state.attributes[ATTR_OPTIONS]).get(str(value))
    if option is None:
        raise ValueError(f"{value} is none of {', '.join(words_of(state.attributes[ATTR_OPTIONS]))}")
    await _async_call(hass, state, SERVICE_SELECT_OPTION, {ATTR_OPTION: option}, lambda now: now.state == option)


async def _async_turn(hass: HomeAssistant, state: State, value: Value) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{value} is neither on nor off")  # noqa: TRY004 - as the port says it
    await _async_call(hass, state, SERVICE_TURN_ON if value else SERVICE_TURN_OFF, {}, lambda now: is_on(now) is value)


async def _async_call(hass: HomeAssistant, state: State, service: str, data: Mapping[str, Any], shows: Shows) -> None:
    entity_id = state.entity_id
    try:
        async with asyncio.timeout(CALL_SECONDS_MAX):
            await hass.services.async_call(
                split_entity_id(entity_id)[0], service, {ATTR_ENTITY_ID: entity_id, **data}, blocking=True
            )
    except TimeoutError:
        raise DeviceError(f"{entity_id} does not answer") from None
    except HomeAssistantError as error:
        raise DeviceError(f"{entity_id}: {error}") from error
    for look in range(LOOKS):
        if look:
            await asyncio.sleep(PAUSE_S)
        if _shown(hass, entity_id, shows):
            return
    raise DeviceError(f"{entity_id} does not follow")


def _shown(hass: HomeAssistant, entity_id: str, shows: Shows) -> bool:
    try:
        return shows(state_of(hass, entity_id))
    except DeviceError:
        return False  # it may be away for a moment after it was told
