"""Charger profiles against real servers that show what the makers' documents print, and obey as those say."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.core import HomeAssistant
from pymodbus.constants import ExcCodes
import pytest

from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.devices.counting import modbus_device
from custom_components.commonwatt.devices.line import TcpLine, line_params
from custom_components.commonwatt.devices.modbus import ModbusDevice
from custom_components.commonwatt.devices.patience import Bus
from custom_components.commonwatt.devices.port import Command, Value
from custom_components.commonwatt.devices.profile import load_profiles
from custom_components.commonwatt.errors import DeviceError

from ..house import MockConfigEntry, modbus_source, site_of, subentry
from ..register_device import RegisterServer, RegisterUnit
from .chargers import CHARGERS

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for what does not come."""
    monkeypatch.setattr(modbus, "LOOK_PAUSE_S", 0.01)


@asynccontextmanager
async def charger(
    hass: HomeAssistant, key: str, unit: RegisterUnit, bus: Bus | None = None
) -> AsyncGenerator[ModbusDevice]:
    """Serve a unit and yield what reads it by a profile, without the pauses its maker asks for."""
    unit_id = CHARGERS[key].unit_id
    server = RegisterServer({unit_id: unit})
    await server.start()
    try:
        async with async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", server.port)), unit_id) as link:
            yield modbus_device(link, replace(load_profiles()[key], pause_ms=0), None, bus)
    finally:
        await server.stop()


def test_every_charger_profile_is_proved_here() -> None:
    """A profile of a maker's charger without a case is a claim without a proof."""
    makers = {key for key, profile in load_profiles().items() if "charger" in profile.kinds and profile.manufacturer}
    assert makers == set(CHARGERS)


@pytest.mark.parametrize("key", CHARGERS)
async def test_a_charger_shows_what_its_maker_says(hass: HomeAssistant, key: str) -> None:
    """Registers, power and every other value, in as few requests as the charger allows."""
    shown = CHARGERS[key]
    unit = shown.unit()
    async with charger(hass, key, unit) as device:
        answer = await device.async_read()
        unit.reads.clear()
        await device.async_read()
    values = {
        name: pytest.approx(value, rel=1e-6) if type(value) is float else value for name, value in shown.values.items()
    }
    assert dict(answer.values) == values
    assert answer.raw.power_w == pytest.approx(shown.raw[2])
    if shown.raw[0] is None:
        assert device.integrated
    else:
        assert answer.raw.import_wh == pytest.approx(shown.raw[0])
        assert answer.raw.export_wh == shown.raw[1]
    assert len(unit.reads) == shown.requests
    assert load_profiles()[key].unit_id == shown.unit_id


