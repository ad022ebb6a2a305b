"""Devices that announce themselves: asked who they are, offered to a site, and found again where they moved."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from homeassistant.components.modbus import async_get_unit
from homeassistant.config_entries import SOURCE_IGNORE, SOURCE_ZEROCONF, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.loader import async_get_zeroconf
from modbus_connection import ModbusTlsParams
import pytest

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.flows import discovery

from .bus import Bus, open_map, sunspec, sunspec_meter
from .conftest import set_energy
from .house import MockConfigEntry, entities_source, modbus_source, site_of, subentry
from .meter_device import MeterDevice
from .test_flow_tap import Make, begin, options, subentry_of, submit

type Serve = Callable[..., Any]


def announced(port: int | None, **told: str) -> ZeroconfServiceInfo:
    """Return what the network says of a device on the loopback."""
    return ZeroconfServiceInfo(
        ip_address=ip_address("127.0.0.1"),
        ip_addresses=[ip_address("127.0.0.1")],
        port=port,
        hostname="cable.local.",
        type="_commonwatt._tcp.local.",
        name="cable._commonwatt._tcp.local.",
        properties={"serial": "AS TOLD", "unit_id": "1", "map": "1", **told},
    )


async def discover(hass: HomeAssistant, port: int | None, **told: str) -> ConfigFlowResult:
    """Let a device be discovered."""
    context: Any = {"source": SOURCE_ZEROCONF}
    return await hass.config_entries.flow.async_init(DOMAIN, context=context, data=announced(port, **told))


async def confirm(hass: HomeAssistant, form: ConfigFlowResult, **fields: Any) -> ConfigFlowResult:
    """Send a form."""
    return await hass.config_entries.flow.async_configure(form["flow_id"], fields)


async def running(hass: HomeAssistant, make_local: Make, *subentries: Any) -> MockConfigEntry:
    """Run a site."""
    entry = make_local(*subentries)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def test_home_assistant_listens_for_our_devices(hass: HomeAssistant) -> None:
    """What the register map tells makers to announce is what the manifest asks for."""
    listening = await async_get_zeroconf(hass)
    assert [matcher["domain"] for matcher in listening["_commonwatt._tcp.local."]] == [DOMAIN]


async def test_a_cable_that_announces_itself_is_added(
    hass: HomeAssistant, local: MockConfigEntry, serve_line: Serve
) -> None:
    """What it answers counts: its kind and serial number are its own; a person says where it is plugged in."""
    bus = await serve_line({1: open_map("CABLE-1", 4)})
    form = await discover(hass, bus.port, kind="meter", name="Blue cable")
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "zeroconf_confirm")
    assert form["description_placeholders"] == {
        "name": "Blue cable",
        "site": "Home",
        "serial": "CABLE-1",
        "host": "127.0.0.1",
    }
    assert options(form, "upstream") == ["grid", "T1", "T2"]
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["title_placeholders"] == {"name": "Blue cable"}
    assert flow["context"]["unique_id"] == "CABLE-1"
    form = await confirm(hass, form, name=" ", owner="anna", upstream="T2")
    assert form["errors"] == {"name": "invalid_name"}
    done = await confirm(hass, form, name="Blue cable", owner="Carl", upstream="T2")
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "device_added")
    await hass.async_block_till_done()
    tap = site_of(local).taps["T3"]
    assert (tap.kind, tap.name, tap.owner, tap.parent) == ("cable", "Blue cable", "carl", "T2")
    assert site_of(local).data.taps["T3"].silent is False
    assert bus.writes == 0

    again = await discover(hass, bus.port)
    assert (again["type"], again["reason"]) == (FlowResultType.ABORT, "already_configured")


@pytest.mark.parametrize(("told", "kind"), [("meter", "meter"), ("tap", "tap"), ("cable", "tap"), ("", "tap")])
async def test_a_tap_may_say_that_it_is_the_meter(
    hass: HomeAssistant, make_local: Make, serve_line: Serve, told: str, kind: str
) -> None:
    """Both have one map, so what is announced decides between the two, and only between them."""
    entry = await running(hass, make_local)
    bus = await serve_line({1: open_map("T-1")})
    form = await discover(hass, bus.port, kind=told)
    hung = {} if kind == "meter" else {"upstream": "grid"}
    await confirm(hass, form, name="New", owner="anna", **hung)
    await hass.async_block_till_done()
    assert site_of(entry).taps["T1"].kind == kind


async def test_what_announces_itself_and_is_no_device_of_ours_is_left_alone(
    hass: HomeAssistant, local: MockConfigEntry, serve_line: Serve, unused_tcp_port: int
) -> None:
    """Nobody there, another map, no serial number, a line in use otherwise: nobody is asked anything."""
    bus = await serve_line({1: sunspec("X", sunspec_meter(1)), 2: open_map("")})

    async def reason(port: int, **told: str) -> str | None:
        result = await discover(hass, port, **told)
        assert result["type"] is FlowResultType.ABORT
        return result["reason"]

    assert await reason(unused_tcp_port) == "cannot_connect"
    assert await reason(bus.port) == "wrong_device"
    assert await reason(bus.port, unit_id="2") == "no_serial"
    assert await reason(bus.port, unit_id="9") == "timeout"
    holder = MockConfigEntry(domain="other")
    holder.add_to_hass(hass)
    async_get_unit(hass, holder, ModbusTlsParams(host="127.0.0.1", port=bus.port), 1)
    assert await reason(bus.port) == "link_settings_in_use"


@pytest.mark.parametrize("unit_id", ["", "x", "0", "256", "٣", "9999999"])
async def test_a_unit_id_that_is_none_is_the_usual_one(
    hass: HomeAssistant, local: MockConfigEntry, serve_line: Serve, unit_id: str
) -> None:
    """Whatever stands in the announcement, a device is asked at an id that there can be."""
    bus = await serve_line({1: open_map("ONE")})
    assert (await discover(hass, bus.port, unit_id=unit_id))["type"] is FlowResultType.FORM


async def test_a_device_that_moved_is_read_where_it_is_now(
    hass: HomeAssistant, make_local: Make, device: MeterDevice, unused_tcp_port: int
) -> None:
    """A new address costs nothing: the tap stays the same tap, with all it keeps of its device."""
    kept = modbus_source(unused_tcp_port, "T1-0001") | {"part": None}
    entry = await running(hass, make_local, subentry("T1", source=kept))
    result = await discover(hass, device.port)
    assert result["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert subentry_of(entry, "T1").data["source"] == modbus_source(device.port) | {"part": None}
    assert site_of(entry).data.taps["T1"].silent is False


async def test_a_device_that_still_answers_where_it_was_has_not_moved(
    hass: HomeAssistant, make_local: Make, device: MeterDevice
) -> None:
    """Anybody in the network can announce a serial number; a tap is not led away from its device."""
    entry = await running(hass, make_local, subentry("T1", source=modbus_source(device.port)))
    false_one = MeterDevice(serial=device.serial)
    await false_one.start()
    result = await discover(hass, false_one.port)
    await false_one.stop()
    assert result["reason"] == "already_configured"
    assert subentry_of(entry, "T1").data["source"] == modbus_source(device.port)


@pytest.mark.parametrize(
    "kept",
    [
        {"host": "cable.local"},
        {"line": "rtu_over_tcp"},
    ],
)
async def test_a_device_reached_in_another_way_is_left_there(
    hass: HomeAssistant, make_local: Make, device: MeterDevice, unused_tcp_port: int, kept: dict[str, str]
) -> None:
    """A name follows its device by itself, and a gateway was somebody's choice."""
    source = modbus_source(unused_tcp_port) | kept
    entry = make_local(subentry("T1", source=source))
    assert (await discover(hass, device.port))["reason"] == "already_configured"
    assert subentry_of(entry, "T1").data["source"] == source


