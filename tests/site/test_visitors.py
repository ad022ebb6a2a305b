"""Visiting cables: with the host's standing consent they come and go by themselves, and only those the cloud knows."""

import asyncio
from collections.abc import AsyncGenerator, Callable
import time
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.commonwatt import visitors, wire
from custom_components.commonwatt.const import CONF_VISITING_CABLES, CONF_VISITING_TAP, CONF_VISITOR
from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.devices.port import DeviceIdentity
from custom_components.commonwatt.link import SiteKey
from custom_components.commonwatt.visitors import GONE_S, async_welcome
from demo.register_map import Kind
from demo.signed import SignedIntervals
from demo.steered import Steered
from demo.steered_server import SteeredServer

from .conftest import set_energy
from .fake_cloud import FakeCloud, problem, standing
from .house import MockConfigEntry, entities_source, site_of, subentry
from .steered import Clock, served
from .test_flow_discovery import discover
from .visiting import SERIAL, Scene

type Make = Callable[..., MockConfigEntry]


@pytest.fixture
async def server(
    cloud: FakeCloud, key: SiteKey, monkeypatch: pytest.MonkeyPatch, expected_logs: list[str]
) -> AsyncGenerator[SteeredServer]:
    """Serve a guest's cable that the cloud knows."""
    cloud.site_key = key.public_key
    # the clock jumps while the cable is being told something
    expected_logs += ["Received unexpected response", "Cancel send", "cannot be told"]
    monkeypatch.setattr(modbus, "LOOK_PAUSE_S", 0.01)
    server = served(Kind.CABLE, Clock())
    await server.start()
    cloud.cables[SERIAL] = standing(SERIAL, public_key=server.device.signed.public_key.hex())
    yield server
    await server.stop()


@pytest.fixture
async def host(hass: HomeAssistant, make_paired: Make, server: SteeredServer, clock: object) -> MockConfigEntry:
    """Run a host's site without cables."""
    set_energy(hass, {"sensor.grid_in": 1000, "sensor.garage": 10})
    entry = make_paired(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", "tap", source=entities_source("sensor.garage"), upstream="T1"),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def welcome(hass: HomeAssistant, entry: MockConfigEntry, **form: Any) -> None:
    """Give the consent in the site's options."""
    begun = await hass.config_entries.options.async_init(entry.entry_id)
    assert begun["type"] is FlowResultType.FORM
    done = await hass.config_entries.options.async_configure(
        begun["flow_id"], {CONF_VISITING_CABLES: True, CONF_VISITING_TAP: "T1"} | form
    )
    assert done["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_a_known_cable_is_added_below_the_tap_chosen_for_guests(
    hass: HomeAssistant, cloud: FakeCloud, host: MockConfigEntry, server: SteeredServer
) -> None:
    """Named after the guest's device; the cloud was asked before, and nobody else was."""
    await welcome(hass, host, visiting_tap="T2")
    done = await discover(hass, server.endpoint.port, name="Dora's cable", kind="cable")
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "device_added")
    await hass.async_block_till_done()
    tap = site_of(host).taps["T3"]
    assert (tap.kind, tap.name, tap.owner, tap.parent) == ("cable", "Dora's cable", "anna", "T2")
    assert host.subentries[tap.subentry_id].data[CONF_VISITOR] is True
    assert cloud.visits[0].cable == SERIAL
    again = await discover(hass, server.endpoint.port, name="Dora's cable", kind="cable")
    assert again["reason"] == "already_configured"


async def test_cables_that_come_at_once_are_all_welcome(
    hass: HomeAssistant, cloud: FakeCloud, host: MockConfigEntry, expected_logs: list[str]
) -> None:
    """The site opens anew for the first of them, and nobody is asked about the others for that."""
    expected_logs += ["Received unexpected", "Out of step", "The link", "Async TCP connection lost"]
    clock = Clock()
    servers = []
    for number in range(4):
        server = SteeredServer(Steered(kind=Kind.CABLE, serial=f"CWC-2{number}", now_ms=clock.now_ms), clock)
        await server.start()
        servers.append(server)
        known = server.device.signed.public_key.hex()
        cloud.cables[server.device.serial] = standing(server.device.serial, public_key=known)
    await welcome(hass, host)
    done = await asyncio.gather(*(discover(hass, server.endpoint.port, kind="cable") for server in servers))
    await hass.async_block_till_done()
    assert [flow.get("reason") for flow in done] == ["device_added"] * 4
    assert set(site_of(host).taps) == {"T1", "T2", "T3", "T4", "T5", "T6"}
    assert hass.config_entries.flow.async_progress() == []
    for server in servers:
        await server.stop()


