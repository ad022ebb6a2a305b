"""The devices over a real socket: two independent clients read what the pure function says."""

import asyncio
from collections.abc import AsyncIterator
import time

from modbus_connection import (
    IllegalDataAddressError,
    IllegalDataValueError,
    ModbusError,
    ModbusExceptionError,
    ModbusTcpParams,
    ModbusUnit,
)
from modbus_connection.tmodbus import ModbusConnection
from pymodbus.client import AsyncModbusTcpClient
import pytest

from demo.devices import DeviceServer, House, PressedClock
from demo.house import DEVICES, HALF_HOUR_MS, MAIN_METER, Snapshot, load_house, registers_at
from demo.register_map import BREAKER_COMMAND, WORDS, Breaker

HOUSE = load_house()
EV = next(device for device in DEVICES if device.key == "ev")
PV = next(device for device in DEVICES if device.key == "pv")
pytestmark = pytest.mark.usefixtures("socket_enabled")


class HeldClock(PressedClock):
    """A clock that stands where the test puts it."""

    now_ms = -1

    def pressed_ms(self) -> int:
        """Return the instant the test has set."""
        return self.now_ms


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(interval_seconds=60)


@pytest.fixture
async def ev(clock: HeldClock) -> AsyncIterator[DeviceServer]:
    server = DeviceServer(EV, HOUSE["ev"], clock)
    await server.start()
    yield server
    await server.stop()


def connect(server: DeviceServer) -> ModbusConnection:
    return ModbusConnection(ModbusTcpParams(host=server.endpoint.host, port=server.endpoint.port))


async def read(server: DeviceServer, address: int = 0, count: int = WORDS, unit: int = 1) -> list[int]:
    connection = connect(server)
    try:
        return await connection.for_unit(unit).read_holding_registers(address, count)
    finally:
        await connection.close()


def number(words: list[int], *, signed: bool = False) -> int:
    """Return big-endian words as one number."""
    return int.from_bytes(b"".join(word.to_bytes(2) for word in words), signed=signed)


def shown(words: list[int]) -> Snapshot:
    return Snapshot(number(words[12:16]), number(words[16:20]), number(words[20:22], signed=True))


@pytest.mark.parametrize("pressed_ms", [-1, 0, 17 * HALF_HOUR_MS + 123_456, 2000 * HALF_HOUR_MS])
async def test_pymodbus_and_the_other_backend_read_what_the_pure_function_says(pressed_ms: int) -> None:
    """Every device, over TCP, by two implementations of Modbus that share no code."""
    clock = HeldClock(interval_seconds=60)
    clock.now_ms = pressed_ms
    house = House(HOUSE, clock)
    await house.start()
    try:
        for key, endpoint in house.endpoints.items():
            client = AsyncModbusTcpClient(endpoint.host, port=endpoint.port)
            assert await client.connect()
            answer = await client.read_holding_registers(0, count=WORDS, device_id=endpoint.unit)
            client.close()
            assert answer.registers == await read(house.devices[key])
            assert shown(answer.registers) == registers_at(HOUSE[key], pressed_ms)
    finally:
        await house.stop()


async def test_a_device_says_what_it_is(ev: DeviceServer) -> None:
    """Signature, map version, kind, serial and rated power stand where the map says."""
    words = await read(ev)
    assert words[:4] == [0x4357, 0x5450, 1, 1]
    assert b"".join(word.to_bytes(2) for word in words[4:12]) == b"CWT-000003\0\0\0\0\0\0"
    assert number(words[29:31]) == 3680


async def test_the_sun_has_negative_power_and_current(clock: HeldClock) -> None:
    """Power is signed, import positive; so is the current that goes with it."""
    clock.now_ms = 4 * HALF_HOUR_MS
    server = DeviceServer(PV, HOUSE["pv"], clock)
    await server.start()
    words = await read(server)
    await server.stop()
    assert shown(words).power_w == -850
    assert number(words[23:25], signed=True) < 0


async def test_voltage_current_and_power_factor_agree_with_the_power(ev: DeviceServer, clock: HeldClock) -> None:
    """What is computed beside the measured power gives that power again, to the rounding of the registers."""
    clock.now_ms = 4 * HALF_HOUR_MS
    words = await read(ev)
    volts, amperes, factor = words[22] / 10, number(words[23:25], signed=True) / 1000, words[25] / 1000
    assert volts * amperes * factor == pytest.approx(1848, abs=2)
    assert words[26] == 5000


