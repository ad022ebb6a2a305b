"""What goes wrong between us and a Modbus unit: every fault has its words, and none mixes old values with new ones."""

import asyncio
from typing import Any

from modbus_connection import (
    GatewayPathUnavailableError,
    GatewayTargetError,
    IllegalDataAddressError,
    ModbusConnectionError,
    ModbusDesyncError,
    ModbusError,
    ModbusExceptionError,
    ModbusProtocolError,
    ModbusTimeoutError,
    ServerDeviceBusyError,
    ServerDeviceFailureError,
)
from modbus_connection.mock import MockModbusConnection, MockModbusUnit, WriteEvent
import pytest

from custom_components.commonwatt.devices.breaker import ModbusBreaker
from custom_components.commonwatt.devices.faults import SilentUnit, WrongDevice, fault
from custom_components.commonwatt.devices.modbus import ModbusDevice
from custom_components.commonwatt.devices.patience import Bus
from custom_components.commonwatt.devices.profile import Profile, parse_profile
from custom_components.commonwatt.devices.sheet import SLOW_S
from custom_components.commonwatt.errors import DeviceError


def profile(**more: Any) -> Profile:
    """Return a profile with registers, a voltage that is not near them, a slow demand, and a breaker."""
    fields = {
        "import_wh": {"address": 0, "type": "uint32"},
        "voltage_v": {"address": 10, "type": "uint16"},
        "demand_w": {"address": 20, "type": "uint16", "read": "slow"},
        "breaker_state": {"address": 30, "type": "uint16", "absent": 65535},
        "breaker_command": {"address": 31, "type": "uint16", "absent": 65535},
    }
    data: dict[str, Any] = {"label": "Meter", "manufacturer": None, "model": None, "kinds": ["tap"], "source": "none"}
    return parse_profile("meter", data | {"checked": "map", "space": "holding", "max_gap": 0, "fields": fields} | more)


@pytest.fixture
def unit() -> MockModbusUnit:
    """Return a unit of that profile: 7 Wh, 230 V, 44 W, closed."""
    unit = MockModbusConnection().for_unit(1)
    unit.holding.update({0: [0, 7], 10: 230, 20: 44, 30: 1, 31: 1})
    return unit


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ModbusTimeoutError(""), SilentUnit, "nothing answers to this unit id"),
        (GatewayTargetError(), SilentUnit, "the gateway gets no answer from this unit id"),
        (GatewayPathUnavailableError(), SilentUnit, "the gateway has no path to this unit id"),
        (ModbusConnectionError("gone"), DeviceError, "the line is down: gone"),
        (ModbusProtocolError("noise"), DeviceError, "the answer is no Modbus, or of another device: noise"),
        (ModbusDesyncError("late"), DeviceError, "the answer is no Modbus, or of another device: late"),
        (ServerDeviceBusyError(), DeviceError, "is busy"),
        (IllegalDataAddressError(), WrongDevice, "refuses registers of its profile"),
        (ModbusExceptionError(99), DeviceError, "exception code 99"),
    ],
)
def test_every_fault_of_the_link_is_told_in_words(error: ModbusError, kind: type[DeviceError], words: str) -> None:
    """They say what to look at: the unit id, the line, or which device it is."""
    told = fault(error, connected=True)
    assert type(told) is kind
    assert words in told.detail


def test_a_line_that_cannot_be_opened_is_no_wrong_unit_id() -> None:
    """Nothing was asked of any unit yet."""
    told = fault(ModbusTimeoutError(""), connected=False)
    assert type(told) is DeviceError
    assert told.detail == "the line cannot be opened in time"


async def test_a_block_beside_the_registers_may_fail(unit: MockModbusUnit) -> None:
    """The voltage stays for half a minute, then vanishes; energy is counted all the while."""
    now = 0.0
    device = ModbusDevice(unit, profile(), None, Bus(lambda: now))
    await device.async_read()
    unit.fail_read(10, ServerDeviceFailureError())
    for now, known in ((10, True), (30, True), (31, False)):  # noqa: B007 the device's clock
        answer = await device.async_read()
        assert answer.raw.import_wh == 7
        assert ("voltage_v" in answer.values) is known
    unit.fail_read(10, None)
    assert (await device.async_read()).values["voltage_v"] == 230


async def test_a_block_that_costs_a_timeout_is_not_asked_at_every_poll(unit: MockModbusUnit) -> None:
    """Else it would hold up all units of its line for seconds, for ever."""
    now = 0.0
    device = ModbusDevice(unit, profile(), None, Bus(lambda: now))
    await device.async_read()
    unit.fail_read(10, ModbusTimeoutError("silence"))

    def asked() -> int:
        return sum(event.address == 10 for event in unit.read_events)

    before = asked()
    for now in range(10, 60, 10):  # noqa: B007 the device's clock
        assert (await device.async_read()).raw.import_wh == 7
    assert asked() == before + 1
    now = 10 + SLOW_S
    await device.async_read()
    assert asked() == before + 2