async def test_a_cable_is_not_added_while_the_site_is_being_opened(
    hass: HomeAssistant, cloud: FakeCloud, host: MockConfigEntry, server: SteeredServer
) -> None:
    """It would not hear of it; and a consent that was withdrawn in the meantime is none."""
    await welcome(hass, host)
    source = {"source": "modbus", "host": "127.0.0.1", "port": server.endpoint.port, "unit_id": 1}
    source |= {"profile": "commonwatt_cable", "serial": SERIAL}
    source |= {"public_key": server.device.signed.public_key.hex()}
    identity = DeviceIdentity(SERIAL, None)

    async def ask_meanwhile(**options: Any) -> bool:
        asked = len(cloud.visits)
        async with host.setup_lock:
            task = hass.async_create_task(async_welcome(hass, host, "Dora's cable", source, identity))
            for _ in range(50):
                await hass.async_add_executor_job(time.sleep, 0.01)  # for the clock stands still
            assert (len(cloud.visits), len(host.subentries)) == (asked + 1, 2)
            hass.config_entries.async_update_entry(host, options={**host.options, **options})
        return await task

    assert not await ask_meanwhile(**{CONF_VISITING_CABLES: False})
    await hass.async_block_till_done()
    assert await ask_meanwhile(**{CONF_VISITING_CABLES: True})
    await hass.async_block_till_done()
    assert "T3" in site_of(host).taps


@pytest.mark.parametrize(
    "told",
    [
        {"permission": "denied", "cause": "unknown-cable"},
        {"permission": "denied", "cause": "stolen"},
        {"permission": "denied", "cause": "revoked"},
        {"public_key": SignedIntervals(SERIAL).public_key.hex()},
    ],
    ids=lambda told: str(told.get("cause", "another key")),
)
async def test_any_other_cable_is_offered_to_a_person(
    hass: HomeAssistant, cloud: FakeCloud, host: MockConfigEntry, server: SteeredServer, told: dict[str, Any]
) -> None:
    """One that nobody registered, that was stolen, or that shows another key than the cloud knows."""
    await welcome(hass, host)
    known: dict[str, Any] = {"public_key": server.device.signed.public_key.hex()} | told
    cloud.cables[SERIAL] = standing(SERIAL, **known)
    form = await discover(hass, server.endpoint.port, kind="cable")
    assert form["step_id"] == "zeroconf_confirm"
    assert "T3" not in site_of(host).taps


async def test_without_consent_or_without_an_answer_a_person_is_asked(
    hass: HomeAssistant, cloud: FakeCloud, host: MockConfigEntry, server: SteeredServer
) -> None:
    """Consent is off at first; a cloud that does not answer has said nothing for the cable."""
    form = await discover(hass, server.endpoint.port, kind="cable")
    assert form["step_id"] == "zeroconf_confirm"
    assert cloud.visits == []
    hass.config_entries.flow.async_abort(form["flow_id"])
    await welcome(hass, host)
    cloud.visit_refusal = problem(429, "too-many-tries", "not now")
    form = await discover(hass, server.endpoint.port, kind="cable")
    assert form["step_id"] == "zeroconf_confirm"


async def test_there_are_only_so_many_visitors(
    hass: HomeAssistant, host: MockConfigEntry, server: SteeredServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody in the network can announce cables."""
    monkeypatch.setattr(visitors, "VISITORS_MAX", 0)
    await welcome(hass, host)
    form = await discover(hass, server.endpoint.port, kind="cable")
    assert form["step_id"] == "zeroconf_confirm"


async def test_a_visitor_gone_for_a_week_is_removed(
    hass: HomeAssistant,
    host: MockConfigEntry,
    server: SteeredServer,
    clock: FrozenDateTimeFactory,
    expected_logs: list[str],
) -> None:
    """Not before, and not at once after a long absence of the site itself. The week takes two hours here."""
    assert GONE_S == 7 * 86_400
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(visitors, "GONE_S", 7200)
        expected_logs += ["is silent", "Out of step", "The link", "clock", "Async TCP connection lost"]
        await welcome(hass, host)
        await discover(hass, server.endpoint.port, name="Dora's cable", kind="cable")
        await hass.async_block_till_done()
        scene = Scene(hass, host, FakeCloud(), server, clock)
        await scene.settle(lambda: host.runtime_data.visits.guests["T3"].seen_at > 0)
        await server.stop()
        for seconds in (10, 10, 10, 7200 - 3600):
            await scene.poll(seconds)
        assert "T3" in site_of(host).taps
        for seconds in (3600, 10, 10):
            await scene.poll(seconds)
        await scene.until(lambda: "T3" not in host.runtime_data.coordinator.taps)


async def test_the_consent_is_for_sites_with_a_cloud_and_a_meter(
    hass: HomeAssistant, make_local: Make, clock: object
) -> None:
    """Nobody else could say which cables are known."""
    entry = make_local()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    begun = await hass.config_entries.options.async_init(entry.entry_id)
    assert (begun["type"], begun["reason"]) == (FlowResultType.ABORT, "not_paired")


async def test_a_paired_site_without_a_meter_has_nothing_to_plug_in_at(
    hass: HomeAssistant, make_paired: Make, clock: object
) -> None:
    """Nor can the options be given while it does not run."""
    entry = make_paired()
    begun = await hass.config_entries.options.async_init(entry.entry_id)
    assert begun["reason"] == "not_loaded"
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    begun = await hass.config_entries.options.async_init(entry.entry_id)
    assert begun["reason"] == "no_taps"
    assert wire.CABLES_MAX > visitors.VISITORS_MAX
