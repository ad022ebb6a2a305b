"""The device registry is the tree of taps: who stands where, below whom, made by whom; what is gone is gone there."""

from collections.abc import Generator
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.energy import data as energy_data, validate
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.devices.port import DeviceIdentity
from custom_components.commonwatt.hardware import upstream_first
from custom_components.commonwatt.site import TapConfig
from custom_components.commonwatt.sources import EntitiesSource

from .house import MockConfigEntry, entities_source, entity_id, site_of, subentry
from .test_entities import Make, found, poll, start
from .told_device import ToldDevice, device_of, stand_in


def device_named(hass: HomeAssistant, entry: MockConfigEntry, name: str) -> dr.DeviceEntry:
    """Return the device of a site with this name."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    [device] = [device for device in devices if device.name == name]
    return device


def chained(upstream: dict[str, str]) -> dict[str, TapConfig]:
    """Return taps by what each hangs below."""
    source = EntitiesSource("sensor.any", None, None)
    return {tap: TapConfig(tap, "", "tap", tap, "anna", None, parent, None, source) for tap, parent in upstream.items()}


def test_a_tap_comes_after_the_one_it_hangs_below() -> None:
    """Whatever order they were added in, and even where what is kept is no tree."""
    order = [tap.tap for tap in upstream_first(chained({"T1": "T3", "T2": "T1", "T3": "grid", "T4": "T9"}))]
    assert order == ["T3", "T1", "T2", "T4"]
    assert {tap.tap for tap in upstream_first(chained({"T1": "T2", "T2": "T1"}))} == {"T1", "T2"}


async def test_the_tree_of_taps_is_the_tree_of_devices(
    hass: HomeAssistant, make_local: Make, monkeypatch: pytest.MonkeyPatch, clock: object
) -> None:
    """A cable too, below the tap whose socket it is plugged in at; moved, it hangs elsewhere."""
    kinds = {"T1": "tap", "T2": "meter", "T3": "cable"}
    stand_in(monkeypatch, {tap: ToldDevice() for tap in kinds})
    source = entities_source("sensor.any")
    entry = make_local(
        subentry("T1", upstream="T2", source=source),
        subentry("T2", "meter", source=source),
        subentry("T3", "cable", upstream="T1", source=source),
    )
    await start(hass, entry)
    site, meter = device_named(hass, entry, "Home"), device_named(hass, entry, "Main meter")
    tap, cable = device_named(hass, entry, "Tap T1"), device_named(hass, entry, "Tap T3")
    assert (meter.via_device_id, tap.via_device_id, cable.via_device_id) == (site.id, meter.id, tap.id)
    moved = entry.subentries[site_of(entry).taps["T3"].subentry_id]
    hass.config_entries.async_update_subentry(entry, moved, data={**moved.data, "upstream": "T2"})
    await hass.async_block_till_done()
    assert device_named(hass, entry, "Tap T3").via_device_id == meter.id
    assert device_named(hass, entry, "Tap T3").id == cable.id


async def test_a_renamed_tap_is_a_renamed_device(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """The title of the subentry is the name, and entities keep their ids."""
    before = {entity.entity_id for entity in found(hass, local, "T2").values()}
    subentry_id = site_of(local).taps["T2"].subentry_id
    hass.config_entries.async_update_subentry(local, local.subentries[subentry_id], title="Flat upstairs")
    await hass.async_block_till_done()
    device = device_named(hass, local, "Flat upstairs")
    assert device.identifiers == {(DOMAIN, f"{local.data['key_id']}_T2")}
    assert {entity.entity_id for entity in found(hass, local, "T2").values()} == before


async def test_a_device_is_described_as_it_says_itself(
    hass: HomeAssistant, make_local: Make, monkeypatch: pytest.MonkeyPatch, clock: FrozenDateTimeFactory
) -> None:
    """Maker, model, serial number and firmware, as soon as it says them, and again after an update of its firmware."""
    device = ToldDevice()
    stand_in(monkeypatch, {"T1": device})
    source = {"source": "modbus", "host": "192.0.2.7", "port": 502, "unit_id": 1, "profile": "none", "serial": "S-1"}
    entry = make_local(subentry("T1", "charger", source=source))
    await start(hass, entry)
    described = device_named(hass, entry, "Tap T1")
    assert (described.model, described.serial_number, described.sw_version) == (None, "S-1", None)
    device.identity = DeviceIdentity("S-1", None, "Maker", "Model X", "1.2")
    await poll(hass, entry, clock)
    device.power_w = 51
    await poll(hass, entry, clock)
    described = device_named(hass, entry, "Tap T1")
    assert (described.manufacturer, described.model, described.sw_version) == ("Maker", "Model X", "1.2")
    device.identity = DeviceIdentity("S-1", None, "Maker", "Model X", "1.3")
    device.power_w = 52
    await poll(hass, entry, clock)
    assert device_named(hass, entry, "Tap T1").sw_version == "1.3"
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert device_named(hass, entry, "Tap T1").sw_version == "1.3"


async def test_an_adopted_device_lends_its_make_and_its_area(
    hass: HomeAssistant, make_local: Make, monkeypatch: pytest.MonkeyPatch, clock: object
) -> None:
    """A smart plug in the kitchen is a tap in the kitchen, of the same make."""
    plugs = MockConfigEntry(domain="plugs")
    plugs.add_to_hass(hass)
    kitchen = ar.async_get(hass).async_get_or_create("Kitchen")
    registry = dr.async_get(hass)
    plug = registry.async_get_or_create(
        config_entry_id=plugs.entry_id,
        identifiers={("plugs", "1")},
        manufacturer="Plug maker",
        model="P1",
        sw_version="7",
        serial_number="P-0001",
    )
    registry.async_update_device(plug.id, area_id=kitchen.id)
    energy = er.async_get(hass).async_get_or_create(
        "sensor", "plugs", "energy", config_entry=plugs, device_id=plug.id, suggested_object_id="plug_energy"
    )
    stand_in(monkeypatch, {"T1": ToldDevice()})
    entry = make_local(subentry("T1", source=entities_source(energy.id)))
    await start(hass, entry)
    tap = device_named(hass, entry, "Tap T1")
    assert (tap.manufacturer, tap.model, tap.sw_version, tap.serial_number) == ("Plug maker", "P1", "7", "P-0001")
    assert tap.area_id == kitchen.id


async def test_another_device_is_not_described_as_the_one_before(
    hass: HomeAssistant, make_local: Make, monkeypatch: pytest.MonkeyPatch, clock: object
) -> None:
    """A tap reconfigured to a device with another serial number forgets firmware and make; a silent one does not."""
    device = ToldDevice(identity=DeviceIdentity("S-1", None, "Maker", "Model X", "1.2"))
    stand_in(monkeypatch, {"T1": device})
    source = {"source": "modbus", "host": "192.0.2.7", "port": 502, "unit_id": 1, "profile": "none", "serial": "S-1"}
    entry = make_local(subentry("T1", "charger", source=source))
    await start(hass, entry)
    stand_in(monkeypatch, {"T1": ToldDevice(silent=True)})
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert device_named(hass, entry, "Tap T1").sw_version == "1.2"
    changed = entry.subentries[site_of(entry).taps["T1"].subentry_id]
    other = {**changed.data, "source": source | {"serial": "S-2"}}
    hass.config_entries.async_update_subentry(entry, changed, data=other)
    await hass.async_block_till_done()
    described = device_named(hass, entry, "Tap T1")
    assert (described.model, described.sw_version, described.serial_number) == (None, None, "S-2")


async def test_a_removed_device_of_any_kind_leaves_nothing(
    hass: HomeAssistant, make_local: Make, monkeypatch: pytest.MonkeyPatch, clock: object
) -> None:
    """Device and entities go with the subentry; the others stay."""
    stand_in(monkeypatch, {"T1": ToldDevice(), "T2": device_of("charger")})
    source = entities_source("sensor.any")
    entry = make_local(subentry("T1", "meter", source=source), subentry("T2", "charger", upstream="T1", source=source))
    await start(hass, entry)
    assert found(hass, entry, "T2")
    hass.config_entries.async_remove_subentry(entry, site_of(entry).taps["T2"].subentry_id)
    await hass.async_block_till_done()
    assert found(hass, entry, "T2") == {}
    assert found(hass, entry, "T1") != {}
    names = {device.name for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)}
    assert names == {"Home", "Main meter", "Anna"}


@pytest.fixture
def _quiet_database() -> Generator[None]:
    """Keep the recorder's thread from telling every statement."""
    logger = logging.getLogger("sqlalchemy.engine")
    before = logger.level
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(before)


