"""Dialogues that go astray: nobody at an address, half an answer, and what changes while a form is open."""

from collections.abc import AsyncGenerator, Generator
import socket

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.flows import waiting
from demo.register_map import Kind
from demo.steered_server import SteeredServer

from .bus import open_map, sunspec, sunspec_meter
from .conftest import set_energy
from .house import MockConfigEntry, entities_source, modbus_source, site_of, subentry
from .meter_device import MeterDevice, RawServer
from .steered import Clock, served, source
from .test_flow_discovery import confirm, discover, running
from .test_flow_modbus import Serve, on
from .test_flow_tap import Make, begin, change, choose, options, subentry_of, submit


@pytest.fixture
async def cable(socket_enabled: None) -> AsyncGenerator[SteeredServer]:
    """Serve a cable with a key of its own."""
    server = served(Kind.CABLE, Clock())
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def nowhere(socket_enabled: None) -> Generator[int]:
    """Return a port that takes no connection and refuses none, as an address behind a firewall does."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    port: int = listening.getsockname()[1]
    waiting = [socket.socket() for _ in range(3)]
    for client in waiting:
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", port))
    yield port
    for held in (*waiting, listening):
        held.close()


async def test_an_address_that_swallows_everything_is_a_wrong_address(
    hass: HomeAssistant, make_local: Make, nowhere: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody refuses there, so it takes its time; it is the host that a person must look at, not the unit id."""
    monkeypatch.setattr(modbus, "LINK_TIMEOUT_S", 0.1)
    monkeypatch.setattr(waiting, "PATIENCE_S", 30.0)
    entry = await running(hass, make_local)
    flow_id = await begin(hass, entry, "tap", "modbus", "rtu_over_tcp")
    result = await submit(hass, flow_id, host="127.0.0.1", port=nowhere, profile="commonwatt_tap")
    assert result["errors"] == {"base": "cannot_connect"}


async def test_an_answer_cut_short_is_no_address_that_cannot_be_reached(
    hass: HomeAssistant, make_local: Make, socket_enabled: None
) -> None:
    """Something is there, so host and power are right; the words say to look at what it speaks."""
    half = RawServer(bytes.fromhex("000100000007 01 03 04 43575450".replace(" ", "")))
    await half.start()
    entry = await running(hass, make_local)
    flow_id = await begin(hass, entry, "tap", "modbus", "tcp")
    typed = {"host": "127.0.0.1", "port": half.port, "profile": "commonwatt_tap", "more_options": {}}
    result = await submit(hass, flow_id, **typed)
    found = await discover(hass, half.port)
    await half.stop()
    assert result["errors"] == {"base": "not_modbus"}
    assert found["reason"] == "not_modbus"


