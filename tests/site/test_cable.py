"""A V2G cable over a real server: one request a poll, each signed record once, no record of another key believed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.core import HomeAssistant
from modbus_connection import ModbusUnit
from modbus_connection.mock import MockModbusConnection
from pymodbus.constants import ExcCodes
import pytest

from custom_components.commonwatt.cable import RecordJudge
from custom_components.commonwatt.devices import cable as cable_module
from custom_components.commonwatt.devices.cable import CableDevice
from custom_components.commonwatt.devices.counting import modbus_device
from custom_components.commonwatt.devices.line import TcpLine, line_params
from custom_components.commonwatt.devices.mailbox import PAGES, TRIES, Mailbox
from custom_components.commonwatt.devices.port import Answer
from custom_components.commonwatt.devices.profile import load_profiles
from custom_components.commonwatt.errors import DeviceError
from custom_components.commonwatt.wire import Ocmf, SignedInterval, parse_ocmf, signed_interval
from demo.register_map import Kind
from demo.signed import SignedIntervals
from demo.steered_server import SteeredServer

from .steered import BEGIN_MS, HALF_HOUR_MS, Clock, served

PROFILE = load_profiles()["commonwatt_cable"]


@pytest.fixture
def clock() -> Clock:
    """Hold the cable's clock at the beginning of a half hour."""
    return Clock()


@pytest.fixture
async def server(socket_enabled: None, clock: Clock) -> AsyncGenerator[SteeredServer]:
    """Serve a cable that charges Dora's car."""
    server = served(Kind.CABLE, clock)
    await server.start()
    yield server
    await server.stop()


@asynccontextmanager
async def linked(hass: HomeAssistant, server: SteeredServer) -> AsyncGenerator[ModbusUnit]:
    """Yield the cable's unit on the link that Home Assistant shares."""
    endpoint = server.endpoint
    async with async_get_temporary_unit(hass, line_params(TcpLine(endpoint.host, endpoint.port)), 1) as unit:
        yield unit


def judge(server: SteeredServer) -> RecordJudge:
    """Return who believes the cable's present key."""
    return RecordJudge("Dora's cable", server.device.serial, server.device.signed.public_key)


def intervals(answer: Answer) -> list[SignedInterval]:
    """Return the intervals in an answer's records."""
    found = []
    for text in answer.papers:
        record = parse_ocmf(text)
        assert isinstance(record, Ocmf)
        interval = signed_interval(record)
        assert isinstance(interval, SignedInterval)
        found.append(interval)
    return found


async def test_a_poll_of_a_cable_is_one_request_and_tells_all_of_it(hass: HomeAssistant, server: SteeredServer) -> None:
    """Registers, car, place, people and permission come in one block."""
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server))
        answer = await device.async_read()
        before = server.requests
        await device.async_read()
    assert server.requests - before == 1
    assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.power_w) == (0, 0, 3_680)
    assert dict(answer.values) == {
        "voltage_v": 228.9,
        "current_a": 16.076,
        "power_factor": 1.0,
        "frequency_hz": 50.0,
        "charger_state": "charging",
        "plugged": True,
        "session_wh": 0,
        "soc_percent": 50.0,
        "capacity_wh": 40_000,
        "current_limit_a": 16.0,
        "charge": True,
        "permission": "allowed",
        "agreement": "unknown",
        "latitude": 35.681236,
        "longitude": 139.767125,
        "vehicle_id": "JN1AZ0000",
        "user_id": "dora",
        "signed_number": 0,
        "period_seconds": 1_800,
    }
    assert answer.papers == ()


async def test_each_signed_interval_comes_once_in_order_and_holds(
    hass: HomeAssistant, server: SteeredServer, clock: Clock
) -> None:
    """What the cable signed half hour by half hour is what its registers say, in both directions."""
    found: list[SignedInterval] = []
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server))
        await device.async_read()
        for set_point_w in (2_000, -1_000, 3_000):
            await device.async_command("set_point_w", set_point_w)
            for _ in range(6):
                clock.now_ms += HALF_HOUR_MS // 6
                answer = await device.async_read()
                found += intervals(answer)
            assert answer.values["signed_valid"] is True
    assert [interval.number for interval in found] == [1, 2, 3]
    assert [(one.import_wh, one.export_wh) for one in found] == [(1_000, 0), (0, 500), (1_500, 0)]
    assert [one.start for one in found] == [BEGIN_MS // 1000 + 1800 * place for place in range(3)]
    assert {one.user for one in found} == {"dora"}
    assert answer.raw.import_wh == sum(one.import_wh for one in found)


async def test_after_an_outage_what_was_missed_comes_with_the_next_polls(
    hass: HomeAssistant, server: SteeredServer, clock: Clock
) -> None:
    """Ten records are waiting: four with each poll, none twice, none left out."""
    found: list[int] = []
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server), after=0)
        clock.half_hours(10)
        for _ in range(4):
            found.append(len((answer := await device.async_read()).papers))
            assert answer.values["signed_valid"] is True
    assert found == [4, 4, 2, 0]