@pytest.mark.usefixtures("_quiet_database")
async def test_the_energy_dashboard_takes_our_entities(
    recorder_mock: object,
    hass: HomeAssistant,
    make_local: Make,
    monkeypatch: pytest.MonkeyPatch,
    expected_logs: list[str],
) -> None:
    """Home Assistant's own check of grid, battery and consumers misses nothing but a history; and it can complain."""
    expected_logs.append("zlib_ng and isal are not available")
    assert await async_setup_component(hass, "energy", {})
    stand_in(monkeypatch, {"T1": device_of("meter"), "T2": device_of("battery"), "T3": device_of("charger")})
    source = entities_source("sensor.any")
    entry = make_local(
        subentry("T1", "meter", source=source),
        subentry("T2", "battery", upstream="T1", source=source),
        subentry("T3", "charger", upstream="T1", source=source),
    )
    await start(hass, entry)

    def stat(key: str) -> str:
        return entity_id(hass, "sensor", entry, key)

    manager = await energy_data.async_get_manager(hass)
    grid = {
        "type": "grid",
        "stat_energy_from": stat("T1_import_energy"),
        "stat_energy_to": stat("T1_export_energy"),
        "stat_rate": stat("T1_power"),
        **dict.fromkeys(("stat_cost", "entity_energy_price", "number_energy_price", "stat_compensation")),
        **dict.fromkeys(("entity_energy_price_export", "number_energy_price_export")),
        "cost_adjustment_day": 0,
    }
    battery = {
        "type": "battery",
        "stat_energy_from": stat("T2_export_energy"),
        "stat_energy_to": stat("T2_import_energy"),
        "power_config": {"stat_rate_inverted": stat("T2_power")},
        "stat_soc": stat("T2_state_of_charge"),
    }
    charger = {
        "stat_consumption": stat("T3_import_energy"),
        "stat_rate": stat("T3_power"),
        "included_in_stat": stat("T1_import_energy"),
    }
    wrong = {"stat_consumption": stat("T2_state_of_charge")}
    preferences: Any = {"energy_sources": [grid, battery], "device_consumption": [charger, wrong]}
    await manager.async_update(preferences)
    await hass.async_block_till_done()
    told = (await validate.async_validate(hass)).as_dict()
    complaints = {
        issue["type"]: {entity for entity, _ in issue["affected_entities"]}
        for part in ("energy_sources", "device_consumption")
        for issues in told[part]
        for issue in issues
    }
    complaints.pop("statistics_not_defined")
    assert complaints == {
        "entity_unexpected_device_class": {stat("T2_state_of_charge")},
        "entity_state_class_measurement_no_last_reset": {stat("T2_state_of_charge")},
    }
