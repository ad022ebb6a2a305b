"""Hubs in configuration.yaml on a device of ours: told in the dialogue, and shown for as long as they stand."""

from collections.abc import Callable
from typing import Any

from homeassistant.components.modbus.const import DATA_MODBUS_HUBS, DOMAIN as MODBUS_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest

from custom_components.commonwatt.const import DOMAIN

from .bus import Bus, open_map
from .house import MockConfigEntry, modbus_source, site_of, subentry
from .test_flow_tap import Make, begin, submit


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Let the entities of a hub wait for a first poll that never comes."""
    return True


type Serve = Callable[..., Any]


async def hub_on(hass: HomeAssistant, bus: Bus, kind: str = "tcp") -> None:
    """Set a hub up as configuration.yaml does."""
    sensor = {"name": "Magic", "address": 0, "scan_interval": 0}
    hub = {"name": "cellar", "type": kind, "host": "127.0.0.1", "port": bus.port, "sensors": [sensor]}
    assert await async_setup_component(hass, MODBUS_DOMAIN, {MODBUS_DOMAIN: [hub]})
    await hass.async_block_till_done()


def issue_of(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    """Return what is said of hubs."""
    return ir.async_get(hass).async_get_issue(DOMAIN, f"yaml_hub_{entry.entry_id}")


async def test_a_hub_on_the_same_device_is_told_before_it_is_added(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """Both would talk at once; a person may go on, and a repair stands until the hub is gone."""
    bus = await serve_line({1: open_map("BOTH"), 2: open_map("TWO")})
    await hub_on(hass, bus)
    entry = make_local()
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert issue_of(hass, entry) is None, "nothing of ours is on that device"
    flow_id = await begin(hass, entry, "tap", "modbus", "tcp")
    form = {"host": "127.0.0.1", "port": bus.port, "profile": "commonwatt_tap", "more_options": {}}
    warning = await submit(hass, flow_id, **form)
    assert (warning["step_id"], warning["description_placeholders"]) == ("yaml_hub", {"hub": "cellar"})
    assert (await submit(hass, flow_id))["step_id"] == "details"
    await submit(hass, flow_id, name="Flat", owner="anna", upstream="grid")
    await hass.async_block_till_done()
    issue = issue_of(hass, entry)
    assert issue is not None
    assert issue.translation_placeholders == {"taps": "Flat", "hubs": "cellar"}

    hubs = hass.data.pop(DATA_MODBUS_HUBS)  # as after it was taken out and the section loaded anew
    await site_of(entry).async_refresh()
    assert issue_of(hass, entry) is None
    hass.data[DATA_MODBUS_HUBS] = hubs
    await site_of(entry).async_refresh()
    assert issue_of(hass, entry) is not None


async def test_a_hub_may_be_why_a_device_does_not_answer(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """A device that takes one connection only: the hub is named, whichever way it speaks."""
    bus = await serve_line({1: open_map("SHY")}, rtu=True)
    await hub_on(hass, bus, "rtuovertcp")
    entry = make_local()
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow_id = await begin(hass, entry, "tap", "modbus", "rtu_over_tcp")
    await bus.stop()
    form = {"host": "127.0.0.1", "port": bus.port, "profile": "commonwatt_tap"}
    result = await submit(hass, flow_id, **form)
    assert result["errors"] == {"base": "yaml_hub_in_the_way"}
    assert result["description_placeholders"] == {"hub": "cellar"}


async def test_a_hub_that_goes_while_a_person_reads_of_it_is_no_hindrance(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """The dialogue goes on without asking any more."""
    bus = await serve_line({1: open_map("BOTH")})
    await hub_on(hass, bus)
    entry = make_local()
    assert await hass.config_entries.async_setup(entry.entry_id)
    flow_id = await begin(hass, entry, "tap", "modbus", "tcp")
    form = {"host": "127.0.0.1", "port": bus.port, "profile": "commonwatt_tap", "more_options": {}}
    assert (await submit(hass, flow_id, **form))["step_id"] == "yaml_hub"
    hass.data.pop(DATA_MODBUS_HUBS)
    assert (await submit(hass, flow_id))["step_id"] == "details"


async def test_what_is_said_of_a_hub_goes_with_the_site(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """There is nobody left whom it could disturb."""
    bus = await serve_line({1: open_map("BOTH")})
    await hub_on(hass, bus)
    entry = make_local(subentry("T1", source=modbus_source(bus.port, "BOTH")))
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert issue_of(hass, entry) is not None
    assert await hass.config_entries.async_remove(entry.entry_id)
    assert issue_of(hass, entry) is None
