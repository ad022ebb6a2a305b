"""A Modbus device by its profile against a real server: what one poll asks, what is believed, and what it obeys."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.core import HomeAssistant
from modbus_connection import ModbusUnit
from modbus_connection.mock import MockModbusConnection
from pymodbus.constants import ExcCodes
import pytest

from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.devices.breaker import ModbusBreaker
from custom_components.commonwatt.devices.counting import CountingModbusDevice, modbus_device
from custom_components.commonwatt.devices.faults import ImplausibleDevice, SilentUnit, SwappedWords, WrongDevice
from custom_components.commonwatt.devices.line import TcpLine, line_params
from custom_components.commonwatt.devices.modbus import ModbusDevice
from custom_components.commonwatt.devices.patience import Bus
from custom_components.commonwatt.devices.port import Dumps, Identified, Range
from custom_components.commonwatt.devices.profile import Profile, parse_profile
from custom_components.commonwatt.devices.sheet import KEEP_S, SLOW_S, SPREAD
from custom_components.commonwatt.errors import DeviceError

from .register_device import RegisterServer, RegisterUnit

type Serve = Callable[[RegisterUnit], Awaitable[ModbusUnit]]

METER: dict[str, Any] = {
    "label": "Meter",
    "manufacturer": "Maker",
    "model": "M1",
    "kinds": ["meter"],
    "source": "made up",
    "checked": "map",
    "space": "holding",
    "max_gap": 4,
    "identity": [{"address": 100, "type": "uint16", "equals": 7, "read": "contact"}],
    "fields": {
        "serial": {"address": 101, "type": "uint32", "read": "contact"},
        "firmware": {"address": 103, "type": "uint16", "divisor": 100, "read": "contact"},
        "import_wh": {"address": 0, "type": "uint32", "factor": 10},
        "export_wh": {"address": 2, "type": "uint32", "factor": 10},
        "power_w": {"address": 4, "type": "int32", "absent": 2147483647},
        "voltage_v": {"address": 6, "type": "uint16", "divisor": 10},
        "demand_w": {"address": 50, "type": "uint16", "read": "slow"},
    },
}


def meter_unit() -> RegisterUnit:
    """Return a unit of that profile: 700 000 and 20 Wh, -5 W, 230.5 V, 44 W demand; serial number 65537."""
    unit = RegisterUnit({})
    unit.put("holding", 0, 1, 4464, 0, 2, 0xFFFF, 0xFFFB, 2305)
    unit.put("holding", 50, 44)
    unit.put("holding", 100, 7, 1, 1, 123)
    return unit


def made(**changed: Any) -> Profile:
    """Return the meter's profile but for what is changed."""
    return parse_profile("meter", METER | changed)


def with_fields(**fields: Mapping[str, Any] | None) -> Profile:
    """Return the meter's profile with other fields; None leaves one out."""
    every = METER["fields"] | fields
    return made(fields={name: field for name, field in every.items() if field is not None})


@pytest.fixture
async def serve(hass: HomeAssistant, socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Serve]:
    """Serve a unit and hand out the shared link's view of it."""
    monkeypatch.setattr(modbus, "LINK_TIMEOUT_S", 0.2)
    monkeypatch.setattr(modbus, "LOOK_PAUSE_S", 0)
    async with AsyncExitStack() as stack:

        async def serve(unit: RegisterUnit) -> ModbusUnit:
            server = RegisterServer({1: unit})
            await server.start()
            stack.push_async_callback(server.stop)
            line = TcpLine("127.0.0.1", server.port)
            return await stack.enter_async_context(async_get_temporary_unit(hass, line_params(line), 1))

        yield serve


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def bus(self) -> Bus:
        """Return a line that goes by this clock."""
        return Bus(lambda: self.now)