async def test_a_device_found_before_there_is_a_site_is_offered_to_the_first(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """It does not announce itself again, so it is remembered."""
    bus = await serve_line({1: open_map("EARLY")})
    result = await discover(hass, bus.port)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "no_site")
    await running(hass, make_local)
    await hass.async_block_till_done(wait_background_tasks=True)
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert (flow["step_id"], flow["context"]["unique_id"]) == ("zeroconf_confirm", "EARLY")


async def test_with_several_sites_a_person_says_which(
    hass: HomeAssistant, make_local: Make, local: MockConfigEntry, serve_line: Serve
) -> None:
    """The owners and taps offered are those of the site chosen."""
    other = make_local(key_id="other", main_owner="zoe", main_owner_name="Zoe")
    hass.config_entries.async_update_entry(other, title="Barn")
    assert await hass.config_entries.async_setup(other.entry_id)
    bus = await serve_line({1: open_map("WHERE")})
    form = await discover(hass, bus.port)
    assert (form["step_id"], options(form, "site")) == ("zeroconf_site", [local.entry_id, other.entry_id])
    form = await confirm(hass, form, site=other.entry_id)
    assert options(form, "owner") == ["zoe"]
    await confirm(hass, form, name="Barn tap", owner="zoe", upstream="grid")
    await hass.async_block_till_done()
    assert [tap.name for tap in site_of(other).taps.values()] == ["Barn tap"]


