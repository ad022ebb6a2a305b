"""Every line a Modbus unit may be on, against real servers: TCP, RTU frames over TCP, and a serial bus of two units."""

import asyncio
from collections.abc import AsyncGenerator, Callable
import time
from typing import Any

from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.core import HomeAssistant
from modbus_connection import ModbusSerialParams
from pymodbus.framer import FramerType
import pytest

from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.devices.faults import SilentUnit
from custom_components.commonwatt.devices.line import RtuOverTcpLine, SerialLine, TcpLine, line_params
from custom_components.commonwatt.devices.modbus import ModbusDevice
from custom_components.commonwatt.devices.patience import BACKOFF_S, SHARE, Bus, Patience
from custom_components.commonwatt.devices.poll import DevicePoll
from custom_components.commonwatt.devices.port import Answer
from custom_components.commonwatt.devices.profile import Profile, parse_profile
from custom_components.commonwatt.errors import DeviceError

from .house import MockConfigEntry, site_of, subentry, value
from .register_device import RegisterServer, RegisterUnit, SerialBus

TIMEOUT_S = 0.2


def small() -> Profile:
    """Return a profile of one block: 1 V and 7 Wh stand in it."""
    return parse_profile(
        "small",
        {
            "label": "Small",
            "manufacturer": None,
            "model": None,
            "kinds": ["meter"],
            "source": "made up",
            "checked": "map",
            "space": "holding",
            "max_gap": 0,
            "fields": {"voltage_v": {"address": 0, "type": "uint16"}, "import_wh": {"address": 1, "type": "uint32"}},
        },
    )


def unit(import_wh: int = 7) -> RegisterUnit:
    """Return a unit that has these registers."""
    return RegisterUnit({"holding": {0: 230, 1: import_wh >> 16, 2: import_wh & 0xFFFF}})


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a silent unit up soon."""
    monkeypatch.setattr(modbus, "LINK_TIMEOUT_S", TIMEOUT_S)


@pytest.fixture
async def bus(socket_enabled: None) -> AsyncGenerator[SerialBus]:
    """Lay a serial line with unit 3 on it, and nobody else."""
    bus = SerialBus({3: unit(70_000)})
    await bus.start()
    yield bus
    await bus.stop()


@pytest.mark.parametrize("framer", [FramerType.SOCKET, FramerType.RTU], ids=["tcp", "rtu over tcp"])
async def test_a_unit_is_read_over_tcp_in_either_framing(
    hass: HomeAssistant, socket_enabled: None, framer: FramerType
) -> None:
    """A serial gateway without a protocol of its own passes RTU frames through."""
    server = RegisterServer({5: unit()}, framer)
    await server.start()
    line = TcpLine if framer == FramerType.SOCKET else RtuOverTcpLine
    async with async_get_temporary_unit(hass, line_params(line("127.0.0.1", server.port)), 5) as five:
        answer = await ModbusDevice(five, small(), None).async_read()
    assert (answer.raw.import_wh, answer.values) == (7, {"voltage_v": 230})
    await server.stop()


async def test_a_unit_is_read_on_a_serial_line(hass: HomeAssistant, bus: SerialBus) -> None:
    """Over a device file, with the line's speed, parity and stop bits."""
    line = SerialLine(bus.device, 19_200, "E", 1)
    async with async_get_temporary_unit(hass, line_params(line), 3) as three:
        answer = await ModbusDevice(three, small(), None).async_read()
    assert answer.raw.import_wh == 70_000


def test_a_serial_lines_settings_all_reach_the_link() -> None:
    """Speed, parity and stop bits stand in the params that open the port."""
    params = line_params(SerialLine("/dev/ttyUSB0", 38_400, "O", 2))
    assert params == ModbusSerialParams(device="/dev/ttyUSB0", baudrate=38_400, parity="O", stopbits=2)


async def test_a_silent_unit_leaves_its_bus_to_the_others(hass: HomeAssistant, bus: SerialBus) -> None:
    """Unit 9 is not there: after two timeouts it is asked ever less often, and unit 3 answers at every poll."""
    params, shared = line_params(SerialLine(bus.device, 19_200)), Bus()
    async with (
        async_get_temporary_unit(hass, params, 3) as three,
        async_get_temporary_unit(hass, params, 9) as nine,
    ):
        poll = DevicePoll(
            {"there": ModbusDevice(three, small(), None, shared), "gone": ModbusDevice(nine, small(), None, shared)}
        )
        begun = time.monotonic()
        for _ in range(10):
            outcomes = await poll.async_poll(1)
            assert isinstance(outcomes["there"], Answer)
            assert isinstance(outcomes["gone"], SilentUnit)
            assert outcomes["gone"].detail == "nothing answers to this unit id"
        assert time.monotonic() - begun < 4 * TIMEOUT_S
        await poll.async_close()


async def test_a_unit_that_was_silent_is_found_again(hass: HomeAssistant, socket_enabled: None) -> None:
    """Behind a gateway that stays up, a unit that comes back is asked when its time has come."""
    now = 1000.0
    units = {2: unit()}
    server = RegisterServer(units)
    await server.start()
    async with async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", server.port)), 1) as one:
        device = ModbusDevice(one, small(), None, Bus(lambda: now))
        for _ in range(2):
            with pytest.raises(SilentUnit):
                await device.async_read()
        await server.stop()
        units[1] = unit(99)
        await server.start()
        with pytest.raises(SilentUnit):
            await device.async_read()
        assert not units[1].reads
        now += BACKOFF_S[1]
        assert (await device.async_read()).raw.import_wh == 99
        assert (await device.async_read()).raw.import_wh == 99
    await server.stop()


