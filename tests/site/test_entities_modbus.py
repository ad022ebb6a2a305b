"""Each kind over a real Modbus server: what it tells is seen in Home Assistant, what a person sets stands in it."""

from collections.abc import AsyncGenerator, Callable
import json

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
import pytest

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.diagnostics import async_get_device_diagnostics
from demo.register_map import Kind
from demo.steered_server import SteeredServer

from .house import MockConfigEntry, entities_source, entity_id, site_of, subentry, value
from .meter_device import MeterDevice
from .steered import Clock, served, source
from .test_entities import found, poll

TAPS = {Kind.CHARGER: "T2", Kind.CABLE: "T3", Kind.BATTERY: "T4"}
KINDS = {Kind.CHARGER: "charger", Kind.CABLE: "cable", Kind.BATTERY: "battery"}


@pytest.fixture
async def servers(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[dict[Kind, SteeredServer]]:
    """Serve a charger, a cable and a battery; nobody waits for what does not come."""
    monkeypatch.setattr(modbus, "LOOK_PAUSE_S", 0.01)
    monkeypatch.setattr(modbus, "LINK_TIMEOUT_S", 0.3)
    servers = {kind: served(kind, Clock()) for kind in TAPS}
    for server in servers.values():
        await server.start()
    yield servers
    for server in servers.values():
        await server.stop()


@pytest.fixture
async def site(
    hass: HomeAssistant,
    make_local: Callable[..., MockConfigEntry],
    servers: dict[Kind, SteeredServer],
    clock: FrozenDateTimeFactory,
) -> MockConfigEntry:
    """Run a site with a meter and one device of each kind below it."""
    hass.states.async_set("sensor.grid", "5000", {"unit_of_measurement": "Wh", "device_class": "energy"})
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid")),
        *(subentry(TAPS[kind], KINDS[kind], source=source(servers[kind]), upstream="T1") for kind in TAPS),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def test_every_kind_shows_what_its_device_holds(
    hass: HomeAssistant, site: MockConfigEntry, servers: dict[Kind, SteeredServer]
) -> None:
    """As the simulated devices themselves tell it."""
    assert value(hass, site, "T2_charger_state") == "charging"
    assert value(hass, site, "T2_plugged", "binary_sensor") == "on"
    assert value(hass, site, "T2_power") == "3680"
    assert float(value(hass, site, "T2_current_limit", "number")) == 16
    assert value(hass, site, "T2_charge", "switch") == "on"
    assert float(value(hass, site, "T3_state_of_charge")) == 50
    assert value(hass, site, "T3_permission") == "allowed"
    assert float(value(hass, site, "T4_state_of_charge")) == 50
    assert float(value(hass, site, "T4_capacity")) == 40
    assert ("sensor", "charger_state") not in found(hass, site, "T4")
    cable = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, f"{site.data['key_id']}_T3"), site.entry_id)
    assert isinstance(cable, dr.DeviceEntry)
    assert cable.serial_number == servers[Kind.CABLE].device.serial


async def test_what_a_person_sets_stands_in_the_device(
    hass: HomeAssistant, site: MockConfigEntry, servers: dict[Kind, SteeredServer]
) -> None:
    """By the services Home Assistant has for it; what is out of range never reaches it."""
    target = {"entity_id": entity_id(hass, "number", site, "T2_current_limit")}
    await hass.services.async_call("number", "set_value", target | {"value": 10}, blocking=True)
    assert servers[Kind.CHARGER].device.limit_da == 100
    await hass.services.async_call(
        "switch", "turn_off", {"entity_id": entity_id(hass, "switch", site, "T2_charge")}, blocking=True
    )
    assert servers[Kind.CHARGER].device.charge is False
    for tap, kind in (("T3", Kind.CABLE), ("T4", Kind.BATTERY)):
        point = {"entity_id": entity_id(hass, "number", site, f"{tap}_set_point")}
        await hass.services.async_call("number", "set_value", point | {"value": -1500}, blocking=True)
        assert servers[kind].device.set_point_w == -1500
        assert float(value(hass, site, f"{tap}_set_point", "number")) == -1500
    with pytest.raises(ServiceValidationError):
        await hass.services.async_call("number", "set_value", target | {"value": 500}, blocking=True)
    assert servers[Kind.CHARGER].device.limit_da == 100


async def test_a_device_whose_line_is_cut_keeps_its_entities_and_comes_back(
    hass: HomeAssistant,
    site: MockConfigEntry,
    servers: dict[Kind, SteeredServer],
    clock: FrozenDateTimeFactory,
    expected_logs: list[str],
) -> None:
    """Unavailable while it is away, as it was before when it answers again."""
    expected_logs.append("is silent")
    before = found(hass, site, "T4")
    await servers[Kind.BATTERY].stop()
    for _ in range(3):
        await poll(hass, site, clock)
    assert value(hass, site, "T4_set_point", "number") == STATE_UNAVAILABLE
    assert value(hass, site, "T2_charger_state") == "charging"
    await servers[Kind.BATTERY].start()
    for _ in range(4):
        clock.tick(60)
        await poll(hass, site, clock)
    assert found(hass, site, "T4").keys() == before.keys()
    assert float(value(hass, site, "T4_state_of_charge")) == 50


async def test_the_registers_in_the_diagnostics_name_nobody(
    hass: HomeAssistant, site: MockConfigEntry, servers: dict[Kind, SteeredServer]
) -> None:
    """Read as text, or as numbers, they hold no serial number, car, person or place."""
    for kind, tap in TAPS.items():
        found_device = dr.async_get(hass).async_get_device_by_identifier(
            (DOMAIN, f"{site.data['key_id']}_{tap}"), site.entry_id
        )
        assert found_device is not None
        told = await async_get_device_diagnostics(hass, site, found_device)
        words = [word for space in told["registers"].values() for _, word in sorted(space.items(), key=_address)]
        assert len(words) > 10
        raw = b"".join(word.to_bytes(2) for word in words)
        device = servers[kind].device
        for secret in (device.serial, device.user, device.vehicle):
            assert secret
            assert secret.encode() not in raw
            assert secret not in json.dumps(told)
        for degrees in device.place or ():
            assert degrees.to_bytes(4, signed=True) not in raw


def _address(register: tuple[str, int]) -> int:
    return int(register[0])


async def test_a_tap_on_the_open_map_has_its_breaker(
    hass: HomeAssistant, make_local: Callable[..., MockConfigEntry], clock: object, device: MeterDevice
) -> None:
    """A switch that opens it in the device; the register stays to be read."""
    source_of_tap = {"source": "modbus", "host": "127.0.0.1", "port": device.port, "unit_id": 1}
    entry = make_local(subentry("T1", source=source_of_tap | {"profile": "commonwatt_tap", "serial": device.serial}))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert value(hass, entry, "T1_breaker", "switch") == "on"
    breaker = {"entity_id": entity_id(hass, "switch", entry, "T1_breaker")}
    await hass.services.async_call("switch", "turn_off", breaker, blocking=True)
    assert device.breaker == 0
    assert value(hass, entry, "T1_breaker", "switch") == "off"
    assert value(hass, entry, "T1_import_energy") == "1.0"
    assert site_of(entry).taps.keys() == {"T1"}