async def test_one_poll_tells_registers_and_all_that_stands_beside_them(serve: Serve) -> None:
    """What is near the registers comes in the same request; identity once per contact, slow values once a minute."""
    unit, clock = meter_unit(), Clock()
    device = ModbusDevice(await serve(unit), made(), "65537", clock.bus())
    answer = await device.async_read()
    assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.power_w) == (700_000, 20, -5)
    assert answer.values == {"voltage_v": 230.5, "demand_w": 44}
    assert unit.reads == [("holding", 0, 7), ("holding", 100, 4), ("holding", 50, 1)]

    unit.put("holding", 50, 55)
    assert (await device.async_read()).values == {"voltage_v": 230.5, "demand_w": 44}
    assert unit.reads[3:] == [("holding", 0, 7)]
    clock.now += SLOW_S * (1 + SPREAD)
    assert (await device.async_read()).values == {"voltage_v": 230.5, "demand_w": 55}
    assert unit.reads[4:] == [("holding", 0, 7), ("holding", 50, 1)]


async def test_a_device_says_which_one_it_is(serve: Serve) -> None:
    """Serial number, firmware and, where the device is silent about them, the profile's maker and model."""
    device = ModbusDevice(await serve(meter_unit()), made(), None)
    assert isinstance(device, Identified)
    assert device.identity is None
    identity = await device.async_identify()
    assert (identity.serial, identity.manufacturer, identity.model, identity.firmware) == (
        "65537",
        "Maker",
        "M1",
        "1.23",
    )


async def test_a_serial_number_of_zeros_is_none(serve: Serve) -> None:
    """Else every device without one would be the same device."""
    unit = meter_unit()
    unit.put("holding", 101, 0, 0)
    assert (await ModbusDevice(await serve(unit), made(), None).async_identify()).serial is None


async def test_devices_that_began_together_do_not_stay_together() -> None:
    """When they read slowly again is spread by chance, within bounds, so that a line is not flooded."""
    seconds = set()
    for _ in range(20):
        unit, clock = MockModbusConnection().for_unit(1), Clock()
        for address, word in meter_unit().words["holding"].items():
            unit.holding[address] = word
        device = ModbusDevice(unit, made(), None, clock.bus())
        await device.async_read()
        begun = len(unit.read_events)
        for second in range(1, 100):
            clock.now = 1000.0 + second
            await device.async_read()
            if len(unit.read_events) > begun + second:
                seconds.add(second)
                break
    assert min(seconds) >= SLOW_S * (1 - SPREAD)
    assert max(seconds) <= SLOW_S * (1 + SPREAD) + 1
    assert len(seconds) > 5


async def test_a_slow_block_that_fails_keeps_its_values_for_a_while_only(serve: Serve) -> None:
    """The registers go on; what the block held vanishes when it is too old to be true, and comes back with it."""
    unit, clock = meter_unit(), Clock()
    device = ModbusDevice(await serve(unit), made(), None, clock.bus())
    await device.async_read()
    unit.faults["holding", 50] = ExcCodes.DEVICE_FAILURE
    for passed in (100, KEEP_S["slow"]):
        clock.now = 1000 + passed
        answer = await device.async_read()
        assert (answer.raw.import_wh, answer.values["demand_w"]) == (700_000, 44)
    clock.now = 1000 + KEEP_S["slow"] + 1
    assert (await device.async_read()).values == {"voltage_v": 230.5}
    unit.faults.clear()
    clock.now += SLOW_S
    assert (await device.async_read()).values["demand_w"] == 44


async def test_a_register_block_that_fails_fails_the_read(serve: Serve) -> None:
    """New registers are never mixed with old ones: import and export lie in two blocks here, one of which is busy."""
    profile = with_fields(export_wh={"address": 20, "type": "uint32"})
    unit = meter_unit()
    unit.put("holding", 20, 0, 9)
    device = ModbusDevice(await serve(unit), profile, None)
    assert (await device.async_read()).raw.export_wh == 9
    unit.put("holding", 0, 2, 0)
    unit.faults["holding", 20] = ExcCodes.DEVICE_FAILURE
    with pytest.raises(DeviceError):
        await device.async_read()
    unit.faults.clear()
    assert (await device.async_read()).raw.import_wh == 2 * 65536 * 10


