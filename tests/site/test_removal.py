"""Taking a device or a whole site away: nothing of it is left in a registry, a repair, or what is kept of registers."""

from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
import pytest

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.hardware import tap_identifier
from custom_components.commonwatt.keeper import register_store
from custom_components.commonwatt.transfers import raise_transfer

from .conftest import set_energy
from .house import MockConfigEntry, entities_source, site_of, subentry
from .test_flow_tap import Make, subentry_of

KINDS = ("meter", "tap", "charger", "cable", "battery")


def named_after(hass: HomeAssistant, entry: MockConfigEntry, tap: str) -> list[str]:
    """Return everything in the registries that is of a tap."""
    prefix = f"{entry.data['key_id']}_{tap}"
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    issues = [issue for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN and issue.data]
    return [
        *(entity.entity_id for entity in entities if entity.unique_id.startswith(f"{prefix}_")),
        *(str(device.name) for device in devices if tap_identifier(entry.data["key_id"], tap) in device.identifiers),
        *(issue.issue_id for issue in issues if (issue.data or {}).get("tap") == tap),
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_removed_device_leaves_nothing_behind(hass: HomeAssistant, make_local: Make, kind: str) -> None:
    """Its device, its entities and what was asked about it go; the others stay as they are."""
    set_energy(hass, {"sensor.grid": 1000, "sensor.gone": 500})
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid")),
        subentry("T2", kind, upstream="grid" if kind == "meter" else "T1", source=entities_source("sensor.gone")),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    raise_transfer(hass, entry, site_of(entry).taps["T1"], None)
    raise_transfer(hass, entry, site_of(entry).taps["T2"], None)
    others = named_after(hass, entry, "T1")
    assert len(named_after(hass, entry, "T2")) > 2

    hass.config_entries.async_remove_subentry(entry, subentry_of(entry, "T2").subentry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert named_after(hass, entry, "T2") == []
    assert named_after(hass, entry, "T1") == others
    assert set(site_of(entry).taps) == {"T1"}


async def test_what_was_plugged_in_at_a_removed_tap_is_rehung(hass: HomeAssistant, make_local: Make) -> None:
    """A charger and a cable below it go to what was above it."""
    sensors = {"sensor.grid": 1, "sensor.flat": 1, "sensor.charger": 1, "sensor.cable": 1}
    set_energy(hass, sensors)
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid")),
        subentry("T2", upstream="T1", source=entities_source("sensor.flat")),
        subentry("T3", "charger", upstream="T2", source=entities_source("sensor.charger")),
        subentry("T4", "cable", upstream="T2", source=entities_source("sensor.cable")),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    hass.config_entries.async_remove_subentry(entry, subentry_of(entry, "T2").subentry_id)
    await hass.async_block_till_done()
    assert {tap.tap: tap.parent for tap in site_of(entry).taps.values()} == {"T1": None, "T3": "T1", "T4": "T1"}


async def test_what_is_kept_of_a_register_goes_with_its_tap(
    hass: HomeAssistant, make_local: Make, hass_storage: dict[str, Any]
) -> None:
    """A register that is made here from power is kept for its tap alone."""
    for name in ("one", "two"):
        hass.states.async_set(f"sensor.{name}", "500", {"unit_of_measurement": "W", "device_class": "power"})
    sources = [entities_source(None) | {"power_entity": f"sensor.{name}"} for name in ("one", "two")]
    entry = make_local(subentry("T1", source=sources[0]), subentry("T2", source=sources[1]))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await site_of(entry).async_refresh()
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    key = register_store(hass, entry.entry_id).key
    assert set(hass_storage[key]["data"]["taps"]) == {"T1", "T2"}
    hass.config_entries.async_remove_subentry(entry, subentry_of(entry, "T2").subentry_id)
    await hass.async_block_till_done()
    assert set(hass_storage[key]["data"]["taps"]) == {"T1"}
    assert await hass.config_entries.async_remove(entry.entry_id)
    assert key not in hass_storage


async def test_a_removed_site_leaves_nothing_behind(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """Registries and repairs know nothing of it any more."""
    raise_transfer(hass, local, site_of(local).taps["T2"], None)
    assert await hass.config_entries.async_remove(local.entry_id)
    await hass.async_block_till_done()
    assert er.async_entries_for_config_entry(er.async_get(hass), local.entry_id) == []
    assert dr.async_entries_for_config_entry(dr.async_get(hass), local.entry_id) == []
    assert [issue for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN] == []
