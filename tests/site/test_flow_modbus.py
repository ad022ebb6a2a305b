"""Reading a device over Modbus: every kind of line, what goes wrong on it, and changing it while it is in use."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from homeassistant.components.modbus.connection import async_get_connection_info
from homeassistant.config_entries import SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from modbus_connection import (
    GatewayPathUnavailableError,
    GatewayTargetError,
    IllegalDataAddressError,
    ModbusConnectionError,
    ModbusDesyncError,
    ModbusProtocolError,
    ModbusTimeoutError,
    ServerDeviceBusyError,
    ServerDeviceFailureError,
)
from pymodbus.constants import ExcCodes
import pytest

from custom_components.commonwatt.devices.faults import ImplausibleDevice, SilentUnit, SwappedWords, WrongDevice
from custom_components.commonwatt.devices.library import LIBRARY
from custom_components.commonwatt.devices.line import Line, SerialLine, TcpLine
from custom_components.commonwatt.devices.profile import load_profiles
from custom_components.commonwatt.devices.sunspec import NotSunSpec
from custom_components.commonwatt.errors import DeviceError
from custom_components.commonwatt.flows import waiting
from custom_components.commonwatt.flows.probe import fault_of

from .bus import Bus, floats, open_map
from .house import MockConfigEntry, entities_source, modbus_source, site_of, subentry
from .test_flow_tap import Make, begin, change, choose, subentry_of, submit

type Serve = Callable[..., Any]

DETAILS = {"name": "Flat", "owner": "anna", "upstream": "grid"}
VOLTAGES = {0: 230.0, 2: 231.0, 4: 229.0, 70: 50.0, 52: 1500.0, 72: 5.0, 74: 0.0}


@pytest.fixture
async def running(hass: HomeAssistant, make_local: Make) -> MockConfigEntry:
    """Run a site without a cloud and without devices."""
    entry = make_local()
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


def on(bus: Bus, **changed: Any) -> dict[str, Any]:
    """Return a form that leads to a line over the network."""
    form = {"host": "127.0.0.1", "port": bus.port, "profile": "commonwatt_tap"}
    return form | changed


def port_of(bus: Bus, **changed: Any) -> dict[str, Any]:
    """Return a form that leads to a line at a serial port."""
    more = {"parity": "even", "stopbits": "2"}
    form = {"device": f"socket://127.0.0.1:{bus.port}", "baudrate": 9600, "profile": "commonwatt_tap"}
    return form | {"unit_id": 1, "more_options": more} | changed


def default(result: SubentryFlowResult, field: str) -> Any:
    """Return what a form has in a field before anything is typed."""
    schema = result["data_schema"]
    assert schema is not None
    [key] = [key for key in schema.schema if key == field]
    return (key.description or {}).get("suggested_value")


async def test_a_device_behind_a_plain_gateway_is_read(
    hass: HomeAssistant, running: MockConfigEntry, serve_line: Serve
) -> None:
    """RTU frames in a TCP connection; the unit id stands in sight, for there it tells devices apart."""
    bus = await serve_line({5: open_map("G5")}, rtu=True)
    flow_id = await begin(hass, running, "tap", "modbus", "rtu_over_tcp")
    await submit(hass, flow_id, **on(bus, unit_id=5))
    await submit(hass, flow_id, **DETAILS)
    await hass.async_block_till_done()
    assert subentry_of(running, "T1").data["source"] == {
        "source": "modbus",
        "line": "rtu_over_tcp",
        "host": "127.0.0.1",
        "port": bus.port,
        "unit_id": 5,
        "profile": "commonwatt_tap",
        "serial": "G5",
    }
    reading = site_of(running).data.taps["T1"].reading
    assert reading is not None
    assert reading.import_wh == 1000


async def test_a_device_at_a_serial_port_is_read_and_its_neighbour_needs_no_typing(
    hass: HomeAssistant, running: MockConfigEntry, serve_line: Serve
) -> None:
    """Speed, parity and stop bits are kept, and the next device on the bus finds them filled in."""
    bus = await serve_line({1: open_map("S1"), 2: open_map("S2")}, rtu=True)
    flow_id = await begin(hass, running, "tap", "modbus", "serial")
    await submit(hass, flow_id, **port_of(bus))
    await submit(hass, flow_id, **DETAILS)
    await hass.async_block_till_done()
    source = subentry_of(running, "T1").data["source"]
    assert {key: source[key] for key in ("line", "device", "baudrate", "parity", "stopbits", "serial")} == {
        "line": "serial",
        "device": f"socket://127.0.0.1:{bus.port}",
        "baudrate": 9600,
        "parity": "E",
        "stopbits": 2,
        "serial": "S1",
    }
    menu = await hass.config_entries.subentries.async_init((running.entry_id, "tap"), context={"source": "user"})
    form = await choose(hass, menu["flow_id"], "modbus", "serial")
    assert default(form, "device") == source["device"]
    assert default(form, "baudrate") == 9600
    assert default(form, "unit_id") is None
    await submit(hass, menu["flow_id"], **port_of(bus, unit_id=2))
    await submit(hass, menu["flow_id"], **DETAILS | {"name": "Shop"})
    await hass.async_block_till_done()
    assert [site_of(running).data.taps[tap].silent for tap in ("T1", "T2")] == [False, False]


@pytest.mark.parametrize(("language", "note"), [("en", "(map only)"), ("ja", "(仕様書のみ)")])
async def test_a_map_that_no_real_device_has_proven_says_so(
    hass: HomeAssistant, running: MockConfigEntry, language: str, note: str
) -> None:
    """In the words of the house; and only maps that fit the kind of device are offered."""
    hass.config.language = language
    menu = await hass.config_entries.subentries.async_init((running.entry_id, "meter"), context={"source": "user"})
    form = await choose(hass, menu["flow_id"], "modbus", "tcp")
    assert form["data_schema"] is not None
    offered = {option["value"]: option["label"] for option in form["data_schema"].schema["profile"].config["options"]}
    assert offered["eastron_sdm630"].endswith(note)
    assert "keba_p30" not in offered
    assert "commonwatt_tap" in offered


@pytest.mark.parametrize(("device", "unit_id"), [(("tap", "commonwatt_tap"), 1), (("charger", "keba_p30"), 255)])
async def test_an_empty_unit_id_is_the_usual_one(
    hass: HomeAssistant, running: MockConfigEntry, serve_line: Serve, device: tuple[str, str], unit_id: int
) -> None:
    """The map of the device says which, else it is 1."""
    # a device that wants long pauses would still be asked when the test is over
    hass.data[LIBRARY] = {key: replace(profile, pause_ms=0) for key, profile in load_profiles().items()}
    bus = await serve_line({unit_id: open_map("U") | {1000: [0] * 600}})
    kind, profile = device
    flow_id = await begin(hass, running, kind, "modbus", "tcp")
    await submit(hass, flow_id, **on(bus, profile=profile, more_options={}))
    assert bus.asked
    assert (set(bus.asked), bus.strangers) == ({unit_id}, 0)


async def test_a_device_with_an_address_of_its_own_may_have_any_unit_id(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """Also such as no bus has; the form that shows it takes it again."""
    bus = await serve_line({255: open_map("END")})
    entry = make_local(subentry("T1", source=modbus_source(bus.port, "END") | {"unit_id": 255}))
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow_id = await change(hass, entry, "T1", "modbus", "tcp")
    result = await submit(hass, flow_id, **on(bus, more_options={"unit_id": 255}))
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()


async def test_what_is_wrong_at_a_unit_is_said_and_then_it_works(
    hass: HomeAssistant, running: MockConfigEntry, serve_line: Serve, unused_tcp_port: int
) -> None:
    """Wrong host, wrong unit id, another map, a busy device, swapped words, nonsense: each has its own words."""
    meters = {0: floats(VOLTAGES), 64512: [0, 7]}
    bus = await serve_line({1: open_map("A"), 2: meters, 3: {0: [0] * 4}})
    flow_id = await begin(hass, running, "tap", "modbus", "tcp")

    async def error(**changed: Any) -> str | None:
        unit_id = changed.pop("unit_id", 1)
        form = await submit(hass, flow_id, **on(bus, more_options={"unit_id": unit_id}, **changed))
        return (form["errors"] or {}).get("base")

    sdm630 = {"unit_id": 2, "profile": "eastron_sdm630"}
    assert await error(port=unused_tcp_port) == "cannot_connect"
    assert await error(unit_id=9) == "timeout"
    assert await error(unit_id=3) == "wrong_device"
    assert await error(unit_id=2) == "wrong_device"
    bus.fault = ExcCodes.ILLEGAL_FUNCTION
    assert await error() == "wrong_device"
    bus.fault = None
    meters[0] = floats(VOLTAGES, swapped=True)
    assert await error(**sdm630) == "swapped_words"
    meters[0] = floats(VOLTAGES | {0: 23_000.0})
    assert await error(**sdm630) == "implausible"
    meters[0] = floats(VOLTAGES)
    assert await error(**sdm630) is None
    assert bus.writes == 0


async def test_a_serial_port_that_does_not_open_is_named(hass: HomeAssistant, running: MockConfigEntry) -> None:
    """An adapter that was pulled out."""
    flow_id = await begin(hass, running, "meter", "modbus", "serial")
    result = await submit(
        hass,
        flow_id,
        device="/dev/serial/by-id/gone",
        baudrate=9600,
        profile="eastron_sdm630",
        more_options={"parity": "none", "stopbits": "1"},
    )
    assert result["errors"] == {"base": "no_serial_port"}


async def test_a_slow_device_shows_that_it_is_asked(
    hass: HomeAssistant, running: MockConfigEntry, serve_line: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialogue waits with a word instead of hanging, and goes on by itself; closed meanwhile, it ends clean."""
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.05)
    bus = await serve_line({1: open_map("SLOW")}, delay_s=0.2)
    flow_id = await begin(hass, running, "tap", "modbus", "tcp")
    result = await submit(hass, flow_id, **on(bus, more_options={}))
    assert (result["type"], result["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "probe")
    result = await hass.config_entries.subentries.async_configure(flow_id)
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    await hass.async_block_till_done(wait_background_tasks=True)
    result = await hass.config_entries.subentries.async_configure(flow_id)
    assert result["step_id"] == "details"
    hass.config_entries.subentries.async_abort(flow_id)

    flow_id = await begin(hass, running, "tap", "modbus", "tcp")
    result = await submit(hass, flow_id, **on(bus, more_options={}))
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    hass.config_entries.subentries.async_abort(flow_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.config_entries.subentries.async_progress() == []
    assert async_get_connection_info(hass) == []


async def two_on_a_bus(hass: HomeAssistant, make_local: Make, bus: Bus) -> MockConfigEntry:
    """Run a site with two devices on one serial port."""
    line = {"line": "serial", "device": f"socket://127.0.0.1:{bus.port}", "baudrate": 9600, "parity": "N"}
    kept = {"source": "modbus", **line, "stopbits": 1, "profile": "commonwatt_tap"}
    entry = make_local(
        subentry("T1", source=kept | {"unit_id": 1, "serial": "S1"}),
        subentry("T2", source=kept | {"unit_id": 2, "serial": "S2"}),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def test_a_port_in_use_by_the_site_itself_takes_other_settings(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """The site lets go of the port while it is tried; what answers is kept, for every device on that bus."""
    bus = await serve_line({1: open_map("S1"), 2: open_map("S2")}, rtu=True)
    entry = await two_on_a_bus(hass, make_local, bus)
    flow_id = await change(hass, entry, "T1", "modbus", "serial")
    result = await submit(hass, flow_id, **port_of(bus, baudrate=19200))
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    for tap in ("T1", "T2"):
        source = subentry_of(entry, tap).data["source"]
        assert (source["baudrate"], source["parity"], source["stopbits"]) == (19200, "E", 2)
        assert site_of(entry).data.taps[tap].silent is False
    assert subentry_of(entry, "T2").data["source"]["serial"] == "S2"


async def test_settings_that_do_not_work_leave_the_site_as_it_was(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """The port is taken up again with what it had."""
    bus = await serve_line({1: open_map("S1"), 2: open_map("S2")}, rtu=True)
    entry = await two_on_a_bus(hass, make_local, bus)
    flow_id = await change(hass, entry, "T1", "modbus", "serial")
    bus.units[1] = open_map("S1", kind=1) | {0: [0] * 31}
    result = await submit(hass, flow_id, **port_of(bus, baudrate=19200))
    assert result["errors"] == {"base": "wrong_device"}
    bus.units[1] = open_map("S1")
    await site_of(entry).async_refresh()
    assert subentry_of(entry, "T1").data["source"]["baudrate"] == 9600
    assert [site_of(entry).data.taps[tap].silent for tap in ("T1", "T2")] == [False, False]


async def test_a_new_device_takes_the_settings_the_port_has(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """Adding one with another speed is refused with words: the others would fall silent."""
    bus = await serve_line({1: open_map("S1"), 2: open_map("S2"), 3: open_map("S3")}, rtu=True)
    entry = await two_on_a_bus(hass, make_local, bus)
    flow_id = await begin(hass, entry, "tap", "modbus", "serial")
    result = await submit(hass, flow_id, **port_of(bus, unit_id=3, baudrate=19200))
    assert result["errors"] == {"base": "link_settings_in_use"}
    right = port_of(bus, unit_id=3, more_options={"parity": "none", "stopbits": "1"})
    assert (await submit(hass, flow_id, **right))["step_id"] == "details"


async def test_one_unit_is_one_device_however_it_is_reached(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """The same port spoken to in another way is the same register."""
    bus = await serve_line({1: open_map("S1")}, rtu=True)
    entry = make_local(subentry("T1", source=modbus_source(bus.port, serial=None)))
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow_id = await begin(hass, entry, "tap", "modbus", "rtu_over_tcp")
    result = await submit(hass, flow_id, **on(bus, unit_id=1))
    assert result["errors"] == {"base": "source_in_use"}


async def test_a_register_is_one_devices_across_kinds(hass: HomeAssistant, make_local: Make) -> None:
    """A charger that is made of a tap's power entity would be counted twice."""
    hass.states.async_set("sensor.power", "5", {"unit_of_measurement": "W", "device_class": "power"})
    entry = make_local(subentry("T1", source=entities_source(None) | {"power_entity": "sensor.power"}))
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow_id = await begin(hass, entry, "charger", "entities")
    result = await submit(hass, flow_id, power_entity="sensor.power")
    assert result["errors"] == {"base": "source_in_use"}


async def test_a_site_that_cannot_let_go_of_a_port_says_that_it_is_in_use(
    hass: HomeAssistant, make_local: Make, serve_line: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform may refuse to unload; the site then runs on as it was."""
    bus = await serve_line({1: open_map("S1"), 2: open_map("S2")}, rtu=True)
    entry = await two_on_a_bus(hass, make_local, bus)
    flow_id = await change(hass, entry, "T1", "modbus", "serial")

    async def refuse(_entry_id: str) -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(hass.config_entries, "async_unload", refuse)
        result = await submit(hass, flow_id, **port_of(bus, baudrate=19200))
    assert result["errors"] == {"base": "link_settings_in_use"}
    assert site_of(entry).data.taps["T1"].silent is False


async def test_the_form_of_a_gateway_shows_what_there_is(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """Changing a device begins with what it has now."""
    bus = await serve_line({5: open_map("G5")}, rtu=True)
    source = modbus_source(bus.port, "G5") | {"unit_id": 5, "line": "rtu_over_tcp"}
    entry = make_local(subentry("T1", source=source))
    assert await hass.config_entries.async_setup(entry.entry_id)
    menu = await entry.start_subentry_reconfigure_flow(hass, site_of(entry).taps["T1"].subentry_id)
    form = await choose(hass, menu["flow_id"], "modbus", "rtu_over_tcp")
    shown = {field: default(form, field) for field in ("host", "port", "profile", "unit_id")}
    assert shown == {"host": "127.0.0.1", "port": bus.port, "profile": "commonwatt_tap", "unit_id": 5}


TCP, SERIAL = TcpLine("meter", 502), SerialLine("/dev/ttyUSB0", 9600)


@pytest.mark.parametrize(
    ("error", "cause", "line", "key"),
    [
        (SilentUnit(""), None, TCP, "timeout"),
        (TimeoutError(), None, TCP, "timeout"),
        (DeviceError(""), ModbusTimeoutError(), TCP, "cannot_connect"),
        (DeviceError(""), ModbusProtocolError(), TCP, "not_modbus"),
        (DeviceError(""), ModbusDesyncError(), SERIAL, "not_modbus"),
        (DeviceError(""), GatewayTargetError(), TCP, "timeout"),
        (DeviceError(""), GatewayPathUnavailableError(), TCP, "timeout"),
        (DeviceError(""), ServerDeviceBusyError(), TCP, "busy"),
        (DeviceError(""), ServerDeviceFailureError(), TCP, "wrong_device"),
        (DeviceError(""), ModbusConnectionError(), TCP, "cannot_connect"),
        (DeviceError(""), ModbusConnectionError(), SERIAL, "no_serial_port"),
        (WrongDevice(""), IllegalDataAddressError(), SERIAL, "wrong_device"),
        (SwappedWords(""), None, TCP, "swapped_words"),
        (ImplausibleDevice(""), None, TCP, "implausible"),
        (NotSunSpec(""), None, TCP, "not_sunspec"),
        (HomeAssistantError(), None, TCP, "link_settings_in_use"),
    ],
)
def test_every_fault_of_a_line_has_its_words(error: Exception, cause: Exception | None, line: Line, key: str) -> None:
    """What a person must do differs, so what they read does."""
    error.__cause__ = cause
    assert fault_of(error, line) == key


async def test_a_dialogue_cut_off_while_it_waits_leaves_no_line_open(
    hass: HomeAssistant, running: MockConfigEntry, serve_line: Serve
) -> None:
    """The browser went away before the device answered; what was asked ends by itself, and the line is closed."""
    bus = await serve_line({1: open_map("SLOW")}, delay_s=0.3)
    flow_id = await begin(hass, running, "tap", "modbus", "tcp")
    asking = asyncio.create_task(submit(hass, flow_id, **on(bus, more_options={})))
    await bus.first_asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await hass.async_block_till_done(wait_background_tasks=True)
    assert async_get_connection_info(hass) == []
