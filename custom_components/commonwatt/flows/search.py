"""Searching the lines of a site for devices that are not added yet, so that none has to be typed in."""

from typing import Any, override

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.core import callback

from ..const import CONF_FIRST_UNIT_ID, CONF_FOUND, CONF_LAST_UNIT_ID, CONF_LINES
from ..devices.line import Line
from ..sources import ModbusSource
from . import schemas
from .modbus import ModbusFlow
from .pairing import FormErrors
from .probe import model_name, part_texts, profiles
from .scan import FoundDevice, Scan, place_words, searchable


class SearchFlow(ModbusFlow):
    """The steps of a search."""

    _scan: Scan | None = None
    _devices: dict[str, FoundDevice]

    async def async_step_search(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask where to look; a site without Modbus devices has nowhere."""
        await self._async_site()
        lines = self._lines
        if not lines:
            return self.async_abort(reason="no_lines")
        found = FormErrors()
        if user_input is not None:
            first, last = user_input[CONF_FIRST_UNIT_ID], user_input[CONF_LAST_UNIT_ID]
            if not user_input[CONF_LINES]:
                found.errors[CONF_LINES] = "choose_line"
            elif first > last:
                found.errors[CONF_LAST_UNIT_ID] = "first_after_last"
            else:
                chosen = [line for words, line in lines.items() if words in user_input[CONF_LINES]]
                self._search_asked = user_input
                return await self._async_search(chosen, range(first, last + 1))
        return self._show("search", schemas.search({words: words for words in lines}), user_input or {}, found)

    async def _async_search(self, lines: list[Line], unit_ids: range) -> SubentryFlowResult:
        self._scan = Scan(
            self.hass,
            self.kind,
            searchable(await profiles(self.hass), self.kind),
            self._others,
            lines,
            unit_ids,
            await part_texts(self.hass),
            self.async_update_progress,
        )
        return await self._async_wait("search", self._scan.async_run(), self._async_searched, patience_s=0)

    async def _async_searched(self) -> SubentryFlowResult:
        assert self._scan is not None
        self._devices = {str(number): device for number, device in enumerate(self._scan.found)}
        if self._devices:
            return await self.async_step_found()
        found = FormErrors({"base": "nothing_found"})
        if len(self._scan.silent) == len(self._scan.lines):
            found.errors["base"] = "lines_silent"
        return self._show("search", schemas.search({words: words for words in self._lines}), self._search_asked, found)

    async def async_step_found(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask which of the devices found this is."""
        found = FormErrors()
        if user_input is not None:
            device = self._devices[user_input[CONF_FOUND]]
            if self._is_free(device.source, found):
                self._asked = dict(device.source)
                return await self._async_unit_chosen(model_name(device.identity), device.identity.rated_power_w)
        options = {number: device.words for number, device in self._devices.items()}
        return self._show("found", schemas.choice(CONF_FOUND, options), user_input or {}, found)

    @callback
    @override
    def async_remove(self) -> None:
        """Ask nobody any more."""
        super().async_remove()
        if self._scan is not None:
            self._scan.stopped = True

    @property
    def _lines(self) -> dict[str, Line]:
        """Return the lines the site already uses, by what they are called."""
        sources = [tap.source for tap in self._taps.values()]
        return {place_words(source.line): source.line for source in sources if isinstance(source, ModbusSource)}

    _search_asked: dict[str, Any]
