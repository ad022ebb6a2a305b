"""Searching the lines of a site: what is found is offered, what is known is not, and nothing is ever written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from modbus_connection import (
    GatewayPathUnavailableError,
    GatewayTargetError,
    IllegalDataAddressError,
    ModbusConnectionError,
    ModbusDesyncError,
    ModbusTimeoutError,
    ModbusUnit,
    ServerDeviceBusyError,
)
import pytest

from custom_components.commonwatt.flows import scan

from .bus import Bus, floats, open_map, sunspec, sunspec_meter
from .house import MockConfigEntry, entities_source, modbus_source, site_of, subentry
from .meter_device import RawServer
from .test_flow_tap import Make, begin, change, submit

type Serve = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "KNOCK_SECONDS_MAX", 0.1)
    monkeypatch.setattr(scan, "PAUSE_S", 0)


async def site_with(hass: HomeAssistant, make_local: Make, *sources: dict[str, Any]) -> MockConfigEntry:
    """Run a site whose taps measure with these."""
    entry = make_local(*(subentry(f"T{number}", source=source) for number, source in enumerate(sources, 1)))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def search(hass: HomeAssistant, flow_id: str, lines: list[str], last: int = 8, first: int = 1) -> Any:
    """Search, and return what the dialogue shows then."""
    result = await submit(hass, flow_id, lines=lines, first_unit_id=first, last_unit_id=last)
    assert (result["type"], result["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "search")
    await hass.async_block_till_done(wait_background_tasks=True)
    return await hass.config_entries.subentries.async_configure(flow_id)


def labels(form: SubentryFlowResult) -> list[str]:
    """Return what the form says was found."""
    schema = form["data_schema"]
    assert schema is not None
    return [option["label"] for option in schema.schema["found"].config["options"]]


def on(bus: Bus) -> str:
    """Return what a line is called."""
    return f"127.0.0.1:{bus.port}"


async def test_devices_on_a_line_of_the_site_are_found_and_added(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """Our open map and SunSpec, each with serial number and unit id; one choice, and it can be added."""
    bus = await serve_line(
        {1: open_map("KNOWN"), 2: open_map("NEW"), 4: sunspec("SUN", sunspec_meter(1), sunspec_meter(2))}
    )
    entry = await site_with(hass, make_local, modbus_source(bus.port, "KNOWN"))
    bus.asked.clear()
    flow_id = await begin(hass, entry, "tap", "search")
    form = await search(hass, flow_id, [on(bus)])
    assert labels(form) == [
        f"Commonwatt open register map NEW ({on(bus)}, 2)",
        f"Maker Model X, Meter 2 SUN ({on(bus)}, 4)",
        f"Maker Model X, Meter SUN ({on(bus)}, 4)",
    ]
    form = await submit(hass, flow_id, found="0")
    assert form["step_id"] == "details"
    assert form["description_placeholders"] == {"serial": "NEW"}
    await submit(hass, flow_id, name="New", owner="anna", upstream="T1")
    await hass.async_block_till_done()
    assert site_of(entry).data.taps["T2"].silent is False
    source = entry.subentries[site_of(entry).taps["T2"].subentry_id].data["source"]
    assert source == modbus_source(bus.port, "NEW") | {"unit_id": 2}
    assert bus.writes == 0


async def test_a_part_that_is_free_is_found_beside_one_that_is_not(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """Of a SunSpec device whose first meter is a tap already, the second is offered."""
    bus = await serve_line({3: sunspec("SUN", sunspec_meter(1), sunspec_meter(2))})
    known = modbus_source(bus.port, "SUN") | {"unit_id": 3, "profile": "sunspec", "part": "203"}
    entry = await site_with(hass, make_local, known)
    form = await search(hass, await begin(hass, entry, "tap", "search"), [on(bus)])
    assert labels(form) == [f"Maker Model X, Meter 2 SUN ({on(bus)}, 3)"]


async def test_a_device_that_answers_to_every_unit_id_is_found_once(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """As most devices with an address of their own do; the one the site has is not offered under another id."""
    twice = open_map("TWICE")
    bus = await serve_line({1: open_map("KNOWN"), 2: open_map("KNOWN"), 3: twice, 4: twice})
    entry = await site_with(hass, make_local, modbus_source(bus.port, "KNOWN"))
    form = await search(hass, await begin(hass, entry, "tap", "search"), [on(bus)])
    assert labels(form) == [f"Commonwatt open register map TWICE ({on(bus)}, 3)"]


async def test_a_charger_is_no_tap(hass: HomeAssistant, make_local: Make, serve_line: Serve) -> None:
    """What the search for one kind finds is of that kind."""
    bus = await serve_line({1: open_map("KNOWN"), 2: open_map("CAR", 3), 3: sunspec("SUN", sunspec_meter(1))})
    entry = await site_with(hass, make_local, modbus_source(bus.port, "KNOWN"))
    form = await search(hass, await begin(hass, entry, "tap", "search"), [on(bus)])
    assert [label.rpartition(" (")[0] for label in labels(form)] == ["Maker Model X, Meter SUN"]
    form = await search(hass, await begin(hass, entry, "battery", "search"), [on(bus)])
    assert form["errors"] == {"base": "nothing_found"}
    form = await search(hass, await begin(hass, entry, "charger", "search"), [on(bus)])
    assert labels(form) == [f"Commonwatt open register map: charger CAR ({on(bus)}, 2)"]


async def test_a_silent_bus_is_searched_in_one_pass(hass: HomeAssistant, make_local: Make, serve_line: Serve) -> None:
    """Of an id that nobody has nothing is heard; each is asked once, those of the site are left alone."""
    bus = await serve_line({1: open_map("KNOWN"), 5: open_map("FAR")}, rtu=True, gateway=False)
    line = {"line": "rtu_over_tcp"}
    entry = await site_with(hass, make_local, modbus_source(bus.port, "KNOWN") | line)
    flow_id = await begin(hass, entry, "meter", "search")
    form = await search(hass, flow_id, [on(bus)], last=6)
    assert labels(form) == [f"Commonwatt open register map FAR ({on(bus)}, 5)"]
    assert bus.strangers == 4
    assert site_of(entry).data.taps["T1"].silent is False


async def test_a_search_that_finds_nothing_says_so_and_can_be_widened(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """What was typed is still there; a line that is down is told from one without anything new."""
    bus = await serve_line({1: open_map("KNOWN"), 9: open_map("NINE"), 12: {0: floats({0: 230.0})}})
    entry = await site_with(hass, make_local, modbus_source(bus.port, "KNOWN"))
    flow_id = await begin(hass, entry, "tap", "search")
    form = await search(hass, flow_id, [on(bus)])
    assert (form["step_id"], form["errors"]) == ("search", {"base": "nothing_found"})
    form = await submit(hass, flow_id, lines=[], first_unit_id=1, last_unit_id=8)
    assert form["errors"] == {"lines": "choose_line"}
    form = await submit(hass, flow_id, lines=[on(bus)], first_unit_id=9, last_unit_id=8)
    assert form["errors"] == {"last_unit_id": "first_after_last"}
    form = await search(hass, flow_id, [on(bus)], last=13)
    assert [label.split()[-3] for label in labels(form)] == ["NINE"]


async def test_a_line_that_is_down_is_told(
    hass: HomeAssistant, make_local: Make, socket_enabled: None, unused_tcp_port: int
) -> None:
    """The search ends at once instead of asking for everybody."""
    entry = await site_with(hass, make_local, modbus_source(unused_tcp_port, "KNOWN"))
    flow_id = await begin(hass, entry, "tap", "search")
    form = await search(hass, flow_id, [f"127.0.0.1:{unused_tcp_port}"], last=247)
    assert form["errors"] == {"base": "lines_silent"}


async def test_a_search_that_is_closed_ends_clean(hass: HomeAssistant, make_local: Make, serve_line: Serve) -> None:
    """Nobody is asked any more, and the taps go on."""
    bus = await serve_line({1: open_map("KNOWN")}, rtu=True, gateway=False)
    entry = await site_with(hass, make_local, modbus_source(bus.port, "KNOWN") | {"line": "rtu_over_tcp"})
    flow_id = await begin(hass, entry, "tap", "search")
    result = await submit(hass, flow_id, lines=[on(bus)], first_unit_id=1, last_unit_id=247)
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    hass.config_entries.subentries.async_abort(flow_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert bus.strangers < 3
    await site_of(entry).async_refresh()
    assert site_of(entry).data.taps["T1"].silent is False


async def test_a_site_without_lines_has_nowhere_to_search(hass: HomeAssistant, make_local: Make) -> None:
    """The first device is added by its address."""
    hass.states.async_set("sensor.flat", "1", {"unit_of_measurement": "Wh", "device_class": "energy"})
    entry = await site_with(hass, make_local, entities_source("sensor.flat"))
    menu = await hass.config_entries.subentries.async_init((entry.entry_id, "tap"), context={"source": "user"})
    result = await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": "search"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "no_lines")


async def test_a_device_that_moved_on_its_bus_is_found_again(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """Its own tap may take it: it is the same device under another unit id."""
    bus = await serve_line({6: open_map("MOVED")})
    entry = await site_with(hass, make_local, modbus_source(bus.port, "MOVED"))
    flow_id = await change(hass, entry, "T1", "search")
    form = await search(hass, flow_id, [on(bus)])
    assert labels(form) == [f"Commonwatt open register map MOVED ({on(bus)}, 6)"]
    assert (await submit(hass, flow_id, found="0"))["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    await site_of(entry).async_refresh()
    assert site_of(entry).data.taps["T1"].silent is False


async def test_a_device_without_a_serial_number_is_found_once_on_its_own_address(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """Behind one address it cannot be told from itself; on a bus, two unit ids are two devices."""
    bus = await serve_line({1: open_map("KNOWN"), 2: open_map(""), 3: open_map("")})
    entry = await site_with(hass, make_local, modbus_source(bus.port, "KNOWN"))
    form = await search(hass, await begin(hass, entry, "tap", "search"), [on(bus)])
    assert labels(form) == [f"Commonwatt open register map ({on(bus)}, 2)"]


async def test_a_device_that_is_taken_while_the_list_is_open_is_refused(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """Two dialogues found the same; the second is told whose it is."""
    bus = await serve_line({1: open_map("KNOWN"), 2: open_map("NEW")})
    entry = await site_with(hass, make_local, modbus_source(bus.port, "KNOWN"))
    first, second = [await begin(hass, entry, "tap", "search") for _ in range(2)]
    for flow_id in (first, second):
        await search(hass, flow_id, [on(bus)])
    await submit(hass, first, found="0")
    await submit(hass, first, name="New", owner="anna", upstream="T1")
    await hass.async_block_till_done()
    form = await submit(hass, second, found="0")
    assert (form["step_id"], form["errors"]) == ("found", {"base": "source_in_use"})


async def test_an_answer_that_is_no_modbus_is_nobody(
    hass: HomeAssistant, make_local: Make, socket_enabled: None
) -> None:
    """Noise on a line is not taken for a device."""
    noise = RawServer(b"\x00\x00\x00\x07\x00\x06noise!")
    await noise.start()
    entry = await site_with(hass, make_local, modbus_source(noise.port, "KNOWN"))
    flow_id = await begin(hass, entry, "tap", "search")
    form = await search(hass, flow_id, [f"127.0.0.1:{noise.port}"], first=2, last=3)
    assert form["errors"] == {"base": "nothing_found"}
    await noise.stop()


@dataclass
class OneUnit:
    """A unit that answers in one way."""

    outcome: Exception | list[int]
    connected: bool = True

    async def read_holding_registers(self, _address: int, _count: int) -> list[int]:
        """Answer."""
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(
    ("outcome", "there"),
    [
        ([0], True),
        (IllegalDataAddressError(), True),
        (ServerDeviceBusyError(), True),
        (GatewayTargetError(), False),
        (GatewayPathUnavailableError(), False),
        (ModbusTimeoutError(), False),
        (ModbusDesyncError(), False),
    ],
)
async def test_whoever_refuses_is_there(outcome: Exception | list[int], there: bool) -> None:
    """Only silence is nobody, and what a gateway says of it."""
    assert await scan.answers(cast("ModbusUnit", OneUnit(outcome))) is there


@pytest.mark.parametrize("error", [ModbusTimeoutError(), ModbusConnectionError()])
async def test_a_line_that_does_not_open_is_down(error: Exception) -> None:
    """A machine that is switched off says nothing at all, not even that it is not there."""
    with pytest.raises(ModbusConnectionError):
        await scan.answers(cast("ModbusUnit", OneUnit(error, connected=False)))