async def test_what_a_device_has_not_is_told_once_and_not_asked_for_again(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """An older device of the type lacks two values: they are dropped, and the block is read without them."""
    profile = with_fields(frequency_hz={"address": 10, "type": "uint16"}, power_factor={"address": 7, "type": "uint16"})
    unit = meter_unit()
    unit.put("holding", 10, 50)
    unit.gaps = False
    unit.faults["holding", 7] = ExcCodes.ILLEGAL_ADDRESS
    unit.faults["holding", 50] = ExcCodes.ILLEGAL_FUNCTION
    device = ModbusDevice(await serve(unit), profile, None)
    assert "demand_w" in device.quantities
    for _ in range(3):
        answer = await device.async_read()
        assert (answer.raw.import_wh, answer.values) == (700_000, {"voltage_v": 230.5, "frequency_hz": 50})
    assert device.quantities == {"voltage_v", "frequency_hz"}
    assert caplog.text.count("The device (Meter) has no demand_w, power_factor") == 1
    before = len(unit.reads)
    await device.async_read()
    asked = unit.reads[before:]
    assert asked == [("holding", 0, 7), ("holding", 10, 1)]


@pytest.mark.parametrize("limit", [6, 3, 2])
async def test_a_device_that_answers_short_requests_only_gets_short_ones(serve: Serve, limit: int) -> None:
    """Its limit is found out at the first contact, and every value is there."""
    unit = meter_unit()
    unit.limit = limit
    device = ModbusDevice(await serve(unit), made(), "65537")
    for _ in range(2):
        answer = await device.async_read()
        assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.power_w) == (700_000, 20, -5)
        assert answer.values == {"voltage_v": 230.5, "demand_w": 44}
    unit.reads.clear()
    await device.async_read()
    assert all(count <= limit for _, _, count in unit.reads)


async def test_a_device_without_the_registers_is_the_wrong_one(serve: Serve) -> None:
    """One of the two registers may be missing, as of a one-way meter; both may not."""
    unit = meter_unit()
    unit.gaps = False
    unit.faults["holding", 2] = ExcCodes.ILLEGAL_ADDRESS
    device = ModbusDevice(await serve(unit), made(), None)
    raw = (await device.async_read()).raw
    assert (raw.import_wh, raw.export_wh) == (700_000, 0)

    unit.faults["holding", 0] = ExcCodes.ILLEGAL_ADDRESS
    with pytest.raises(WrongDevice, match="refuses"):
        await ModbusDevice(await serve(unit), made(), None).async_read()


@pytest.mark.parametrize("changed", [{100: 8}, {102: 2}], ids=["another type", "another serial number"])
async def test_another_device_at_the_address_is_refused_and_its_own_taken_back(
    hass: HomeAssistant, socket_enabled: None, changed: dict[int, int]
) -> None:
    """After the connection was lost, identity is checked again before anything is believed."""
    unit = meter_unit()
    server = RegisterServer({1: unit})
    await server.start()
    async with async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", server.port)), 1) as link:
        device = ModbusDevice(link, made(), "65537")
        await device.async_read()
        before = dict(unit.words["holding"])
        unit.words["holding"] |= changed
        await server.stop()
        await server.start()
        for _ in range(2):
            with pytest.raises(WrongDevice):
                await device.async_read()
        unit.words["holding"] = before
        assert (await device.async_read()).raw.import_wh == 700_000
    await server.stop()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (ExcCodes.GATEWAY_NO_RESPONSE, SilentUnit, "the gateway gets no answer from this unit id"),
        (ExcCodes.GATEWAY_PATH_UNAVIABLE, SilentUnit, "the gateway has no path to this unit id"),
        (ExcCodes.DEVICE_FAILURE, DeviceError, "Exception"),
    ],
)
async def test_what_a_gateway_says_is_told_in_words(
    serve: Serve, fault: ExcCodes, error: type[DeviceError], words: str
) -> None:
    """A wrong unit id is the commonest mistake of all."""
    unit = meter_unit()
    unit.faults["holding", 0] = fault
    with pytest.raises(error, match=words):
        await ModbusDevice(await serve(unit), made(), None).async_identify()


