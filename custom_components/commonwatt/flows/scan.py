"""Looking for devices on lines that a site already uses: one pass of reads, never a write, and others come first."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from modbus_connection import (
    GatewayPathUnavailableError,
    GatewayTargetError,
    ModbusConnectionError,
    ModbusError,
    ModbusExceptionError,
    ModbusUnit,
)

from ..const import (
    CONF_PART,
    CONF_PROFILE,
    CONF_SERIAL,
    CONF_SOURCE,
    CONF_UNIT_ID,
    LOGGER,
    PROFILE_SUNSPEC,
    SOURCE_MODBUS,
)
from ..devices.counting import modbus_device
from ..devices.line import Line, TcpLine, line_params
from ..devices.port import DeviceIdentity, Kind
from ..devices.profile import Profile
from ..devices.sunspec import async_find
from ..errors import DeviceError
from ..site import TapConfig
from ..sources import ModbusSource
from .lines import line_source
from .probe import identified, model_name, open_maps, part_words
from .same import place, tap_with_source

KNOCK_SECONDS_MAX = 1.0  # a unit behind a slow gateway answers in a few hundred milliseconds
IDENTIFY_SECONDS_MAX = 5.0
PAUSE_S = 0.05  # between two units: whoever else uses the line gets its turn


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """Something that answers and is not added yet: how a subentry would keep it, and what it says of itself."""

    source: Mapping[str, Any]
    line: Line
    unit_id: int
    identity: DeviceIdentity
    label: str

    @property
    def words(self) -> str:
        """Return it as a person tells it from the others."""
        serial = "" if self.identity.serial is None else f" {self.identity.serial}"
        return f"{self.label}{serial} ({place_words(self.line)}, {self.unit_id})"


def place_words(line: Line) -> str:
    """Return where a line leads, for a person."""
    where = place(line)
    return where if isinstance(where, str) else f"{where[0]}:{where[1]}"


@dataclass(slots=True)
class Scan:
    """One search: where, for what, and what was found; `told` hears how far it is, from 0 to 1."""

    hass: HomeAssistant
    kind: Kind
    profiles: Sequence[Profile]
    taps: Sequence[TapConfig]
    lines: Sequence[Line]
    unit_ids: Sequence[int]
    texts: Mapping[str, str]
    told: Callable[[float], None]
    found: list[FoundDevice] = field(default_factory=list)
    silent: list[Line] = field(default_factory=list)
    stopped: bool = False  # set by whoever does not want to know any more
    _asked: int = 0

    async def async_run(self) -> None:
        """Look on all lines at once, on each at one unit after the other; a line that is down costs only itself."""
        async with asyncio.TaskGroup() as group:
            for line in self.lines:
                group.create_task(self._async_line(line))
        self.found.sort(key=lambda device: (place_words(device.line), device.unit_id, device.words))

    async def _async_line(self, line: Line) -> None:
        try:
            # held throughout, so that a line nobody else uses is opened once
            async with async_get_temporary_unit(self.hass, line_params(line), self.unit_ids[0]):
                for unit_id in self.unit_ids:
                    if self.stopped:
                        return
                    if not self._is_taken(line, unit_id):
                        await self._async_unit(line, unit_id)
                    self._asked += 1
                    self.told(self._asked / (len(self.lines) * len(self.unit_ids)))
        except (ModbusConnectionError, HomeAssistantError) as error:
            LOGGER.debug("No search on %s: %s", line, error)
            self.silent.append(line)

    async def _async_unit(self, line: Line, unit_id: int) -> None:
        async with async_get_temporary_unit(self.hass, line_params(line), unit_id) as unit:
            if await answers(unit):
                await self._async_look(line, unit_id, unit)
        await asyncio.sleep(PAUSE_S)

    def _is_taken(self, line: Line, unit_id: int) -> bool:
        """Tell whether the whole unit is at a tap already; of a SunSpec device another part may be free."""
        return any(
            isinstance(tap.source, ModbusSource)
            and tap.source.part is None
            and (place(tap.source.line), tap.source.unit_id) == (place(line), unit_id)
            for tap in self.taps
        )

    async def _async_look(self, line: Line, unit_id: int, unit: ModbusUnit) -> None:
        base = {CONF_SOURCE: SOURCE_MODBUS, **line_source(line), CONF_UNIT_ID: unit_id}
        for profile in self.profiles:
            identity = await _identity(unit, profile)
            if identity is not None:
                if self.kind in profile.kinds:
                    source = base | {CONF_PROFILE: profile.key} | identified(identity, {})
                    self._take(FoundDevice(source, line, unit_id, identity, model_name(identity) or profile.label))
                return
        try:
            async with asyncio.timeout(IDENTIFY_SECONDS_MAX):
                sunspec = await async_find(unit)
        except DeviceError, TimeoutError:
            return
        for part in sunspec.parts:
            if self.kind in part.kinds:
                serial, model = part.identity.serial, model_name(part.identity)
                source = base | {CONF_PROFILE: PROFILE_SUNSPEC, CONF_SERIAL: serial, CONF_PART: part.key}
                words = part_words(part, self.texts)
                label = words if model is None else f"{model}, {words}"
                self._take(FoundDevice(source, line, unit_id, part.identity, label))

    def _take(self, device: FoundDevice) -> None:
        """Keep a device unless it is known: many answer to every unit id of their line."""
        if tap_with_source(self.taps, device.source) is not None:
            return
        if any(_twin(device, other) for other in self.found):
            return
        self.found.append(device)


def searchable(profiles: Mapping[str, Profile], kind: Kind) -> list[Profile]:
    """Return the register maps that a device can be proven to have, our open ones first.

    Those are tried for every kind, so that a charger is not taken for a tap.
    """
    ours = open_maps(profiles.values())
    return ours + [
        profile for profile in profiles.values() if profile.identity and kind in profile.kinds and profile not in ours
    ]


async def answers(unit: ModbusUnit) -> bool:
    """Tell whether anybody is there; a refusal is an answer. Raises ModbusConnectionError if the line is down."""
    open_before = unit.connected
    try:
        # opening the line takes its own time, and is not to be cut off
        async with asyncio.timeout(KNOCK_SECONDS_MAX if open_before else None):
            await unit.read_holding_registers(0, 1)
    except GatewayTargetError, GatewayPathUnavailableError:
        return False
    except ModbusExceptionError:
        return True
    except ModbusConnectionError:
        raise
    except (ModbusError, TimeoutError) as error:
        if not open_before and not unit.connected:
            raise ModbusConnectionError("the line does not open") from error
        LOGGER.debug("Nobody speaks clearly here: %r", error)
        return False
    return True


async def _identity(unit: ModbusUnit, profile: Profile) -> DeviceIdentity | None:
    try:
        async with asyncio.timeout(IDENTIFY_SECONDS_MAX):
            return await modbus_device(unit, profile, None).async_identify()
    except DeviceError, TimeoutError:
        return None


def _twin(one: FoundDevice, other: FoundDevice) -> bool:
    """Tell whether two answers are one device, seen under two unit ids."""
    same = all(one.source.get(key) == other.source.get(key) for key in (CONF_PROFILE, CONF_SERIAL, CONF_PART))
    if one.identity.serial is not None:
        return same
    return same and isinstance(one.line, TcpLine) and place(one.line) == place(other.line)
