"""A meter on Modbus against a real server: what it shows, what is refused, and how it goes and comes back."""

from collections.abc import Callable

from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.core import HomeAssistant
from modbus_connection import ModbusConnectionError
from modbus_connection.mock import MockModbusConnection
from pymodbus.constants import ExcCodes
import pytest

from custom_components.commonwatt.devices import modbus, poll as poll_module
from custom_components.commonwatt.devices.absent import AbsentDevice
from custom_components.commonwatt.devices.line import TcpLine, line_params
from custom_components.commonwatt.devices.modbus import ModbusDevice, WrongDevice
from custom_components.commonwatt.devices.poll import DevicePoll
from custom_components.commonwatt.devices.port import Answer
from custom_components.commonwatt.devices.profile import load_profiles
from custom_components.commonwatt.errors import DeviceError
from custom_components.commonwatt.metering import RawReading

from .house import MockConfigEntry, modbus_source, site_of, subentry, value
from .meter_device import ABSENT_64, ABSENT_I32, MeterDevice, RawServer


async def read(hass: HomeAssistant, device: MeterDevice, serial: str | None = None) -> RawReading:
    """Read a device once, over the link that Home Assistant shares."""
    profile = load_profiles()["commonwatt_tap"]
    async with async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", device.port)), 1) as unit:
        return (await ModbusDevice(unit, profile, serial).async_read()).raw


async def test_the_open_register_map_is_read_in_one_request(hass: HomeAssistant, device: MeterDevice) -> None:
    """Registers beyond 32 bits and negative power come out as they went in."""
    device.import_wh, device.export_wh, device.power_w = 2**40 + 7, 5, -1234
    reading = await read(hass, device, "T1-0001")
    assert (reading.import_wh, reading.export_wh, reading.power_w) == (2**40 + 7, 5, -1234)
    assert device.reads == 1


async def test_a_register_that_is_not_implemented_is_no_number(hass: HomeAssistant, device: MeterDevice) -> None:
    """All ones are no energy: a missing export is zero, a missing power none, a missing import no reading."""
    device.export_wh, device.power_w = ABSENT_64, ABSENT_I32
    reading = await read(hass, device)
    assert (reading.import_wh, reading.export_wh, reading.power_w) == (1000, 0, None)
    device.import_wh = ABSENT_64
    assert (await read(hass, device)).import_wh is None
    device.export_wh = 20
    generator = await read(hass, device)
    assert (generator.import_wh, generator.export_wh) == (0, 20)


@pytest.mark.parametrize(("magic", "version"), [("SunS", 1), ("CWTP", 2), ("", 0)])
async def test_another_map_is_refused(hass: HomeAssistant, device: MeterDevice, magic: str, version: int) -> None:
    """Without the magic word, or of a later version, nothing of what it shows is believed."""
    device.magic, device.version = magic, version
    with pytest.raises(WrongDevice):
        await read(hass, device)


async def test_another_device_behind_the_address_is_refused(hass: HomeAssistant, device: MeterDevice) -> None:
    """The serial number is part of what was set up: another meter's energy is never booked on this tap."""
    device.serial = "T9-0009"
    with pytest.raises(WrongDevice):
        await read(hass, device, "T1-0001")


async def test_a_modbus_exception_is_a_silent_device(hass: HomeAssistant, device: MeterDevice) -> None:
    """A device that says no has no reading."""
    device.fault = ExcCodes.DEVICE_FAILURE
    with pytest.raises(DeviceError):
        await read(hass, device)


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(range(256))],
    ids=["nothing", "one byte", "a web server", "noise"],
)
async def test_garbage_is_a_silent_device(hass: HomeAssistant, device: MeterDevice, answer: bytes) -> None:
    """Whatever else listens at the port, no number comes out of it."""
    server = RawServer(answer)
    await server.start()
    with pytest.raises(DeviceError):
        await read(hass, MeterDevice(port=server.port))
    await server.stop()


async def test_an_sdm630_counts_in_kwh_and_shows_its_serial_number(hass: HomeAssistant) -> None:
    """Its float registers become Wh; the serial number, in another register space, is read on contact only."""
    connection = MockModbusConnection()
    unit = connection.for_unit(1)
    unit.input |= {52: [0xC3FA, 0x0000], 72: [0x449A, 0x5000], 74: [0x3FC0, 0x0000]}  # -500 W, 1234.5 and 1.5 kWh
    unit.holding[64512] = [0x0001, 0xE240]
    meter = ModbusDevice(unit, load_profiles()["eastron_sdm630"], "123456")
    for _ in range(2):
        reading = (await meter.async_read()).raw
    assert (reading.import_wh, reading.export_wh, reading.power_w) == (1_234_500, 1500, -500)
    assert [event.register_type for event in unit.read_events].count("holding") == 1

    unit.fail_requests(ModbusConnectionError("gone"))
    with pytest.raises(DeviceError):
        await meter.async_read()
    unit.fail_requests(None)
    unit.holding[64512] = [0, 1]
    with pytest.raises(WrongDevice):  # after the gap another meter may answer, so its serial number is read again
        await meter.async_read()