async def test_no_record_is_chosen_at_whoever_answers_after_the_line_was_lost(
    hass: HomeAssistant, server: SteeredServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To choose a record is to write: another device may have something else at that register."""
    told: list[int] = []
    held, select = Mailbox.async_held, server._command

    async def lost(self: Mailbox) -> range:
        numbers = await held(self)
        device._lose()
        return numbers

    def watched(address: int, words: list[int]) -> ExcCodes | None:
        told.append(address)
        return select(address, words)

    clock.half_hours(2)
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server), after=0)
        monkeypatch.setattr(server, "_command", watched)
        monkeypatch.setattr(Mailbox, "async_held", lost)
        assert (await device.async_read()).papers == ()
        assert told == []
        monkeypatch.undo()
        assert [one.number for one in intervals(await device.async_read())] == [1, 2]


async def test_a_first_meeting_begins_with_the_newest_record(
    hass: HomeAssistant, server: SteeredServer, clock: Clock
) -> None:
    """Nobody asks for a month of records to show whether the signature holds."""
    clock.half_hours(30)
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server))
        assert [one.number for one in intervals(await device.async_read())] == [30]


async def test_what_the_cable_no_longer_holds_is_passed_over(
    hass: HomeAssistant, server: SteeredServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A gap is no reason to wait for ever: it goes on with the oldest there is, and says that something is missing."""
    server.device.signed = SignedIntervals("CWC-1", held=2)
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server))
        clock.half_hours()
        await device.async_read()
        caplog.set_level("INFO")
        clock.half_hours(5)
        assert [one.number for one in intervals(await device.async_read())] == [5, 6]
    assert "Before record 5 of Dora's cable something is missing" in caplog.text


async def test_a_record_of_another_key_is_not_believed(
    hass: HomeAssistant, server: SteeredServer, clock: Clock, expected_logs: list[str]
) -> None:
    """Who puts another cable's electronics behind the same serial number shows itself at the first record."""
    expected_logs.append("A record of Dora's cable is not believed: signature_wrong")
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server))
        clock.half_hours()
        assert (await device.async_read()).values["signed_valid"] is True
        server.device.signed = SignedIntervals("CWC-1")
        clock.half_hours(2)
        answer = await device.async_read()
    assert answer.values["signed_valid"] is False
    assert len(answer.papers) == 1  # handed on all the same: it is evidence too


async def test_a_record_of_another_meter_is_not_believed(
    hass: HomeAssistant, server: SteeredServer, clock: Clock, expected_logs: list[str]
) -> None:
    """The key holds, but the record is of another serial number than the one set up."""
    expected_logs.append("is not believed: not_an_interval (of another meter: CWC-2)")
    server.device.signed._serial = "CWC-2"
    async with linked(hass, server) as unit:
        clock.half_hours()
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server))
        assert (await device.async_read()).values["signed_valid"] is False


async def test_a_mailbox_that_talks_nonsense_costs_no_reading(
    hass: HomeAssistant, server: SteeredServer, clock: Clock, monkeypatch: pytest.MonkeyPatch, expected_logs: list[str]
) -> None:
    """Registers are what is settled: they count, and a record nobody can read does not stand before the next."""
    clock.half_hours()
    signed = server.device.signed
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server), after=0)
        monkeypatch.setattr(signed, "page_words", lambda: [0, 9, 100, *[0] * 957])
        answer = await device.async_read()
        assert (answer.raw.import_wh, answer.papers) == (1_840, ())
        monkeypatch.setattr(signed, "page_words", lambda: [0, 1, 2, 0xFFFF, *[0] * 956])
        answer = await device.async_read()
        assert (answer.raw.import_wh, answer.papers, answer.values["signed_valid"]) == (1_840, (), False)
        monkeypatch.undo()
        clock.half_hours()
        assert [one.number for one in intervals(await device.async_read())] == [2]


async def test_a_length_that_belongs_to_another_record_is_not_followed() -> None:
    """What another reader chose, or noise, says nothing of how many pages there are to read."""
    unit = MockModbusConnection().for_unit(1)
    unit.holding.update({PAGES + at: word for at, word in enumerate((0, 9, 0xFFFF))})
    with pytest.raises(DeviceError, match="shows other records"):
        await Mailbox(unit).async_record(1)
    assert len(unit.read_events) == TRIES