STATES: dict[str, tuple[str, dict[int, list[str | None]], list[int]]] = {
    # charging state of the programmers guide, 0 to 5
    "keba_p30": (
        "holding",
        {1001: ["out_of_service", "available", "plugged", "charging", "fault", "paused", None]},
        [0, 1, 2, 3, 4, 5, 6],
    ),
    # mode 3 states as text
    "alfen_eve": (
        "holding",
        {
            1201: [
                "available",
                "plugged",
                "plugged",
                "paused",
                "charging",
                "paused",
                "charging",
                "fault",
                "out_of_service",
            ]
        },
        [int.from_bytes(text.ljust(2, b"\0")) for text in (b"A", b"B1", b"B2", b"C1", b"C2", b"D1", b"D2", b"E", b"F")],
    ),
    # byte 1 of 400Ch: A, B1, B2, C1, C2, others; its highest bit is not of the state
    "abb_terra_ac": (
        "holding",
        {0x400D: ["available", "plugged", "plugged", "paused", "charging", "out_of_service", "charging", None]},
        [0x8000, 0x8100, 0x8200, 0x8300, 0x8400, 0x8500, 0x0400, 0x0600],
    ),
    # A1 A2 B1 B2 C1 C2 derating E F ERR
    "heidelberg_energy_control": (
        "input",
        {
            5: [
                *("available", "available", "plugged", "plugged", "paused", "charging", "charging"),
                *("fault", "out_of_service", "fault", None),
            ]
        },
        [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    ),
    "go_e": ("input", {100: ["fault", "available", "charging", "plugged", "plugged", None]}, [0, 1, 2, 3, 4, 5]),
}


@pytest.mark.parametrize("key", STATES)
async def test_every_state_a_maker_documents_has_its_word(hass: HomeAssistant, key: str) -> None:
    """A state that is not documented is no state."""
    space, expected, numbers = STATES[key]
    ((address, words),) = expected.items()
    unit = CHARGERS[key].unit()
    async with charger(hass, key, unit) as device:
        found = []
        for number in numbers:
            unit.words[space][address] = number
            found.append((await device.async_read()).values.get("charger_state"))
    assert found == words


COMMANDS: list[tuple[str, Command, Value, tuple[int, int, tuple[int, ...]]]] = [
    ("keba_p30", "current_limit_a", 8, (6, 5004, (8_000,))),
    ("keba_p30", "charge", False, (6, 5014, (0,))),
    ("keba_p30", "charge", True, (6, 5014, (1,))),
    ("keba_p40", "current_limit_a", 6.5, (6, 5004, (6_500,))),
    ("keba_p40", "charge", False, (6, 5004, (0,))),
    # 16.0 as an IEEE 754 float32
    ("alfen_eve", "current_limit_a", 16, (16, 1210, (0x4180, 0))),
    ("alfen_eve", "charge", False, (16, 1210, (0, 0))),
    ("abb_terra_ac", "current_limit_a", 12.5, (16, 0x4100, (0, 12_500))),
    ("abb_terra_ac", "charge", True, (6, 0x4105, (0,))),
    ("abb_terra_ac", "charge", False, (6, 0x4105, (1,))),
    ("heidelberg_energy_control", "current_limit_a", 6.1, (6, 261, (61,))),
    ("heidelberg_energy_control", "charge", False, (6, 259, (0,))),
    ("go_e", "current_limit_a", 10, (16, 299, (10,))),
    ("go_e", "charge", False, (16, 337, (1,))),
    ("go_e", "charge", True, (16, 337, (0,))),
]


@pytest.mark.parametrize(("key", "command", "value", "write"), COMMANDS)
async def test_a_command_reaches_the_register_its_maker_names(
    hass: HomeAssistant, key: str, command: Command, value: Value, write: tuple[int, int, tuple[int, ...]]
) -> None:
    """One write, with the function the charger knows, in the unit of the register."""
    unit = CHARGERS[key].unit()
    async with charger(hass, key, unit) as device:
        await device.async_command(command, value)
    assert unit.writes == [write]


@pytest.mark.parametrize("key", CHARGERS)
async def test_a_limit_below_six_or_above_what_the_charger_takes_is_never_written(
    hass: HomeAssistant, key: str
) -> None:
    """No car understands less than 6 A, and no charger is asked for more than its own largest current."""
    most = {
        "keba_p30": 20,
        "keba_p40": 20,
        "alfen_eve": 32,
        "abb_terra_ac": 16,
        "heidelberg_energy_control": 12,
        "go_e": 20,
    }
    unit = CHARGERS[key].unit()
    async with charger(hass, key, unit) as device:
        await device.async_read()
        limit = device.commands["current_limit_a"]
        assert (limit.least, limit.most) == (6, most[key])
        for value in (0, 5.9, most[key] + 1, 64, True, "16"):
            with pytest.raises(ValueError, match="must be"):
                await device.async_command("current_limit_a", value)
    assert unit.writes == []


async def test_a_charger_that_refuses_to_be_told_is_an_error_in_words(hass: HomeAssistant) -> None:
    """Its remote control is switched off: it says no, or it says nothing and does nothing."""
    unit = CHARGERS["go_e"].unit()
    async with charger(hass, "go_e", unit) as device:
        await device.async_read()
        unit.deaf.add(299)
        with pytest.raises(DeviceError, match="does not follow: current_limit_a stays 13"):
            await device.async_command("current_limit_a", 8)
        assert (await device.async_read()).values["current_limit_a"] == 13
    unit = CHARGERS["heidelberg_energy_control"].unit()
    async with charger(hass, "heidelberg_energy_control", unit) as device:
        await device.async_read()
        unit.faults["holding", 261] = ExcCodes.DEVICE_FAILURE
        with pytest.raises(DeviceError):
            await device.async_command("current_limit_a", 8)


async def test_what_an_alfen_forgets_is_written_again_and_again(hass: HomeAssistant) -> None:
    """Its limit holds for a time only; the newest of what was told is repeated, never an older one."""
    now = 0.0
    unit = CHARGERS["alfen_eve"].unit()
    async with charger(hass, "alfen_eve", unit, Bus(lambda: now)) as device:
        await device.async_command("current_limit_a", 16)
        await device.async_command("charge", False)
        unit.writes.clear()
        for _ in range(5):
            now += 20
            await device.async_read()
    assert unit.writes
    assert {write[1:] for write in unit.writes} == {(1210, (0, 0))}


def test_kebas_get_one_register_at_a_time_and_their_pauses() -> None:
    """The guides: at most two words in a request, half a second between two."""
    for key in ("keba_p30", "keba_p40"):
        profile = load_profiles()[key]
        assert (profile.max_span, profile.pause_ms) == (2, 500)


async def test_a_charger_without_a_register_of_all_energy_is_counted_from_its_power(
    hass: HomeAssistant, make_local: Callable[..., MockConfigEntry], clock: FrozenDateTimeFactory
) -> None:
    """An ABB in a running site: ten minutes at 5.9 kW are 983 Wh, and its session's energy is not mistaken for them."""
    server = RegisterServer({1: CHARGERS["abb_terra_ac"].unit()})
    await server.start()
    source = modbus_source(server.port, None) | {"profile": "abb_terra_ac"}
    entry = make_local(subentry("T1", "charger", source=source), interval_seconds=60)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    for _ in range(120):
        clock.tick(5)
        await site_of(entry).async_refresh()
    state = site_of(entry).data.taps["T1"]
    await server.stop()
    assert state.reading is not None
    assert (state.reading.import_wh, state.reading.export_wh) == (983, 0)
    assert state.quality == "estimated"
    assert state.values["session_wh"] == 4_321
