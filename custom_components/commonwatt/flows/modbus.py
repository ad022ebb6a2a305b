"""Reading a device over Modbus: which line, which unit, which register map, or which part of a SunSpec device."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import SubentryFlowResult
import probatio

from ..const import (
    CONF_FOUND,
    CONF_PART,
    CONF_PROFILE,
    CONF_SERIAL,
    CONF_SOURCE,
    LINE_RTU_OVER_TCP,
    LINE_SERIAL,
    LINE_TCP,
    PROFILE_SUNSPEC,
    SOURCE_MODBUS,
    SOURCE_SUNSPEC,
)
from ..devices.port import DeviceIdentity
from ..devices.sunspec import SunSpecPart
from ..sources import ModbusSource, line_of
from ..yaml_hubs import yaml_hub
from . import schemas
from .lines import LINE_FIELDS, LINES, line_source, unit_form, unit_source
from .pairing import FormErrors
from .probe import (
    find_parts,
    identified,
    model_name,
    other_settings,
    part_texts,
    part_words,
    probe,
    profile_labels,
    profiles,
    relinked,
)
from .same import tap_with_source
from .waiting import WaitingFlow


class ModbusFlow(WaitingFlow):
    """The steps of a Modbus unit; it has to answer now."""

    _sunspec = False
    _line: str = LINE_TCP
    _typed: Mapping[str, Any]
    _found: FormErrors
    _identity: DeviceIdentity | None = None
    _parts: tuple[SunSpecPart, ...] = ()
    _asked: dict[str, Any]
    _name: str | None
    _rated_power_w: int | None

    async def async_step_modbus(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask how a unit with a register map is reached."""
        self._sunspec = False
        return self.async_show_menu(step_id=SOURCE_MODBUS, menu_options=LINES)

    async def async_step_sunspec(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask how a unit that describes itself is reached."""
        self._sunspec = True
        return self.async_show_menu(step_id=SOURCE_SUNSPEC, menu_options=LINES)

    async def async_step_tcp(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a unit on Modbus TCP."""
        return await self._async_step_unit(LINE_TCP, user_input)

    async def async_step_rtu_over_tcp(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a unit behind a plain serial gateway."""
        return await self._async_step_unit(LINE_RTU_OVER_TCP, user_input)

    async def async_step_serial(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a unit on a serial port of this machine."""
        return await self._async_step_unit(LINE_SERIAL, user_input)

    async def _async_step_unit(self, line: str, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        await self._async_site()
        self._line, self._found = line, FormErrors()
        if user_input is None:
            self._typed = unit_form(line, self._current, self._taps.values())
            return await self._async_show_unit()
        self._typed = user_input
        profile = None if self._sunspec else (await profiles(self.hass))[user_input[CONF_PROFILE]]
        self._asked = unit_source(line, profile, user_input)
        if self._sunspec:
            self._asked[CONF_PROFILE] = PROFILE_SUNSPEC
            return await self._async_wait("find_parts", self._async_find_parts(), self._async_parts_found)
        return await self._async_wait("probe", self._async_probe(), self._async_probed)

    async def _async_show_unit(self) -> SubentryFlowResult:
        labels = None if self._sunspec else await profile_labels(self.hass, self.kind)
        # a SunSpec device that is to be read by a register map, and the reverse: the map is chosen anew
        form = {name: word for name, word in self._typed.items() if name != CONF_PROFILE or word in (labels or ())}
        return self._show(self._line, schemas.unit(self._line, labels), form, self._found)

    async def _async_probe(self) -> None:
        async with relinked(self.hass, self._get_entry(), self._own_tap, line_of(self._asked)):
            self._identity = await probe(self.hass, self._asked, self._found)

    async def _async_probed(self) -> SubentryFlowResult:
        if (identity := self._identity) is None:
            return await self._async_show_unit()
        self._asked |= identified(identity, self._current)
        if not self._is_free(self._asked, self._found):
            return await self._async_show_unit()
        return await self._async_unit_chosen(model_name(identity), identity.rated_power_w)

    async def _async_find_parts(self) -> None:
        self._parts = ()
        async with relinked(self.hass, self._get_entry(), self._own_tap, line_of(self._asked)):
            found = await find_parts(self.hass, self._asked, self._found)
        if found is not None:
            self._parts = found.parts

    async def _async_parts_found(self) -> SubentryFlowResult:
        suited = [part for part in self._parts if self.kind in part.kinds]
        if not suited and not self._found:
            self._found.errors["base"] = "no_such_part"
        others = self._others
        free = [part for part in suited if tap_with_source(others, self._source_of(part)) is None]
        if suited and not free:
            self._is_free(self._source_of(suited[0]), self._found)
        if self._found:
            return await self._async_show_unit()
        self._parts = tuple(free)
        return await self.async_step_part({CONF_FOUND: free[0].key} if len(free) == 1 else None)

    def _source_of(self, part: SunSpecPart) -> dict[str, Any]:
        return self._asked | {CONF_SERIAL: part.identity.serial, CONF_PART: part.key}

    async def async_step_part(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask which part of the device this is."""
        parts = {part.key: part for part in self._parts}
        if user_input is None:
            texts = await part_texts(self.hass)
            options = {key: f"{part_words(part, texts)} ({key})" for key, part in parts.items()}
            return self._show("part", schemas.choice(CONF_FOUND, options), {}, FormErrors())
        part = parts[user_input[CONF_FOUND]]
        self._asked = self._source_of(part)
        return await self._async_unit_chosen(model_name(part.identity) or part.label, part.identity.rated_power_w)

    def _relink_others(self) -> None:
        """Let the other devices on a line follow: all units of a bus speak at one speed, with one parity."""
        own, entry = self._own_tap, self._get_entry()
        if own is None or self._source[CONF_SOURCE] != SOURCE_MODBUS:
            return
        line = line_of(self._source)
        for tap in self._taps.values():
            shared = isinstance(tap.source, ModbusSource) and other_settings(tap.source.line, line)
            if not shared or tap.tap == own.tap:
                continue
            subentry = entry.subentries[tap.subentry_id]
            kept = {name: word for name, word in subentry.data[CONF_SOURCE].items() if name not in LINE_FIELDS}
            data = {**subentry.data, CONF_SOURCE: kept | line_source(line)}
            self.hass.config_entries.async_update_subentry(entry, subentry, data=data)

    async def _async_unit_chosen(self, name: str | None, rated_power_w: int | None) -> SubentryFlowResult:
        self._name, self._rated_power_w = name, rated_power_w
        if yaml_hub(self.hass, line_of(self._asked)) is not None:
            return await self.async_step_yaml_hub()
        return await self._async_chosen(self._asked, name, rated_power_w)

    async def async_step_yaml_hub(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Warn of a hub in configuration.yaml that talks to the same device on a connection of its own."""
        hub = yaml_hub(self.hass, line_of(self._asked))
        if user_input is None and hub is not None:
            return self._show("yaml_hub", probatio.Schema({}), {}, FormErrors(), {"hub": hub})
        return await self._async_chosen(self._asked, self._name, self._rated_power_w)