async def test_a_device_that_refuses_its_own_models_is_no_sunspec_device(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """There is no register map to choose in this dialogue, so none is asked for."""
    [(base, words)] = sunspec("X", sunspec_meter(1)).items()
    bus = await serve_line({1: {base: words[:4], base + 70: words[70:]}})
    entry = await running(hass, make_local)
    flow_id = await begin(hass, entry, "tap", "sunspec", "tcp")
    result = await submit(hass, flow_id, host="127.0.0.1", port=bus.port, more_options={})
    assert result["errors"] == {"base": "not_sunspec"}


async def test_a_power_that_belongs_to_a_counter_makes_no_second_register(
    hass: HomeAssistant, make_local: Make
) -> None:
    """A plug's counter at one tap and its power at another are the same energy twice, whichever came first."""
    set_energy(hass, {"sensor.plug": 5, "sensor.other": 7})
    for name in ("sensor.power", "sensor.given"):
        hass.states.async_set(name, "5", {"unit_of_measurement": "W", "device_class": "power"})
    kept = entities_source("sensor.plug") | {"power_entity": "sensor.power"}
    made = entities_source(None) | {"power_entity": None, "entities": {"export_power_entity": "sensor.given"}}
    entry = await running(hass, make_local, subentry("T1", source=kept), subentry("T2", source=made))
    flow_id = await begin(hass, entry, "tap", "entities")
    assert (await submit(hass, flow_id, power_entity="sensor.power"))["errors"] == {"base": "source_in_use"}
    assert (await submit(hass, flow_id, power_entity="sensor.given"))["errors"] == {"base": "source_in_use"}
    counted = await submit(hass, flow_id, import_entity="sensor.other", power_entity="sensor.power")
    assert counted["step_id"] == "details"


async def test_two_sites_are_two_taps_too(
    hass: HomeAssistant, make_local: Make, local: MockConfigEntry, serve_line: Serve
) -> None:
    """What another site here measures with is refused, and named with its site."""
    other = make_local(key_id="other", main_owner="zoe", main_owner_name="Zoe")
    assert await hass.config_entries.async_setup(other.entry_id)
    flow_id = await begin(hass, other, "tap", "entities")
    result = await submit(hass, flow_id, import_entity="sensor.flat")
    assert result["errors"] == {"base": "source_in_use"}
    assert result["description_placeholders"] == {"tap": "Tap T2 (Home)"}
    bus = await serve_line({1: open_map("ONE")})
    flow_id = await begin(hass, local, "tap", "modbus", "tcp")
    await submit(hass, flow_id, **on(bus, more_options={}))
    await submit(hass, flow_id, name="Flat", owner="anna", upstream="grid")
    await hass.async_block_till_done()
    flow_id = await begin(hass, other, "tap", "modbus", "tcp")
    assert (await submit(hass, flow_id, **on(bus, more_options={})))["errors"] == {"base": "source_in_use"}


async def test_a_device_removed_while_its_form_is_open_ends_the_dialogue(hass: HomeAssistant, make_local: Make) -> None:
    """With words, in every form there is."""
    set_energy(hass, {"sensor.flat": 5, "sensor.shop": 6})
    taps = [
        subentry("T1", source=entities_source("sensor.flat")),
        subentry("T2", source=entities_source("sensor.shop")),
    ]
    entry = await running(hass, make_local, *taps)
    details = await change(hass, entry, "T1", "details")
    entities = await change(hass, entry, "T2", "entities")
    for tap in ("T1", "T2"):
        hass.config_entries.async_remove_subentry(entry, subentry_of(entry, tap).subentry_id)
    await hass.async_block_till_done()
    typed = {"name": "x", "owner": "anna", "upstream": "grid"}
    for result in (await submit(hass, details, **typed), await submit(hass, entities, import_entity="sensor.shop")):
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "device_gone")


async def test_a_cable_left_on_an_island_can_still_be_changed(hass: HomeAssistant, make_local: Make) -> None:
    """The tap it was plugged in at is gone, and what stands there must be among what can be chosen."""
    set_energy(hass, {"sensor.flat": 5, "sensor.cable": 4})
    entry = await running(
        hass,
        make_local,
        subentry("T1", source=entities_source("sensor.flat"), upstream="island"),
        subentry("T2", "cable", source=entities_source("sensor.cable"), upstream="T1"),
    )
    hass.config_entries.async_remove_subentry(entry, subentry_of(entry, "T1").subentry_id)
    await hass.async_block_till_done()
    menu = await entry.start_subentry_reconfigure_flow(hass, subentry_of(entry, "T2").subentry_id)
    form = await choose(hass, menu["flow_id"], "details")
    assert options(form, "upstream") == ["grid", "island"]
    result = await submit(hass, menu["flow_id"], name="Blue", owner="anna", upstream="island")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()