async def test_a_block_that_is_being_taken_apart_is_not_lost_when_that_fails(
    unit: MockModbusUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timeout is no answer: what the unit has of a refused block is found out another time."""
    now = 0.0
    read, silent = unit.read_holding_registers, True

    async def voltage_alone(address: int, count: int) -> list[int]:
        if (address, count) == (10, 2):
            raise IllegalDataAddressError
        if address == 10 and silent:
            raise ModbusTimeoutError("silence")
        return await read(address, count)

    monkeypatch.setattr(unit, "read_holding_registers", voltage_alone)
    unit.fail_read(11, IllegalDataAddressError())
    fields = {
        "import_wh": {"address": 0, "type": "uint32"},
        "voltage_v": {"address": 10, "type": "uint16"},
        "current_a": {"address": 11, "type": "uint16"},
    }
    device = ModbusDevice(unit, profile(fields=fields), None, Bus(lambda: now))
    assert (await device.async_read()).values == {}
    now, silent = SLOW_S, False
    assert (await device.async_read()).values == {"voltage_v": 230}


async def test_a_read_given_up_while_a_block_is_taken_apart_loses_no_register(
    unit: MockModbusUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll has its time; the registers would be missing for as long as the line holds."""
    read, asked, answers = unit.read_holding_registers, asyncio.Event(), asyncio.Event()

    async def slowly(address: int, count: int) -> list[int]:
        if (address, count) == (0, 4):
            raise IllegalDataAddressError
        if (address, count) == (0, 2):
            asked.set()
            await answers.wait()
        return await read(address, count)

    monkeypatch.setattr(unit, "read_holding_registers", slowly)
    unit.fail_read(2, IllegalDataAddressError())
    fields = {
        "import_wh": {"address": 0, "type": "uint32"},
        "export_wh": {"address": 2, "type": "uint32"},
        "voltage_v": {"address": 10, "type": "uint16"},
    }
    device = ModbusDevice(unit, profile(fields=fields), None)
    given_up = asyncio.create_task(device.async_read())
    await asked.wait()
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    answers.set()
    raw = (await device.async_read()).raw
    assert (raw.import_wh, raw.export_wh) == (7, 0)


async def test_registers_that_are_refused_all_at_once_fail_the_read(unit: MockModbusUnit) -> None:
    """They were there before, so they are not dropped; at the next contact they are looked for again."""
    device = ModbusDevice(unit, profile(), None)
    await device.async_read()
    unit.fail_read(0, IllegalDataAddressError())
    with pytest.raises(WrongDevice, match="refuses registers of its profile"):
        await device.async_read()
    with pytest.raises(WrongDevice, match="refuses the registers import_wh"):
        await device.async_read()
    unit.fail_read(0, None)
    assert (await device.async_read()).raw.import_wh == 7


async def test_a_connection_that_breaks_in_between_fails_the_read(unit: MockModbusUnit) -> None:
    """Also in a block that is not needed: whoever answers next may be another device."""
    device = ModbusDevice(unit, profile(), None)
    await device.async_read()
    unit.fail_read(10, ModbusConnectionError("gone"))
    with pytest.raises(DeviceError, match="the line is down"):
        await device.async_read()


async def test_a_connection_that_is_made_anew_in_between_fails_the_read() -> None:
    """The link reconnects by itself; what was read before and after it is not put together."""
    connection = MockModbusConnection()
    unit = connection.for_unit(1)

    def voltage() -> int:
        connection.simulate_connection_lost()
        return 230

    unit.holding.update({0: [0, 7], 10: 230, 20: 44, 30: 1, 31: 1})
    device = ModbusDevice(unit, profile(), None)
    await device.async_read()
    unit.holding[10] = voltage
    with pytest.raises(DeviceError, match="the line was lost while it was read"):
        await device.async_read()
    unit.holding[10] = 231
    assert (await device.async_read()).values["voltage_v"] == 231


async def test_a_device_that_is_forgotten_leaves_nothing_on_a_shared_link() -> None:
    """Links live longer than the devices on them: a reloaded site must not be called back for ever."""
    connection = MockModbusConnection()
    unit = connection.for_unit(1)
    device = ModbusDevice(unit, profile(), None)
    del device
    assert not list(connection._lost_callbacks._callbacks)


def test_a_device_that_needs_pauses_gets_them(unit: MockModbusUnit) -> None:
    """The line is kept quiet around its requests, for so long as its profile says."""
    ModbusDevice(unit, profile(pause_ms=50), None)
    assert unit.message_spacing == 0.05
    assert unit.required_timeout == 3


async def test_a_breaker_is_told_and_read_back(unit: MockModbusUnit) -> None:
    """Its state is what the unit says, not what it was told."""
    unit.on_write(lambda event: unit.holding.update({30: unit.holding[31]}))
    device = ModbusDevice(unit, profile(), None)
    breaker = ModbusBreaker(device)
    told = [breaker.closed]
    for closed in (False, True):
        await breaker.async_switch(closed=closed)
        told.append(breaker.closed)
    assert told == [None, False, True]
    assert device.has_breaker


async def test_a_breaker_that_is_not_there_or_refuses_is_an_error(
    unit: MockModbusUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A register map may have one that the unit at hand has not."""
    monkeypatch.setattr("custom_components.commonwatt.devices.breaker.PAUSE_S", 0)
    device = ModbusDevice(unit, profile(), None)
    unit.fail_write(31, ServerDeviceFailureError())
    with pytest.raises(DeviceError):
        await ModbusBreaker(device).async_switch(closed=False)
    unit.holding[30] = 65535
    with pytest.raises(DeviceError, match="has no breaker"):
        await ModbusBreaker(device).async_switch(closed=False)


async def test_a_command_that_cannot_be_repeated_costs_no_reading(unit: MockModbusUnit) -> None:
    """It is tried again at the next poll."""
    now = 0.0
    command = {"address": 40, "type": "uint16", "least": 6, "most": 16, "repeat_s": 30}
    device = ModbusDevice(unit, profile(commands={"current_limit_a": command}), None, Bus(lambda: now))
    await device.async_command("current_limit_a", 10)
    unit.holding[40] = 0
    unit.fail_write(40, ServerDeviceFailureError())
    now = 31
    assert (await device.async_read()).raw.import_wh == 7
    unit.fail_write(40, None)
    await device.async_read()
    assert unit.holding[40] == 10


async def test_nothing_is_repeated_to_whoever_answers_after_the_line_was_lost() -> None:
    """The link reconnects by itself, maybe to another device: that one is looked at before it is told anything."""
    now, connection = 0.0, MockModbusConnection()
    unit = connection.for_unit(1)
    unit.holding.update({0: [0, 7], 10: 230, 20: 44, 30: 1, 31: 1, 40: 0, 41: 0})
    limit = {"address": 40, "type": "uint16", "least": 6, "most": 16, "repeat_s": 30}
    charge = {"address": 41, "type": "uint16", "repeat_s": 30}
    device = ModbusDevice(unit, profile(commands={"current_limit_a": limit, "charge": charge}), None, Bus(lambda: now))
    await device.async_command("current_limit_a", 10)
    await device.async_command("charge", value=True)
    written: list[int] = []

    def lose(event: WriteEvent) -> None:
        written.append(event.address)
        connection.simulate_connection_lost()

    unit.on_write(lose)
    now = 31
    await device.async_read()
    assert written == [40]
    await device.async_read()
    assert written == [40, 41]


async def test_allowing_to_charge_what_charges_already_leaves_the_limit(unit: MockModbusUnit) -> None:
    """Where a pause is a limit of nothing, going on begins at 6 A; what is not paused is not slowed down to it."""
    now = 0.0
    fields = {
        "import_wh": {"address": 0, "type": "uint32"},
        "current_limit_a": {"address": 40, "type": "uint16"},
        "charge": {"address": 40, "type": "uint16", "mask": 63},
    }
    limit = {"address": 40, "type": "uint16", "least": 6, "most": 32, "repeat_s": 30}
    charge = {"address": 40, "type": "uint16", "on": 6, "off": 0, "repeat_s": 30}
    commands = {"current_limit_a": limit, "charge": charge}
    device = ModbusDevice(unit, profile(fields=fields, commands=commands), None, Bus(lambda: now))
    await device.async_command("current_limit_a", 16)
    await device.async_command("charge", value=True)
    unit.holding[40] = 0
    now = 31
    await device.async_read()
    assert unit.holding[40] == 16  # the limit is what is repeated, as before
    for allowed, amps in ((False, 0), (True, 6)):
        await device.async_command("charge", value=allowed)
        assert unit.holding[40] == amps


async def test_what_cannot_be_written_because_it_is_not_there_is_not_offered(unit: MockModbusUnit) -> None:
    """A charger with old firmware has no register to pause it; a limit that is only written may be there unread."""
    fields = {
        "import_wh": {"address": 0, "type": "uint32"},
        "charge": {"address": 41, "type": "uint16", "true": [1]},
        "current_limit_a": {"address": 50, "type": "uint16"},
    }
    limit = {"address": 40, "type": "uint16", "least": 6, "most": 16}
    commands = {"charge": {"address": 41, "type": "uint16"}, "current_limit_a": limit}
    device = ModbusDevice(unit, profile(fields=fields, commands=commands), None)
    unit.fail_read(41, IllegalDataAddressError())
    unit.fail_read(50, IllegalDataAddressError())
    await device.async_read()
    assert set(device.commands) == {"current_limit_a"}