FLOATS: dict[str, Any] = {
    "identity": [],
    "fields": {
        "import_wh": {"address": 0, "type": "float32", "factor": 1000},
        "voltage_v": {"address": 2, "type": "float32"},
        "power_w": {"address": 4, "type": "float32"},
        "frequency_hz": {"address": 6, "type": "float32"},
    },
}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        # 1234.5 kWh, 230.2 V, -500 W, 50 Hz
        ((0x449A, 0x5000, 0x4366, 0x3333, 0xC3FA, 0x0000, 0x4248, 0x0000), None),
        ((0x5000, 0x449A, 0x3333, 0x4366, 0x0000, 0xC3FA, 0x0000, 0x4248), SwappedWords),
        ((0, 0, 0x0000, 0x4366, 0, 0, 0, 0), SwappedWords),  # 2.4e-41 V, or 230 V
        ((0, 0, 0, 0, 0, 0, 0, 0), None),
        ((0x449A, 0x5000, 0x4366, 0x3333, 0x4B80, 0x0000, 0x4248, 0x0000), ImplausibleDevice),  # 16.8 MW
        ((0x449A, 0x5000, 0x43CE, 0x0000, 0xC3FA, 0x0000, 0x4248, 0x0000), ImplausibleDevice),  # 412 V
        ((0x449A, 0x5000, 0x4366, 0x3333, 0xC3FA, 0x0000, 0x41F0, 0x0000), ImplausibleDevice),  # 30 Hz
        ((0xC49A, 0x5000, 0x4366, 0x3333, 0xC3FA, 0x0000, 0x4248, 0x0000), ImplausibleDevice),  # -1234.5 kWh
        ((0x7FC0, 0x0000, 0x4366, 0x3333, 0xC3FA, 0x0000, 0x4248, 0x0000), None),  # NaN: no value
    ],
)
async def test_a_device_that_cannot_be_a_meter_is_not_taken(
    serve: Serve, words: tuple[int, ...], error: type[DeviceError] | None
) -> None:
    """Whoever chose the wrong profile or word order hears of it while it can be corrected."""
    unit = RegisterUnit({})
    unit.put("holding", 0, *words)
    device = ModbusDevice(await serve(unit), made(**FLOATS), None)
    if error is None:
        await device.async_identify()
    else:
        with pytest.raises(error):
            await device.async_identify()


async def test_whole_numbers_in_the_other_word_order_are_noticed(serve: Serve) -> None:
    """A voltage of 15 MV gives them away."""
    fields = {
        "import_wh": {"address": 0, "type": "uint32"},
        "voltage_l1_v": {"address": 2, "type": "int32", "divisor": 10},
    }
    unit = RegisterUnit({})
    unit.put("holding", 0, 0, 12345, 0, 2300)
    link = await serve(unit)
    await ModbusDevice(link, made(identity=[], fields=fields), None).async_identify()
    with pytest.raises(SwappedWords, match="voltage_l1_v would be 1"):
        await ModbusDevice(link, made(identity=[], fields=fields, word_order="little"), None).async_identify()


COMMANDS: dict[str, Any] = {
    "current_limit_a": {"address": 20, "type": "uint16", "divisor": 10, "least": 6, "most": 16, "step": 0.1},
    "set_point_w": {"address": 22, "type": "int32", "least": -5000, "most": 5000},
    "mode": {"address": 24, "type": "uint16", "options": {"fast": 3, "solar": 7}},
    "charge": {"address": 25, "type": "uint16", "on": 1, "off": 2},
    "site_id": {"address": 26, "type": "string", "registers": 2},
}
TOLD: dict[str, Any] = {
    "current_limit_a": {"address": 20, "type": "uint16", "divisor": 10, "read": "slow"},
    "set_point_w": {"address": 22, "type": "int32", "read": "slow"},
    "mode": {"address": 24, "type": "uint16", "states": {"3": "fast", "7": "solar"}, "read": "slow"},
    "charge": {"address": 25, "type": "uint16", "true": [1], "read": "slow"},
    "site_id": {"address": 26, "type": "string", "registers": 2, "read": "slow"},
}


def charger(**more: Any) -> Profile:
    """Return the profile of something that obeys."""
    return made(fields=METER["fields"] | TOLD, commands=COMMANDS, **more)


