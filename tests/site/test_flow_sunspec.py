"""Adding a device that tells by itself what it is made of: one part of it stands at one tap."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from .bus import Bus, open_map, sunspec, sunspec_meter
from .house import MockConfigEntry, modbus_source, site_of, subentry
from .test_flow_tap import Make, begin, change, options, subentry_of, submit

type Serve = Callable[..., Any]

TWO_METERS = sunspec("X1", sunspec_meter(5000), sunspec_meter(70_000))


@pytest.fixture
async def running(hass: HomeAssistant, make_local: Make) -> MockConfigEntry:
    """Run a site without a cloud and without devices."""
    entry = make_local()
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


def on(bus: Bus, unit_id: int = 1) -> dict[str, Any]:
    """Return a form that leads to a unit; of the register map it says nothing."""
    return {"host": "127.0.0.1", "port": bus.port, "more_options": {"unit_id": unit_id}}


async def test_each_part_of_a_device_stands_at_one_tap(
    hass: HomeAssistant, running: MockConfigEntry, serve_line: Serve
) -> None:
    """With several parts a person chooses; a part that is taken is not offered, and the last one needs no choice."""
    bus = await serve_line({1: TWO_METERS})
    flow_id = await begin(hass, running, "meter", "sunspec", "tcp")
    form = await submit(hass, flow_id, **on(bus))
    assert (form["step_id"], options(form, "found")) == ("part", ["203", "203.2"])
    form = await submit(hass, flow_id, found="203.2")
    assert form["step_id"] == "details"
    assert form["description_placeholders"] == {"serial": "X1"}
    await submit(hass, flow_id, name="Main meter", owner="anna")
    await hass.async_block_till_done()
    source = subentry_of(running, "T1").data["source"]
    assert (source["profile"], source["part"], source["serial"]) == ("sunspec", "203.2", "X1")
    reading = site_of(running).data.taps["T1"].reading
    assert reading is not None
    assert reading.import_wh == 70_000

    flow_id = await begin(hass, running, "tap", "sunspec", "tcp")
    form = await submit(hass, flow_id, **on(bus))
    assert form["step_id"] == "details"
    await submit(hass, flow_id, name="Heat pump", owner="anna", upstream="T1")
    await hass.async_block_till_done()
    assert subentry_of(running, "T2").data["source"]["part"] == "203"
    assert bus.writes == 0

    flow_id = await begin(hass, running, "tap", "sunspec", "tcp")
    form = await submit(hass, flow_id, **on(bus))
    assert form["errors"] == {"base": "source_in_use"}


async def test_what_is_no_sunspec_device_is_said_and_then_it_works(
    hass: HomeAssistant, running: MockConfigEntry, serve_line: Serve, unused_tcp_port: int
) -> None:
    """Nobody there, nobody at this unit id, another map, a device without such a part: each has its own words."""
    bus = await serve_line({1: TWO_METERS, 2: open_map("A")})
    flow_id = await begin(hass, running, "battery", "sunspec", "tcp")

    async def error(flow_id: str, form: dict[str, Any]) -> str | None:
        return ((await submit(hass, flow_id, **form))["errors"] or {}).get("base")

    assert await error(flow_id, on(bus) | {"port": unused_tcp_port}) == "cannot_connect"
    assert await error(flow_id, on(bus, 7)) == "timeout"
    assert await error(flow_id, on(bus, 2)) == "not_sunspec"
    assert await error(flow_id, on(bus)) == "no_such_part"
    assert await error(await begin(hass, running, "tap", "sunspec", "tcp"), on(bus)) is None


async def test_a_device_goes_over_to_sunspec(hass: HomeAssistant, make_local: Make, serve_line: Serve) -> None:
    """Its register map is forgotten, its own part may be chosen again, and another serial number is asked about."""
    bus = await serve_line({1: TWO_METERS, 2: open_map("A")})
    entry = make_local(subentry("T1", source=modbus_source(bus.port, serial=None)))
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow_id = await change(hass, entry, "T1", "sunspec", "tcp")
    await submit(hass, flow_id, **on(bus))
    assert (await submit(hass, flow_id, found="203"))["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()

    bus.units[1] = sunspec("X2", sunspec_meter(5000), sunspec_meter(70_000))
    flow_id = await change(hass, entry, "T1", "sunspec", "tcp")
    form = await submit(hass, flow_id, **on(bus))
    assert options(form, "found") == ["203", "203.2"]
    assert (await submit(hass, flow_id, found="203"))["step_id"] == "exchange"
    assert (await submit(hass, flow_id))["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert subentry_of(entry, "T1").data["source"]["serial"] == "X2"

    flow_id = await change(hass, entry, "T1", "modbus", "tcp")
    form = await submit(hass, flow_id, **on(bus, 2), profile="commonwatt_tap")
    assert form["step_id"] == "exchange"
    await submit(hass, flow_id)
    await hass.async_block_till_done()
    assert "part" not in subentry_of(entry, "T1").data["source"]
