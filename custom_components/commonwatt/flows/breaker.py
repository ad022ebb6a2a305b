"""Which switch cuts a tap off, checked while a person is there to correct it."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..const import CONF_BREAKER_ENTITY, CONF_ESSENTIAL, DOMAIN
from ..site import TapConfig
from .pairing import FormErrors


def check_breaker(hass: HomeAssistant, reference: str | None, found: FormErrors) -> str | None:
    """Return the switch as a subentry keeps it: by registry id if it has one, so that renaming does no harm."""
    if reference is None:
        return None
    registry = er.async_get(hass)
    entity_id = er.async_resolve_entity_id(registry, reference)
    entry = None if entity_id is None else registry.async_get(entity_id)
    if entry is None and (entity_id is None or hass.states.get(entity_id) is None):
        found.errors["base"] = "breaker_gone"
    elif entry is not None and entry.platform == DOMAIN:
        found.errors["base"] = "breaker_own"
    return reference if entry is None else entry.id


def cut_off_form(hass: HomeAssistant, tap: TapConfig) -> dict[str, Any]:
    """Return what the form shows of a tap's breaker; a switch that is gone is shown as none."""
    form: dict[str, Any] = {CONF_ESSENTIAL: tap.essential}
    if tap.breaker_entity is not None:
        entity_id = er.async_resolve_entity_id(er.async_get(hass), tap.breaker_entity)
        form |= {} if entity_id is None else {CONF_BREAKER_ENTITY: entity_id}
    return form