async def test_a_meter_that_hangs_holds_nobody_up(
    hass: HomeAssistant, device: MeterDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The good meter's reading is there at once; the one that takes requests and says nothing fails later, alone."""
    monkeypatch.setattr(modbus, "LINK_TIMEOUT_S", 1.2)
    hung = RawServer(b"")
    await hung.start()
    profile = load_profiles()["commonwatt_tap"]
    async with (
        async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", device.port)), 1) as good,
        async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", hung.port)), 1) as bad,
    ):
        poll = DevicePoll({"good": ModbusDevice(good, profile, None), "bad": ModbusDevice(bad, profile, None)})
        first = await poll.async_poll(0.6)
        assert set(first) == {"good"}
        later = await poll.async_poll(4)
        assert isinstance(later["bad"], DeviceError)
        assert isinstance(later["good"], Answer)
        assert set(await poll.async_poll(0.6)) == {"good"}  # a new read of the bad one is under way
        await poll.async_close()
    await hung.stop()


async def test_a_meter_that_is_always_busy_is_given_up(
    hass: HomeAssistant, device: MeterDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link would go on asking a busy device for a minute; a poll does not wait for that."""
    monkeypatch.setattr(poll_module, "READ_SECONDS_MAX", 0.3)
    device.fault = ExcCodes.DEVICE_BUSY
    async with async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", device.port)), 1) as unit:
        poll = DevicePoll({"T1": ModbusDevice(unit, load_profiles()["commonwatt_tap"], None)})
        assert isinstance((await poll.async_poll(2))["T1"], DeviceError)
        device.fault = None
        assert isinstance((await poll.async_poll(2))["T1"], Answer)


async def test_a_fault_in_one_adapter_stops_no_other_meter(hass: HomeAssistant, expected_logs: list[str]) -> None:
    """Our own mistake is logged with its trace, once per read, and the other meters are read."""
    expected_logs.append("Reading the device of tap T1 failed")

    class Broken(AbsentDevice):
        async def async_read(self) -> Answer:
            raise ZeroDivisionError

    class Sound(AbsentDevice):
        async def async_read(self) -> Answer:
            return Answer(RawReading(1, 2, 3))

    outcomes = await DevicePoll({"T1": Broken(""), "T2": Sound("")}).async_poll(1)
    assert isinstance(outcomes["T1"], DeviceError)
    assert outcomes["T2"] == Answer(RawReading(1, 2, 3))


async def test_a_silent_meter_is_unavailable_told_once_and_comes_back(
    hass: HomeAssistant,
    device: MeterDevice,
    make_local: Callable[..., MockConfigEntry],
    caplog: pytest.LogCaptureFixture,
    expected_logs: list[str],
) -> None:
    """The site starts without the meter, shows it when it answers, loses it and has it back; each is logged once."""
    expected_logs.append("The meter of Main meter is silent")
    await device.stop()
    entry = make_local(subentry("T1", "meter", source=modbus_source(device.port)))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert value(hass, entry, "T1_import_energy") == "unavailable"

    await device.start()
    await site_of(entry).async_refresh()
    assert value(hass, entry, "T1_import_energy") == "1.0"
    assert value(hass, entry, "T1_power") == "0"

    await device.stop()
    for _ in range(4):
        await site_of(entry).async_refresh()
    assert value(hass, entry, "T1_import_energy") == "unavailable"
    assert value(hass, entry, "T1_power") == "unavailable"
    assert caplog.text.count("The meter of Main meter is silent") == 1

    device.import_wh += 2
    await device.start()
    for _ in range(2):
        await site_of(entry).async_refresh()
    assert value(hass, entry, "T1_import_energy") == "1.002"
    assert caplog.text.count("The meter of Main meter is back") == 1


async def test_another_meter_at_the_address_makes_the_tap_silent(
    hass: HomeAssistant, device: MeterDevice, make_local: Callable[..., MockConfigEntry], expected_logs: list[str]
) -> None:
    """A reused address does not book a stranger's energy."""
    expected_logs.append("is silent: answers with another serial number")
    entry = make_local(subentry("T1", "meter", source=modbus_source(device.port)))
    assert await hass.config_entries.async_setup(entry.entry_id)
    device.serial = "T9-0009"
    for _ in range(2):
        await site_of(entry).async_refresh()
    assert value(hass, entry, "T1_import_energy") == "unavailable"
