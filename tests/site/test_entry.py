"""A site's life in Home Assistant: it starts, stops, reloads, loses taps, and is removed without losing evidence."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
import sqlite3
import time

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.modbus import async_get_unit
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.util import dt as dt_util
from modbus_connection import ModbusTlsParams
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.commonwatt import async_remove_config_entry_device
from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.devices import modbus
from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.link import Outbox
from custom_components.commonwatt.runtime import HANDOVERS

from .conftest import set_energy
from .house import (
    START_S,
    MockConfigEntry,
    added,
    entities_source,
    key_files,
    key_folders,
    modbus_source,
    site_of,
    subentry,
    value,
)
from .meter_device import RawServer

type Make = Callable[..., MockConfigEntry]


def keys(hass: HomeAssistant, entry: MockConfigEntry) -> set[str]:
    """Return what the entities of a site are known by, without the site's own key."""
    found = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    return {entity.unique_id.removeprefix(entry.data["key_id"] + "_") for entity in found}


def open_elsewhere(folder: Path) -> None:
    """Open an outbox as another program would; raises if somebody holds it."""
    with closing(sqlite3.connect(folder / "outbox.db", timeout=0)) as outbox:
        outbox.execute("BEGIN EXCLUSIVE")


TAP_KEYS = {"power", "quality", "owner", "import_energy", "export_energy"}
LOCAL_KEYS = {
    "last_closed_interval",
    *(f"owner_{owner}_{key}" for owner in ("anna", "ben") for key in ("net_energy", "net_energy_interval")),
    *(f"{tap}_{key}" for tap in ("T1", "T2") for key in TAP_KEYS),
}