def charger_unit() -> RegisterUnit:
    """Return a unit of that profile: 10 A, 0 W, fast, charging allowed, nowhere."""
    unit = meter_unit()
    unit.put("holding", 20, 100, 0, 0, 0, 3, 1, 0, 0)
    return unit


@pytest.mark.parametrize(
    ("command", "value", "written"),
    [
        ("current_limit_a", 6.1, (6, 20, (61,))),
        ("current_limit_a", 15.99, (6, 20, (159,))),  # never more than was asked for
        ("current_limit_a", 16, (6, 20, (160,))),
        ("set_point_w", -4321, (16, 22, (0xFFFF, 0xEF1F))),
        ("mode", "solar", (6, 24, (7,))),
        ("charge", False, (6, 25, (2,))),
        ("site_id", "S-1", (16, 26, (0x532D, 0x3100))),
    ],
)
async def test_a_command_is_written_and_read_back(
    serve: Serve, command: Any, value: Any, written: tuple[int, int, tuple[int, ...]]
) -> None:
    """One register with function 6, several with 16; the next answer shows what the device made of it."""
    unit = charger_unit()
    device = ModbusDevice(await serve(unit), charger(), "65537")
    await device.async_command(command, value)
    assert unit.writes == [written]
    told = (await device.async_read()).values[command]
    assert told == (15.9 if value == 15.99 else value)


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("current_limit_a", 5.9),
        ("current_limit_a", 16.1),
        ("current_limit_a", float("nan")),
        ("current_limit_a", True),
        ("current_limit_a", "10"),
        ("mode", "off"),
        ("mode", 3),
        ("charge", 1),
        ("site_id", "a place too long"),
        ("site_id", "é"),
    ],
)
async def test_what_is_outside_of_its_range_is_never_written(serve: Serve, command: Any, value: Any) -> None:
    """The caller hears what is accepted."""
    unit = charger_unit()
    device = ModbusDevice(await serve(unit), charger(), None)
    with pytest.raises(ValueError, match="must be"):
        await device.async_command(command, value)
    assert unit.writes == []


async def test_a_device_says_what_it_obeys(serve: Serve) -> None:
    """By command: bounds and step, options, or nothing for a switch; what is not there is refused."""
    device = ModbusDevice(await serve(charger_unit()), charger(), None)
    assert device.commands["current_limit_a"] == Range(6, 16, 0.1)
    assert device.commands["mode"] == Range(options=("fast", "solar"))
    assert device.commands["charge"] == Range()
    with pytest.raises(DeviceError, match="cannot be told permission"):
        await device.async_command("permission", "allowed")


async def test_a_command_that_is_not_followed_is_an_error(serve: Serve) -> None:
    """A device that takes the write and stays as it was has not obeyed."""
    commands = {"current_limit_a": COMMANDS["current_limit_a"] | {"multiple": True}}
    unit = charger_unit()
    unit.deaf.add(20)
    device = ModbusDevice(await serve(unit), made(fields=METER["fields"] | TOLD, commands=commands), None)
    with pytest.raises(DeviceError, match="does not follow: current_limit_a stays 10"):
        await device.async_command("current_limit_a", 8)
    assert len(unit.writes) == 1


async def test_no_command_is_written_to_another_device(serve: Serve) -> None:
    """Who answers is looked at before anything is written."""
    unit = charger_unit()
    device = ModbusDevice(await serve(unit), charger(), "4711")
    with pytest.raises(WrongDevice):
        await device.async_command("charge", value=False)
    assert unit.writes == []


async def test_a_command_that_is_forgotten_is_written_again(serve: Serve) -> None:
    """Some chargers fall back after a while without a word; how long stands in the profile."""
    commands = COMMANDS | {"current_limit_a": COMMANDS["current_limit_a"] | {"repeat_s": 30, "multiple": True}}
    unit, clock = charger_unit(), Clock()
    profile = made(fields=METER["fields"] | TOLD, commands=commands)
    device = ModbusDevice(await serve(unit), profile, None, clock.bus())
    await device.async_command("current_limit_a", 8)
    await device.async_read()
    clock.now += 30
    await device.async_read()
    await device.async_read()
    assert unit.writes == [(16, 20, (80,))] * 2


