"""Measuring with entities that Home Assistant already has: a device is chosen, its entities are put in their places."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.const import CONF_DEVICE_ID, CONF_NAME

from ..const import (
    CONF_BREAKER_ENTITY,
    CONF_SOURCE,
    SECTION_MORE_OPTIONS,
    SOURCE_ENTITIES,
    SUBENTRY_CABLE,
    SUBENTRY_METER,
)
from . import adopt
from .pairing import FormErrors
from .search import SearchFlow


class EntitiesFlow(SearchFlow):
    """The steps of a device that another integration already reads."""

    _picked: adopt.Picked | None = None

    async def async_step_entities(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the entities; where none are chosen yet, first which device they belong to, to fill the form in."""
        await self._async_site()
        adopted = self._current.get(CONF_SOURCE) == SOURCE_ENTITIES
        if user_input is None and not adopted and self._picked is None:
            return await self.async_step_device()
        found = FormErrors()
        if user_input is not None:
            source = adopt.check(self.hass, self.kind, user_input, found)
            if self._is_free(source, found):
                return await self._async_adopted(source)
        form: Mapping[str, Any] = user_input or adopt.form(self.hass, self._current)
        if user_input is None and self._picked is not None:
            form = self._picked.form
        return self._show(SOURCE_ENTITIES, adopt.schema(self.kind), form, found)

    async def async_step_device(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask which device it is; entities without a device are chosen one by one."""
        if user_input is None:
            return self._show("device", adopt.ANY_DEVICE, {}, FormErrors())
        device_id = user_input.get(CONF_DEVICE_ID)
        self._picked = adopt.Picked({}, None, None)
        if device_id is not None:
            self._picked = adopt.picked(self.hass, self.kind, device_id)
        return await self.async_step_entities()

    async def _async_adopted(self, source: Mapping[str, Any]) -> SubentryFlowResult:
        self._source, picked = source, self._picked
        suggested: dict[str, Any] = {}
        if picked is not None and picked.name:
            suggested[CONF_NAME] = picked.name
        if picked is not None and picked.breaker and self.kind not in (SUBENTRY_METER, SUBENTRY_CABLE):
            suggested[SECTION_MORE_OPTIONS] = {CONF_BREAKER_ENTITY: picked.breaker}
        self._suggested = suggested
        return await self._async_step_source()