async def test_a_site_without_a_cloud_has_no_entities_of_one(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """Five sensors per tap, two per owner, one of the site; each on the device it belongs to."""
    assert keys(hass, local) == LOCAL_KEYS
    registry = dr.async_get(hass)
    devices = {device.name: device for device in dr.async_entries_for_config_entry(registry, local.entry_id)}
    assert set(devices) == {"Home", "Main meter", "Tap T2", "Anna", "Ben"}
    assert devices["Home"].via_device_id is None
    for name, upstream in {"Main meter": "Home", "Tap T2": "Main meter", "Anna": "Home", "Ben": "Home"}.items():
        assert devices[name].via_device_id == devices[upstream].id
    assert devices["Tap T2"].config_subentry_id == site_of(local).taps["T2"].subentry_id
    assert devices["Anna"].config_subentry_id is None


async def test_a_modbus_tap_tells_what_it_is(hass: HomeAssistant, make_local: Make, socket_enabled: None) -> None:
    """Maker and model come from the register map, the serial number from the device."""
    source = modbus_source(1) | {"profile": "eastron_sdm630", "serial": "123456"}
    entry = make_local(subentry("T1", "meter", source=source))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    [meter] = [device for device in devices if device.name == "Main meter"]
    assert (meter.manufacturer, meter.model, meter.serial_number) == ("Eastron", "SDM630", "123456")


async def test_a_removed_tap_takes_its_device_and_its_owner_along(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """Ben owns nothing here any more; Anna and her meter stay."""
    hass.config_entries.async_remove_subentry(local, site_of(local).taps["T2"].subentry_id)
    await hass.async_block_till_done()
    names = {device.name for device in dr.async_entries_for_config_entry(dr.async_get(hass), local.entry_id)}
    assert names == {"Home", "Main meter", "Anna"}
    assert not any(key.startswith(("T2", "owner_ben")) for key in keys(hass, local))


async def test_who_owns_nothing_but_a_cable_has_no_energy_here(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """What a cable moves is in nobody's net: a driver shown with 0 Wh would look idle."""
    set_energy(hass, {"sensor.cable": 0})
    source = entities_source("sensor.cable")
    cable = subentry("T3", "cable", owner="dora", owner_name="Dora", upstream="T1", source=source)
    hass.config_entries.async_add_subentry(local, added(cable))
    await hass.async_block_till_done()
    assert site_of(local).owners["dora"] == "Dora"
    assert not any(key.startswith("owner_dora") for key in keys(hass, local))


async def test_what_hung_below_a_removed_tap_hangs_below_what_was_above_it(
    hass: HomeAssistant, local: MockConfigEntry
) -> None:
    """As a second root its energy would be taken from the grid twice."""
    set_energy(hass, {"sensor.room": 0})
    new = subentry("T3", owner="carl", owner_name="Carl", upstream="T2", source=entities_source("sensor.room"))
    hass.config_entries.async_add_subentry(local, added(new))
    await hass.async_block_till_done()
    hass.config_entries.async_remove_subentry(local, site_of(local).taps["T2"].subentry_id)
    await hass.async_block_till_done()
    assert site_of(local).taps["T3"].parent == "T1"


async def test_only_devices_that_are_gone_may_be_deleted(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """The site, its taps and owners stay; a device of none of them may go."""
    registry = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(registry, local.entry_id):
        assert not await async_remove_config_entry_device(hass, local, device)
    old = registry.async_get_or_create(config_entry_id=local.entry_id, identifiers={(DOMAIN, "old")})
    assert await async_remove_config_entry_device(hass, local, old)


async def test_registers_survive_a_restart_and_never_go_back(
    hass: HomeAssistant, local: MockConfigEntry, clock: FrozenDateTimeFactory
) -> None:
    """A meter that lost its last Wh in a power cut does not draw the total back."""
    set_energy(hass, {"sensor.grid_in": 1010})
    clock.tick(5)
    await site_of(local).async_refresh()
    assert value(hass, local, "T1_import_energy") == "1.01"
    assert await hass.config_entries.async_unload(local.entry_id)
    hass.data.pop(HANDOVERS)  # as after a restart
    set_energy(hass, {"sensor.grid_in": 1008})
    clock.tick(5)
    assert await hass.config_entries.async_setup(local.entry_id)
    assert value(hass, local, "T1_import_energy") == "1.01"


async def test_measuring_goes_on_by_itself_with_every_entity_disabled(
    hass: HomeAssistant, make_local: Make, clock: FrozenDateTimeFactory
) -> None:
    """Nobody looks, and yet the poll comes: the pump is no servant of its entities."""
    set_energy(hass, {"sensor.grid_in": 1000})
    entry = make_local(subentry("T1", "meter", source=entities_source("sensor.grid_in")))
    registry = er.async_get(hass)
    for platform, key in (("sensor", f"T1_{key}") for key in TAP_KEYS):
        registry.async_get_or_create(
            platform,
            DOMAIN,
            f"{entry.data['key_id']}_{key}",
            config_entry=entry,
            disabled_by=er.RegistryEntryDisabler.USER,
        )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    set_energy(hass, {"sensor.grid_in": 1001})
    clock.move_to(dt_util.utc_from_timestamp(START_S + 50))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    reading = site_of(entry).data.taps["T1"].reading
    assert reading is not None
    assert reading.import_wh == 1001


async def test_unloading_gives_the_outbox_free(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """After unloading, and after Home Assistant has stopped, another program may open it."""
    [folder] = key_folders(hass)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        open_elsewhere(folder)
    assert await hass.config_entries.async_unload(local.entry_id)
    open_elsewhere(folder)
    assert await hass.config_entries.async_setup(local.entry_id)
    await hass.async_block_till_done()
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()
    open_elsewhere(folder)


async def test_a_site_that_cannot_store_waits_and_says_so(
    hass: HomeAssistant, make_local: Make, expected_logs: list[str]
) -> None:
    """An outbox that another program holds, or that is none: a repair issue, and another try by itself."""
    expected_logs.append("cannot be used")
    entry = make_local()
    [folder] = key_folders(hass)
    (folder / "outbox.db").write_bytes(b"this is no database" * 100)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    issues = ir.async_get(hass)
    assert issues.async_get_issue(DOMAIN, f"outbox_failed_{entry.entry_id}") is not None
    (folder / "outbox.db").unlink()
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert issues.async_get_issue(DOMAIN, f"outbox_failed_{entry.entry_id}") is None


async def test_a_broken_tree_is_named(hass: HomeAssistant, make_local: Make, expected_logs: list[str]) -> None:
    """A loop in what is stored is no tree; which tap closes it is said."""
    expected_logs.append("hangs below itself")
    entry = make_local(
        subentry("T1", upstream="T2", source=entities_source("sensor.a")),
        subentry("T2", upstream="T1", source=entities_source("sensor.b")),
    )
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert entry.error_reason_translation_key == "tree_broken"


async def test_a_register_map_that_is_gone_makes_its_tap_silent(
    hass: HomeAssistant, make_local: Make, clock: object, expected_logs: list[str]
) -> None:
    """After a downgrade the others go on, and the tap is named."""
    set_energy(hass, {"sensor.grid_in": 1000})
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", source=modbus_source(1) | {"profile": "of_tomorrow"}),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    found = ir.async_get(hass).async_get_issue(DOMAIN, f"profile_unknown_{entry.entry_id}")
    assert found is not None
    assert found.translation_placeholders == {"taps": "Tap T2"}
    assert value(hass, entry, "T1_import_energy") == "1.0"
    assert value(hass, entry, "T2_import_energy") == "unavailable"


async def test_removing_a_site_deletes_no_evidence(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """Key and outbox lie aside under another name; devices and issues are gone."""
    key_id = local.data["key_id"]
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"clock_offset_{local.entry_id}",
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key="clock_offset",
        translation_placeholders={"seconds": "5"},
    )
    await hass.config_entries.async_remove(local.entry_id)
    await hass.async_block_till_done()
    [aside] = key_folders(hass)
    assert aside.name.startswith("removed-20261121-050030-")
    assert aside.name.endswith(key_id)
    assert {file.name for file in aside.iterdir()} >= {"site.key", "site.key.copy", "outbox.db"}
    assert dr.async_entries_for_config_entry(dr.async_get(hass), local.entry_id) == []
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"clock_offset_{local.entry_id}") is None


async def test_removing_a_site_without_its_folder_is_no_error(hass: HomeAssistant, make_local: Make) -> None:
    """Somebody deleted it before."""
    entry = make_local()
    for file in key_files(hass, entry):
        file.unlink()
    [folder] = key_folders(hass)
    folder.rmdir()
    await hass.config_entries.async_remove(entry.entry_id)
    assert key_folders(hass) == []


async def test_a_link_that_another_integration_uses_otherwise_makes_its_taps_silent(
    hass: HomeAssistant, make_local: Make, clock: object
) -> None:
    """The others go on, and the taps are named until the link is free."""
    set_energy(hass, {"sensor.grid_in": 1000})
    holder = MockConfigEntry(domain="other")
    holder.add_to_hass(hass)
    async_get_unit(hass, holder, ModbusTlsParams(host="127.0.0.1", port=502), 1)
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")), subentry("T2", source=modbus_source(502))
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    found = ir.async_get(hass).async_get_issue(DOMAIN, f"link_settings_in_use_{entry.entry_id}")
    assert found is not None
    assert found.translation_placeholders == {"taps": "Tap T2"}
    assert value(hass, entry, "T1_import_energy") == "1.0"


async def test_a_site_ends_without_waiting_for_a_hung_meter(
    hass: HomeAssistant, make_local: Make, socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopping takes no longer than a moment, whatever a meter does."""
    monkeypatch.setattr(modbus, "LINK_TIMEOUT_S", 10)
    hung = RawServer(b"")
    await hung.start()
    entry = make_local(subentry("T1", "meter", source=modbus_source(hung.port)))
    assert await hass.config_entries.async_setup(entry.entry_id)
    poll = hass.async_create_task(site_of(entry).async_refresh())
    begun = time.monotonic()
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert time.monotonic() - begun < modbus.LINK_TIMEOUT_S, "it did not wait for the meter"
    await poll
    await hung.stop()


@pytest.mark.parametrize("call", ["nets", "tree_at", "settings", "depth"])
async def test_an_outbox_that_fails_while_starting_is_told_and_tried_again(
    hass: HomeAssistant, make_local: Make, monkeypatch: pytest.MonkeyPatch, expected_logs: list[str], call: str
) -> None:
    """Whichever call fails, the file is given free again and the next start works."""
    expected_logs += ["the outbox failed", "cannot be used"]

    def fail(*_: object) -> None:
        raise OutboxError("input/output error")

    entry = make_local()
    with monkeypatch.context() as broken:
        broken.setattr(Outbox, call, fail)
        loaded = await hass.config_entries.async_setup(entry.entry_id)
        found = ir.async_get(hass).async_get_issue(DOMAIN, f"outbox_failed_{entry.entry_id}")
    # a site without a cloud asks for no settings, and how much waits is no reason not to measure
    assert loaded is (call in {"settings", "depth"})
    assert (found is None) is (call == "settings")
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


async def test_an_outbox_that_does_not_close_in_order_stops_no_reload(
    hass: HomeAssistant, local: MockConfigEntry, monkeypatch: pytest.MonkeyPatch, expected_logs: list[str]
) -> None:
    """What is kept is durable before it is closed, so a failing close is told and no more."""
    expected_logs += ["The outbox could not be closed in order"]
    close = Outbox.close

    def fail(outbox: Outbox) -> None:
        close(outbox)
        raise OutboxError("input/output error")

    monkeypatch.setattr(Outbox, "close", fail)
    assert await hass.config_entries.async_reload(local.entry_id)
    assert local.state is ConfigEntryState.LOADED