async def test_another_dialogue_may_take_a_meter_while_its_exchange_is_asked(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """The new meter was added as a tap of its own meanwhile; exchanged in as well it would count twice."""
    bus = await serve_line({1: open_map("OLD"), 2: open_map("NEW")})
    entry = await running(hass, make_local, subentry("T1", source=modbus_source(bus.port, "OLD")))
    exchange = await change(hass, entry, "T1", "modbus", "tcp")
    form = await submit(hass, exchange, **on(bus, more_options={"unit_id": 2}))
    assert form["step_id"] == "exchange"
    flow_id = await begin(hass, entry, "tap", "modbus", "tcp")
    await submit(hass, flow_id, **on(bus, more_options={"unit_id": 2}))
    await submit(hass, flow_id, name="New", owner="anna", upstream="grid")
    await hass.async_block_till_done()
    result = await submit(hass, exchange)
    assert (result["step_id"], result["errors"]) == ("exchange", {"base": "source_in_use"})
    assert subentry_of(entry, "T1").data["source"]["serial"] == "OLD"
    assert result["description_placeholders"] == {"former": "OLD", "serial": "NEW", "tap": "New"}


async def test_a_site_that_is_gone_when_it_is_chosen_is_said(
    hass: HomeAssistant, make_local: Make, local: MockConfigEntry, serve_line: Serve
) -> None:
    """Of two sites offered for a device neither runs any more."""
    other = make_local(key_id="other", main_owner="zoe", main_owner_name="Zoe")
    assert await hass.config_entries.async_setup(other.entry_id)
    bus = await serve_line({1: open_map("WHERE")})
    form = await discover(hass, bus.port)
    for entry in (local, other):
        await hass.config_entries.async_unload(entry.entry_id)
    result = await confirm(hass, form, site=other.entry_id)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_loaded")


@pytest.mark.parametrize("own", [True, False])
async def test_a_cable_is_followed_by_its_key(
    hass: HomeAssistant, make_local: Make, cable: SteeredServer, unused_tcp_port: int, own: bool
) -> None:
    """A serial number is told to everybody and can be said by anybody, also while the real cable is away."""
    changed = {} if own else {"public_key": "00ff"}
    kept = source(cable, port=unused_tcp_port, **changed)
    entry = await running(hass, make_local, subentry("T1", "cable", source=kept))
    result = await discover(hass, cable.endpoint.port)
    assert result["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert subentry_of(entry, "T1").data["source"]["port"] == (cable.endpoint.port if own else unused_tcp_port)


async def test_a_key_is_kept_when_a_device_without_one_answers(
    hass: HomeAssistant, make_local: Make, device: MeterDevice, unused_tcp_port: int
) -> None:
    """To withhold the key is no proof either."""
    kept = modbus_source(unused_tcp_port) | {"public_key": "00ff"}
    entry = await running(hass, make_local, subentry("T1", source=kept))
    assert (await discover(hass, device.port))["reason"] == "already_configured"
    assert subentry_of(entry, "T1").data["source"] == kept


async def test_what_is_said_of_a_broken_tree_mends_it(
    hass: HomeAssistant, make_local: Make, expected_logs: list[str]
) -> None:
    """No dialogue makes a loop; from a backup that was edited it is got rid of by deleting a device."""
    expected_logs.append("hangs below itself")
    set_energy(hass, {"sensor.one": 5, "sensor.two": 4})
    entry = make_local(
        subentry("T1", source=entities_source("sensor.one"), upstream="T2"),
        subentry("T2", source=entities_source("sensor.two"), upstream="T1"),
    )
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    hass.config_entries.async_remove_subentry(entry, subentry_of(entry, "T2").subentry_id)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert site_of(entry).taps["T1"].parent is None


async def test_a_device_may_change_from_registers_to_entities_and_back(
    hass: HomeAssistant, make_local: Make, serve_line: Serve
) -> None:
    """Where no entities are chosen yet their device is asked for first, as for a new one."""
    set_energy(hass, {"sensor.flat": 5})
    bus = await serve_line({1: sunspec("X", sunspec_meter(1))})
    kept = modbus_source(bus.port, "X") | {"profile": "sunspec", "part": "203.1"}
    entry = await running(hass, make_local, subentry("T1", source=kept))
    menu = await entry.start_subentry_reconfigure_flow(hass, subentry_of(entry, "T1").subentry_id)
    form = await choose(hass, menu["flow_id"], "entities")
    assert form["step_id"] == "device"
    assert (await submit(hass, menu["flow_id"]))["step_id"] == "entities"
    result = await submit(hass, menu["flow_id"], import_entity="sensor.flat")
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert subentry_of(entry, "T1").data["source"]["import_entity"] == "sensor.flat"
    flow_id = await change(hass, entry, "T1", "sunspec", "tcp")
    result = await submit(hass, flow_id, host="127.0.0.1", port=bus.port, more_options={})
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert subentry_of(entry, "T1").data["source"]["serial"] == "X"
    assert subentry_of(entry, "T1").title == "Tap T1"