async def test_a_read_that_is_given_up_loses_no_record(
    hass: HomeAssistant, server: SteeredServer, clock: Clock, monkeypatch: pytest.MonkeyPatch, expected_logs: list[str]
) -> None:
    """On a slow line fewer records come with a poll; what a cancelled one had fetched comes again."""
    expected_logs.append("Received unexpected response")  # the link's, of the answer nobody waits for any more
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server), after=0)
        clock.half_hours(3)
        chosen, select = asyncio.Event(), server._command

        def watched(address: int, words: list[int]) -> ExcCodes | None:
            if words == [0, 2]:
                chosen.set()
            return select(address, words)

        monkeypatch.setattr(server, "_command", watched)
        given_up = asyncio.create_task(device.async_read())
        await chosen.wait()
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        monkeypatch.setattr(cable_module, "RECORDS_SECONDS_MAX", 0)
        assert (await device.async_read()).papers == ()
        monkeypatch.undo()
        assert [one.number for one in intervals(await device.async_read())] == [1, 2, 3]


async def test_numbers_that_begin_anew_are_read_from_the_first(
    hass: HomeAssistant, server: SteeredServer, clock: Clock, expected_logs: list[str]
) -> None:
    """A cable with a new key counts from 1 again; a mailbox that says nothing of what it holds has nothing."""
    expected_logs.append("is not believed: signature_wrong")
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1", judge=judge(server), after=7)
        clock.half_hours(2)
        answer = await device.async_read()
        assert [one.number for one in intervals(answer)] == [1, 2]
        server.device.signed = signed = SignedIntervals("CWC-1", held=0)
        signed.newest = 5
        assert (await device.async_read()).papers == ()
        server.device.signed = SignedIntervals("CWC-1")
        clock.half_hours()
        assert (await device.async_read()).values["signed_valid"] is False


async def test_what_is_no_record_at_all_is_not_believed(
    server: SteeredServer, clock: Clock, expected_logs: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The mailbox may show any text; only a record can hold. The log says it once, and once when it is over."""
    expected_logs.append("A record of Dora's cable is not believed: not_ocmf")
    caplog.set_level("INFO")
    clock.half_hours()
    server.device.advance(clock.now_ms)
    believes = judge(server)
    assert not believes("hello")
    assert not believes("hello again")
    assert believes(server.device.signed.record(1))
    assert caplog.text.count("is not believed") == 1
    assert caplog.text.count("are believed again") == 1


async def test_a_cable_that_falls_silent_over_its_key_is_an_error(
    hass: HomeAssistant, server: SteeredServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cable that is there, and then not, is not added without its key."""
    monkeypatch.setattr(server, "_unknown", lambda address, _count: None if address < 200 else ExcCodes.DEVICE_FAILURE)
    async with linked(hass, server) as unit:
        with pytest.raises(DeviceError):
            await modbus_device(unit, PROFILE, None).async_identify()


async def test_two_readers_of_one_mailbox_get_what_they_asked_for(
    hass: HomeAssistant, server: SteeredServer, clock: Clock
) -> None:
    """Another reader chooses in between; each page names its record, so nobody mixes two."""
    clock.half_hours(2)
    async with linked(hass, server) as unit:
        mailbox = Mailbox(unit)
        assert await mailbox.async_held() == range(1, 3)
        assert await mailbox.async_record(9) is None
        signed, write = server.device.signed, server._command
        turns = iter((2, 1, 1))

        def disturbed(address: int, words: list[int]) -> object:
            outcome = write(address, words)
            signed.selected = next(turns)
            return outcome

        server._command = disturbed  # type: ignore[method-assign, assignment]
        assert await mailbox.async_record(1) == signed.record(1).encode()
        turns = iter((2, 2, 2))
        with pytest.raises(DeviceError, match="other records"):
            await mailbox.async_record(1)


async def test_set_up_meets_the_key_and_other_devices_have_none(
    hass: HomeAssistant, server: SteeredServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is read once, when the cable is set up; a cable without one is a cable all the same."""
    key = server.device.signed.public_key
    async with linked(hass, server) as unit:
        device = modbus_device(unit, PROFILE, None)
        assert isinstance(device, CableDevice)
        identity = await device.async_identify()
        assert (identity.serial, identity.public_key) == ("CWC-1", key.hex())
        monkeypatch.setattr(server.device.signed, "key_words", lambda: [0xFFFF, *[0] * 64])
        assert (await device.async_identify()).public_key is None
        monkeypatch.setattr(
            server, "_unknown", lambda address, _count: None if address < 200 else ExcCodes.ILLEGAL_ADDRESS
        )
        assert (await device.async_identify()).public_key is None


async def test_without_a_known_key_records_come_unjudged(
    hass: HomeAssistant, server: SteeredServer, clock: Clock
) -> None:
    """Nobody says that a signature holds who has no key to say so."""
    clock.half_hours()
    async with linked(hass, server) as unit:
        device = CableDevice(unit, PROFILE, "CWC-1")
        answer = await device.async_read()
    assert "signed_valid" not in device.quantities
    assert "signed_valid" not in answer.values
    assert len(answer.papers) == 1
    assert cable_module.RECORDS_AT_ONCE > 1