async def test_a_silenced_device_comes_back_on_the_same_port_with_everything_it_missed(
    ev: DeviceServer, clock: HeldClock
) -> None:
    """Stopped for two half hours: no answer; started again: the registers of now, at the same address."""
    clock.now_ms = 0
    before = shown(await read(ev))
    endpoint = ev.endpoint
    await ev.stop()
    clock.now_ms = 2 * HALF_HOUR_MS
    with pytest.raises(ModbusError):
        await read(ev)
    await ev.start()
    assert ev.endpoint == endpoint
    after = shown(await read(ev))
    assert after.import_wh - before.import_wh == sum(HOUSE["ev"].import_wh.half_hours_wh[:2]) == 1109


async def test_stopping_a_device_ends_the_connections_it_has(ev: DeviceServer) -> None:
    """A client that stays connected notices the silence at once, and connects again by itself afterwards."""
    connection = connect(ev)
    unit: ModbusUnit = connection.for_unit(1)
    await unit.read_holding_registers(0, 2)
    await ev.stop()
    with pytest.raises(ModbusError):
        async with asyncio.timeout(2):
            await unit.read_holding_registers(0, 2)
    await ev.start()
    assert await unit.read_holding_registers(0, 2) == [0x4357, 0x5450]
    await connection.close()


async def test_an_open_breaker_holds_the_registers_of_its_tap(ev: DeviceServer, clock: HeldClock) -> None:
    """Energy that the data hold for the time the breaker is open never passes the tap; afterwards it counts on."""
    connection = connect(ev)
    unit = connection.for_unit(1)
    clock.now_ms = HALF_HOUR_MS
    opened = shown(await unit.read_holding_registers(0, WORDS))
    await unit.write_register(BREAKER_COMMAND, Breaker.OPEN)
    clock.now_ms = 3 * HALF_HOUR_MS
    words = await unit.read_holding_registers(0, WORDS)
    assert shown(words) == Snapshot(opened.import_wh, opened.export_wh, 0)
    assert words[27:29] == [0, 0]
    await unit.write_register(BREAKER_COMMAND, Breaker.CLOSED)
    clock.now_ms = 4 * HALF_HOUR_MS
    words = await unit.read_holding_registers(0, WORDS)
    assert shown(words).import_wh - opened.import_wh == HOUSE["ev"].import_wh.half_hours_wh[3]
    assert words[27:29] == [1, 1]
    await connection.close()


async def test_a_device_takes_no_other_command(ev: DeviceServer) -> None:
    """Only the breaker can be written, only with 0 or 1, only inside the map, and only under its own unit id."""
    connection = connect(ev)
    unit = connection.for_unit(1)
    with pytest.raises(IllegalDataValueError):
        await unit.write_register(BREAKER_COMMAND, 2)
    with pytest.raises(IllegalDataAddressError):
        await unit.write_register(12, 0)
    with pytest.raises(IllegalDataAddressError):
        await unit.write_registers(BREAKER_COMMAND, [1, 1])
    with pytest.raises(IllegalDataAddressError):
        await unit.read_holding_registers(WORDS, 1)
    with pytest.raises(ModbusExceptionError):
        await connection.for_unit(2).read_holding_registers(0, 2)
    await connection.close()


async def test_the_main_meter_has_no_breaker(clock: HeldClock) -> None:
    """A meter only measures: breaker state and command read as not implemented, and a command is refused."""
    server = DeviceServer(MAIN_METER, HOUSE["main_meter"], clock)
    await server.start()
    words = await read(server)
    assert (words[3], words[27], words[28]) == (2, 0xFFFF, 0xFFFF)
    connection = connect(server)
    with pytest.raises(IllegalDataAddressError):
        await connection.for_unit(1).write_register(BREAKER_COMMAND, 0)
    await connection.close()
    await server.stop()


def test_half_an_hour_of_data_passes_in_one_interval() -> None:
    """At 60 seconds per interval the house runs thirty times as fast as the wall clock."""
    begun = PressedClock(60, begins_at=time.time() - 60)
    assert begun.pressed_ms() == pytest.approx(HALF_HOUR_MS, abs=1000)
    assert PressedClock(60).pressed_ms() < 0
    assert PressedClock(60, begins_at=time.time() + 5).pressed_ms() < 0
