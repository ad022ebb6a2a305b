"""A poll of meters at 20 ms: its requests and time beside bare sockets, and beside Home Assistant's own modbus."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
import logging
import struct
import tempfile
from time import perf_counter
from typing import Any
from unittest.mock import patch

from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.components.modbus.modbus import ModbusHub
from homeassistant.core import HomeAssistant
from homeassistant.helpers import frame
from homeassistant.helpers.entity_component import async_update_entity
from homeassistant.setup import async_setup_component
from modbus_connection import ModbusUnit
from pytest_homeassistant_custom_component.common import async_test_home_assistant

from custom_components.commonwatt.devices.line import TcpLine, line_params
from custom_components.commonwatt.devices.modbus import ModbusDevice
from custom_components.commonwatt.devices.poll import DevicePoll
from custom_components.commonwatt.devices.port import Answer
from custom_components.commonwatt.devices.profile import Profile, load_profiles

from .figure import Figure
from .poll_devices import meters

METERS = 100
PROFILE = "eastron_sdm630"
READ_INPUT = 4
SLOW = frozenset({"serial", "demand_w", "demand_max_w"})  # not of every poll, on neither side
POLL_MAX, TOGETHER_MAX = 1.05, 1.5
SILENT_S = 3.0
FIRST_READS_S = 3.0  # of Home Assistant's own modbus, which begins after a while

type Poll = Callable[[], Awaitable[object]]


def measure(seconds: float, *, many: int = METERS) -> list[Figure]:
    """Measure one SDM630, then many at once."""
    profile = load_profiles()[PROFILE]
    words = {address: word for field in profile.fields.values() for address, word in _words(field.address)}
    with meters(words, many) as ports:
        return asyncio.run(_measure(ports, profile, seconds))


async def _measure(ports: list[int], profile: Profile, seconds: float) -> list[Figure]:
    async with _hass() as hass, AsyncExitStack() as stack:
        units = [
            await stack.enter_async_context(async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", port)), 1))
            for port in ports
        ]
        counted = CountedUnit(units[0])
        device = ModbusDevice(counted, profile, None)
        await device.async_read()
        counted.requests = 0
        await device.async_read()
        own_requests = counted.requests
        own_s = await _shortest(device.async_read, seconds / 3)
        bare_s = await _bare(ports[0], own_requests, seconds / 3)
        async with _yaml(hass, ports[0], profile) as (poll, requests):
            yaml_requests = await requests()
            yaml_s = await _shortest(poll, seconds / 3)
        together_s = await _together(units, profile, seconds / 3)
    fields = f"an SDM630's {len(_polled(profile))} values"
    hub = "Home Assistant's modbus, as configured in YAML"
    return [
        Figure(f"poll {fields}: requests", "requests", hub, yaml_requests, own_requests, 1, more_is_better=False),
        Figure(f"poll {fields}: rate at 20 ms", "polls/s", hub, 1 / yaml_s, 1 / own_s, 1),
        Figure(
            f"poll {fields}: time at 20 ms",
            "ms",
            f"bare socket, {own_requests} round trips",
            bare_s * 1000,
            own_s * 1000,
            POLL_MAX,
            more_is_better=False,
        ),
        Figure(
            f"poll {len(ports)} meters at once",
            "ms",
            "bare socket, one meter",
            bare_s * 1000,
            together_s * 1000,
            TOGETHER_MAX,
            more_is_better=False,
        ),
    ]


class CountedUnit:
    """A unit that counts the reads asked of it."""

    def __init__(self, unit: ModbusUnit) -> None:
        """Take the unit."""
        self._unit = unit
        self.requests = 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("read_"):
            self.requests += 1
        return getattr(self._unit, name)


async def _together(units: list[ModbusUnit], profile: Profile, seconds: float) -> float:
    poll = DevicePoll({f"T{number}": ModbusDevice(unit, profile, None) for number, unit in enumerate(units)})
    await poll.async_poll(SILENT_S)

    async def once() -> None:
        outcomes = await poll.async_poll(SILENT_S)
        assert all(isinstance(outcome, Answer) for outcome in outcomes.values())

    try:
        return await _shortest(once, seconds)
    finally:
        await poll.async_close()


async def _bare(port: int, round_trips: int, seconds: float) -> float:
    """Return what the same round trips take when nothing else is done with the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = struct.pack(">HHHBBHH", 1, 0, 6, 1, READ_INPUT, 0, 76)

    async def once() -> None:
        for _ in range(round_trips):
            writer.write(request)
            await reader.readexactly(9 + 2 * 76)

    try:
        return await _shortest(once, seconds)
    finally:
        writer.close()


@asynccontextmanager
async def _yaml(
    hass: HomeAssistant, port: int, profile: Profile
) -> AsyncGenerator[tuple[Poll, Callable[[], Awaitable[int]]]]:
    """Let Home Assistant's own integration read the same values as a person configures them: a sensor for each."""
    sensors = [
        {
            "name": name,
            "address": field.address,
            "input_type": field.space,
            "data_type": field.type,
            "slave": 1,
            "scan_interval": 0,
        }
        for name, field in _polled(profile).items()
    ]
    hub = {"type": "tcp", "name": "bench", "host": "127.0.0.1", "port": port, "sensors": sensors}
    calls = 0
    low_level = ModbusHub.low_level_pb_call

    async def counted(self: ModbusHub, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        return await low_level(self, *arguments)

    with patch.object(ModbusHub, "low_level_pb_call", counted):
        assert await async_setup_component(hass, "modbus", {"modbus": [hub]})
        await hass.async_block_till_done()
        entities = [f"sensor.{name}" for name in _polled(profile)]

        async def poll() -> None:
            await asyncio.gather(*(async_update_entity(hass, entity) for entity in entities))

        async def requests() -> int:
            nonlocal calls
            await poll()  # the first one may connect
            calls = 0
            await poll()
            return calls

        await asyncio.sleep(FIRST_READS_S)
        assert {state.state for entity in entities if (state := hass.states.get(entity))} == {"50.00"}
        yield poll, requests


async def _shortest(work: Poll, seconds: float) -> float:
    """Return the shortest time of some work: what it takes when nobody else wants the machine."""
    spans: list[float] = []
    until = perf_counter() + seconds
    while not spans or perf_counter() < until:
        begun = perf_counter()
        await work()
        spans.append(perf_counter() - begun)
    return min(spans)


@asynccontextmanager
async def _hass() -> AsyncGenerator[HomeAssistant]:
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        async with async_test_home_assistant(config_dir=folder) as hass:
            frame.async_setup(hass)
            try:
                yield hass
            finally:
                await hass.async_stop(force=True)
                logging.disable(logging.NOTSET)


def _polled(profile: Profile) -> Mapping[str, Any]:
    return {name: field for name, field in profile.fields.items() if name not in SLOW}


def _words(address: int) -> list[tuple[int, int]]:
    """Return a plausible float32 at an address."""
    high, low = struct.unpack(">HH", struct.pack(">f", 50.0))
    return [(address, high), (address + 1, low)]