def test_silent_units_of_a_bus_wait_longer_and_longer_and_in_turn() -> None:
    """At most a third of the line's time goes to waiting for units that say nothing, however many they are."""
    now = 0.0
    bus = Bus(lambda: now)
    units = [Patience(bus) for _ in range(20)]
    for silent in units:
        for _ in range(2):
            assert silent.asks(3)
            silent.timed_out("nothing")
    waited_s, asked = 0.0, [0] * len(units)
    for second in range(600):
        now = float(second)
        for place, silent in enumerate(units):
            if silent.asks(3):
                silent.timed_out("nothing")
                waited_s += 3
                asked[place] += 1
    assert waited_s <= 600 / SHARE + 3
    assert min(asked) >= 1
    assert max(asked) <= 600 / BACKOFF_S[-1] + len(BACKOFF_S)


def test_all_units_of_a_line_that_was_cut_are_found_soon() -> None:
    """The first one that is back speaks for the others: they need not wait for their turns."""
    now = 0.0
    bus = Bus(lambda: now)
    units = [Patience(bus) for _ in range(20)]
    for silent in units:
        for _ in range(10):
            silent.timed_out("nothing")
    found: set[int] = set()
    polls = 0
    while len(found) < len(units):
        now += 10
        polls += 1
        for place, silent in enumerate(units):
            if silent.asks(3):
                silent.answered()
                found.add(place)
    assert polls <= BACKOFF_S[-1] / 10 + 2


def test_a_unit_that_came_back_by_itself_holds_up_nobodys_turn() -> None:
    """A command reached it while it waited for its turn to be read."""
    now = 0.0
    bus = Bus(lambda: now)
    first, second = Patience(bus), Patience(bus)
    for _ in range(9):
        first.timed_out("nothing")
        second.timed_out("nothing")
    now = 60.0
    assert bus.turn(object(), 3)
    assert not first.asks(3)
    first.answered()
    assert second.asks(3)
    second.timed_out("nothing")
    now = 300.0
    assert second.asks(3)


async def test_a_line_that_is_down_is_no_silent_unit(hass: HomeAssistant, socket_enabled: None) -> None:
    """A refused connection costs nobody time, so it is tried at every poll and found at once when it is back."""
    server = RegisterServer({1: unit()})
    await server.start()
    await server.stop()
    async with async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", server.port)), 1) as one:
        device = ModbusDevice(one, small(), None)
        for _ in range(4):
            with pytest.raises(DeviceError, match="the line is down"):
                await device.async_read()
        await server.start()
        assert (await device.async_read()).raw.import_wh == 7
    await server.stop()


async def test_units_of_one_line_are_asked_one_after_another(hass: HomeAssistant, socket_enabled: None) -> None:
    """Two requests at once would collide on a bus: the shared link keeps them in line."""
    units = {1: unit(1), 2: unit(2)}
    for slow in units.values():
        slow.latency_s = 0.05
    server = RegisterServer(units)
    await server.start()
    params = line_params(TcpLine("127.0.0.1", server.port))
    async with async_get_temporary_unit(hass, params, 1) as one, async_get_temporary_unit(hass, params, 2) as two:
        devices = [ModbusDevice(one, small(), None), ModbusDevice(two, small(), None)]
        begun = time.monotonic()
        answers = await asyncio.gather(*(device.async_read() for device in devices))
    assert [answer.raw.import_wh for answer in answers] == [1, 2]
    assert time.monotonic() - begun >= 0.1
    await server.stop()


async def test_a_site_reads_its_serial_bus_and_tells_once_who_is_silent(
    hass: HomeAssistant,
    socket_enabled: None,
    make_local: Callable[..., MockConfigEntry],
    caplog: pytest.LogCaptureFixture,
    expected_logs: list[str],
) -> None:
    """A meter and a tap on one line: the tap's is missing, the meter's energy is shown as if nothing were."""
    expected_logs.append("The meter of Tap T2 is silent: nothing answers to this unit id")
    meter = RegisterUnit({})
    meter.put("input", 52, 0x44FA, 0, *[0] * 18, 0x42C8, 0, 0x4120, 0)  # 2000 W, 100 kWh in, 10 kWh out
    meter.put("holding", 0xFC00, 0, 4711)
    bus = SerialBus({3: meter})
    await bus.start()
    source: dict[str, Any] = {"source": "modbus", "line": "serial", "device": bus.device, "baudrate": 9600}
    source |= {"parity": "E", "stopbits": 1, "profile": "eastron_sdm72dm"}
    entry = make_local(
        subentry("T1", "meter", source=source | {"unit_id": 3, "serial": "4711"}),
        subentry("T2", "tap", upstream="T1", source=source | {"unit_id": 9, "serial": "4712"}),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    for _ in range(5):
        await site_of(entry).async_refresh()
    assert value(hass, entry, "T1_import_energy") == "100.0"
    assert value(hass, entry, "T1_export_energy") == "10.0"
    assert value(hass, entry, "T2_import_energy") == "unavailable"
    assert caplog.text.count("The meter of Tap T2 is silent") == 1
    assert await hass.config_entries.async_unload(entry.entry_id)
    await bus.stop()