async def test_a_coil_is_told_and_read_as_a_bit() -> None:
    """Plain relays have coils for their switch and discrete inputs for their state."""
    profile = made(
        identity=[],
        fields={
            "import_wh": {"address": 0, "type": "uint32"},
            "charge": {"address": 5, "space": "coil", "read": "poll"},
            "plugged": {"address": 2, "space": "discrete", "read": "poll"},
            "breaker_state": {"address": 1, "space": "discrete", "read": "poll"},
            "breaker_command": {"address": 6, "space": "coil"},
        },
        commands={"charge": {"address": 5, "space": "coil"}},
    )
    unit = MockModbusConnection().for_unit(1)
    unit.holding[0] = [0, 7]
    unit.coil.update({5: False, 6: True})
    unit.discrete.update({1: True, 2: True})
    device = ModbusDevice(unit, profile, None)
    assert (await device.async_read()).values == {"charge": False, "plugged": True}
    await device.async_command("charge", value=True)
    assert unit.coil[5] is True
    assert (await device.async_read()).values["charge"] is True

    breaker = ModbusBreaker(device)
    assert breaker.closed
    with pytest.raises(DeviceError, match="does not follow"):
        await breaker.async_switch(closed=False)
    assert unit.coil[6] is False


async def test_registers_that_begin_anew_say_where(serve: Serve) -> None:
    """32 bits of 10 Wh come round at 42.9 GWh; registers that never do, or not together, say nothing."""
    assert (await ModbusDevice(await serve(meter_unit()), made(), None).async_read()).raw.wraps_wh == 2**32 * 10
    wide = {"address": 2, "type": "uint64"}
    assert with_fields(export_wh=wide).wraps_wh is None
    assert with_fields(export_wh=None, import_wh=wide).wraps_wh is None
    assert with_fields(export_wh=None, import_wh={"address": 0, "type": "float32"}).wraps_wh is None
    assert with_fields(export_wh=None, import_wh={"address": 0, "type": "int32"}).wraps_wh is None
    assert with_fields(export_wh=None, import_wh={"address": 0, "type": "uint16"}).wraps_wh == 65536


async def test_a_device_with_power_alone_is_counted_here(serve: Serve, freezer: FrozenDateTimeFactory) -> None:
    """Its registers are the area under its power, never better than an estimate, and survive a restart."""
    profile = made(identity=[], fields={"power_w": {"address": 4, "type": "int32", "absent": 2147483647}})
    unit = meter_unit()
    unit.put("holding", 4, 0, 3600)
    link = await serve(unit)
    device = modbus_device(link, profile, None, Bus())
    assert isinstance(device, CountingModbusDevice)
    assert device.integrated
    device.go_on_with(None, (500, 0))
    assert (await device.async_read()).raw.import_wh == 500
    freezer.tick(10)
    raw = (await device.async_read()).raw
    assert (raw.import_wh, raw.export_wh, raw.power_w, raw.wraps_wh) == (510, 0, 3600, None)

    again = CountingModbusDevice(link, profile, None)
    again.go_on_with(device.kept(), (500, 0))
    unit.put("holding", 4, 0xFFFF, 0xF1F0)  # -3600 W
    freezer.tick(300)
    raw = (await again.async_read()).raw
    assert (raw.import_wh, raw.export_wh) == (510, 0)
    freezer.tick(10)
    assert (await again.async_read()).raw.export_wh == 10


async def test_a_device_with_registers_is_not_counted_here(serve: Serve) -> None:
    """Its own registers are the evidence."""
    device = modbus_device(await serve(meter_unit()), made(), None, Bus())
    assert not device.integrated
    assert not isinstance(device, CountingModbusDevice)


async def test_a_dump_shows_registers_without_the_serial_number(serve: Serve) -> None:
    """Somebody else may look at it to find a fault."""
    device = ModbusDevice(await serve(meter_unit()), made(), None)
    assert isinstance(device, Dumps)
    dump = await device.async_dump()
    assert dump == {"holding": {0: 1, 1: 4464, 2: 0, 3: 2, 4: 0xFFFF, 5: 0xFFFB, 6: 2305, 50: 44, 100: 7, 103: 123}}
