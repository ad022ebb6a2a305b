"""A site with SunSpec devices at its taps, in Home Assistant: from the subentry to the entities and back."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from ..conftest import EXPECTED_LOGS
from ..house import MockConfigEntry, site_of, subentry
from .definitions import common, image, kaco, model
from .server import Device
from .test_setpoint import CONTROLS, HEAD, WATTS, battery

type Make = Callable[..., MockConfigEntry]


@pytest.fixture
def expected_logs() -> list[str]:
    """Expect a device that is cut off on purpose, and one that does not answer."""
    return [*EXPECTED_LOGS, "connection lost due to error", "does not answer", "neither power nor energy"]


@pytest.fixture
async def serve(socket_enabled: None) -> AsyncGenerator[Callable[[Device], Any]]:
    """Start devices, and stop them in the end."""
    devices: list[Device] = []

    async def start(device: Device) -> None:
        devices.append(device)
        await device.start()

    yield start
    for device in devices:
        await device.stop()


def source(device: Device, part: str, serial: str) -> dict[str, Any]:
    """Return a source as the dialogue keeps it."""
    return {
        "source": "modbus",
        "host": "127.0.0.1",
        "port": device.port,
        "unit_id": device.unit_id,
        "profile": "sunspec",
        "serial": serial,
        "part": part,
    }


async def start(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Start a site and poll once."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await site_of(entry).async_refresh()
    await hass.async_block_till_done()


def state(hass: HomeAssistant, entry: MockConfigEntry, platform: str, key: str) -> str | None:
    """Return the state of an entity of the first tap."""
    unique_id = f"{entry.data['key_id']}_T1_{key}"
    entity_id = er.async_get(hass).async_get_entity_id(platform, "commonwatt", unique_id)
    found = None if entity_id is None else hass.states.get(entity_id)
    return None if found is None else found.state


async def test_an_inverter_is_a_tap_that_exports_and_sleeps_at_night(
    hass: HomeAssistant, make_local: Make, serve: Callable[[Device], Any], clock: FrozenDateTimeFactory
) -> None:
    """Its register stands in the state machine; at night it is unavailable, and in the morning where it was."""
    device = Device(kaco())
    await serve(device)
    entry = make_local(subentry("T1", source=source(device, "103", "8.6TL00000000"), rated_power_w=8600))
    await start(hass, entry)
    assert float(state(hass, entry, "sensor", "export_energy") or 0) == pytest.approx(12187.169)
    assert state(hass, entry, "sensor", "power") == "-1000"
    awake = list(device.words)
    device.words[70:122] = model(103)
    for _ in range(4):  # one poll that is missed is nothing yet
        clock.tick(10)
        await site_of(entry).async_refresh()
    await hass.async_block_till_done()
    assert state(hass, entry, "sensor", "power") == "unavailable"
    device.words[:] = awake
    clock.tick(10)
    await site_of(entry).async_refresh()
    await hass.async_block_till_done()
    assert float(state(hass, entry, "sensor", "export_energy") or 0) == pytest.approx(12187.169)
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_battery_is_told_its_set_point_from_home_assistant(
    hass: HomeAssistant, make_local: Make, serve: Callable[[Device], Any], clock: FrozenDateTimeFactory
) -> None:
    """The number and the mode reach the registers."""
    device = battery(CONTROLS)
    await serve(device)
    entry = make_local(subentry("T1", "battery", source=source(device, "701", "SN-1")))
    await start(hass, entry)
    assert state(hass, entry, "sensor", "state_of_charge") == "50"
    assert state(hass, entry, "select", "mode") == "auto"
    entity_id = er.async_get(hass).async_get_entity_id("number", "commonwatt", f"{entry.data['key_id']}_T1_set_point")
    await hass.services.async_call("number", "set_value", {"entity_id": entity_id, "value": -1500}, blocking=True)
    assert (HEAD + WATTS, [0, 1500]) in device.writes
    clock.tick(10)
    await site_of(entry).async_refresh()
    await hass.async_block_till_done()
    assert float(state(hass, entry, "number", "set_point") or 0) == -1500
    assert state(hass, entry, "select", "mode") == "set_point"
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_battery_without_a_register_counts_on_after_a_restart(
    hass: HomeAssistant, make_local: Make, serve: Callable[[Device], Any], clock: FrozenDateTimeFactory
) -> None:
    """What was made of its power is kept, and never turned back."""
    device = Device(image(common(), model(802, W=-3600, W_SF=0, SoC=50, SoC_SF=0)))
    await serve(device)
    entry = make_local(subentry("T1", "battery", source=source(device, "802", "SN-1")))
    await start(hass, entry)
    for _ in range(10):
        clock.tick(10)
        await site_of(entry).async_refresh()
    await hass.async_block_till_done()
    before = site_of(entry).data.taps["T1"].reading
    assert before is not None
    assert before.import_wh >= 100
    assert await hass.config_entries.async_reload(entry.entry_id)
    clock.tick(10)
    await site_of(entry).async_refresh()
    await hass.async_block_till_done()
    after = site_of(entry).data.taps["T1"].reading
    assert after is not None
    assert after.import_wh >= before.import_wh
    assert await hass.config_entries.async_unload(entry.entry_id)