async def test_an_ignored_device_stays_ignored(hass: HomeAssistant, local: MockConfigEntry, serve_line: Serve) -> None:
    """A person has said so."""
    bus = await serve_line({1: open_map("PEST")})
    form = await discover(hass, bus.port)
    context: Any = {"source": SOURCE_IGNORE}
    await hass.config_entries.flow.async_init(DOMAIN, context=context, data={"unique_id": "PEST", "title": "Pest"})
    await hass.async_block_till_done()
    assert form["flow_id"] not in {flow["flow_id"] for flow in hass.config_entries.flow.async_progress()}
    assert (await discover(hass, bus.port))["reason"] == "already_configured"


async def test_a_device_added_by_hand_is_offered_no_longer(
    hass: HomeAssistant, local: MockConfigEntry, serve_line: Serve
) -> None:
    """Neither its card nor a form that is still open can add it a second time."""
    bus: Bus = await serve_line({1: open_map("TWO WAYS"), 2: open_map("OTHER")})
    await discover(hass, bus.port)
    other = await discover(hass, bus.port, unit_id="2")
    flow_id = await begin(hass, local, "tap", "modbus", "tcp")
    form = {"host": "127.0.0.1", "port": bus.port, "profile": "commonwatt_tap", "more_options": {}}
    await submit(hass, flow_id, **form)
    await submit(hass, flow_id, name="Flat", owner="anna", upstream="grid")
    await hass.async_block_till_done()
    left = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["unique_id"] for flow in left] == ["OTHER"]

    taken = {**modbus_source(bus.port, "OTHER"), "unit_id": 2}
    hass.config_entries.async_update_subentry(
        local, subentry_of(local, "T2"), data={**subentry_of(local, "T2").data, "source": taken}
    )
    await hass.async_block_till_done()
    result = await confirm(hass, other, name="Other", owner="anna", upstream="grid")
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_a_site_that_stopped_meanwhile_takes_nothing(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """The form was open while the site was switched off."""
    set_energy(hass, {"sensor.grid": 1})
    entry = await running(hass, make_local, subentry("T1", source=entities_source("sensor.grid")))
    bus = await serve_line({1: open_map("LATE")})
    form = await discover(hass, bus.port)
    await hass.config_entries.async_unload(entry.entry_id)
    result = await confirm(hass, form, name="Late", owner="anna", upstream="grid")
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_loaded")


async def test_announcements_are_not_kept_without_end(
    hass: HomeAssistant, make_local: Make, serve_line: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody in the network can announce; there is a limit to what is remembered of it."""
    monkeypatch.setattr(discovery, "KEPT_MAX", 1)
    bus = await serve_line({1: open_map("FIRST"), 2: open_map("SECOND")})
    for unit_id in ("1", "2"):
        assert (await discover(hass, bus.port, unit_id=unit_id))["reason"] == "no_site"
    await running(hass, make_local)
    await hass.async_block_till_done(wait_background_tasks=True)
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["unique_id"] == "FIRST"
