"""Registers made here survive: a restart, a crash, a lost file, another entity; and they go with the site."""

from collections.abc import Callable
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import CoreState, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.keeper import SAVE_SECONDS_MAX

from ..house import MockConfigEntry, modbus_source, site_of, subentry
from ..meter_device import MeterDevice
from .things import counts, show

POWER_TAP = {"source": "entities", "import_entity": None, "export_entity": None, "power_entity": "sensor.power"}
DAILY_TAP = {"source": "entities", "import_entity": "sensor.today", "export_entity": None, "power_entity": None}

type Maker = Callable[..., MockConfigEntry]
type Storage = dict[str, Any]


async def start(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Open a site."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


async def poll(hass: HomeAssistant, entry: MockConfigEntry, freezer: FrozenDateTimeFactory, seconds: int) -> None:
    """Let a site poll for a time."""
    for _ in range(seconds // 5):
        freezer.tick(5)
        await site_of(entry).async_refresh()
    await hass.async_block_till_done()


def register(entry: MockConfigEntry, tap: str = "T1") -> int:
    """Return a tap's import register."""
    reading = site_of(entry).data.taps[tap].reading
    assert reading is not None
    return reading.import_wh


def written(hass_storage: Storage, entry: MockConfigEntry) -> Any:
    """Return what is written down of a site."""
    return hass_storage[f"{DOMAIN}.registers.{entry.entry_id}"]["data"]


async def killed(hass: HomeAssistant, hass_storage: Storage, entry: MockConfigEntry, document: Any = None) -> None:
    """End a site as a power cut does: what lies on the disk, or lay there before, stays, and nothing is written."""
    lay = written(hass_storage, entry) if document is None else document
    await hass.config_entries.async_unload(entry.entry_id)
    hass.data.pop(f"{DOMAIN}_handovers", None)
    hass_storage[f"{DOMAIN}.registers.{entry.entry_id}"]["data"] = lay


async def test_a_register_made_from_power_goes_on_after_a_restart(
    hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory, hass_storage: Storage
) -> None:
    """What was counted before counts; the time between does not."""
    show(hass, "sensor.power", 36_000, "W")
    entry = make_local(subentry("T1", source=POWER_TAP))
    await start(hass, entry)
    await poll(hass, entry, clock, 60)
    assert register(entry) == 600
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert written(hass_storage, entry)["ended_in_order"] is True
    clock.tick(7200)
    await start(hass, entry)
    assert register(entry) == 600
    assert written(hass_storage, entry)["ended_in_order"] is False
    await poll(hass, entry, clock, 60)
    assert register(entry) == 1200


async def test_a_reload_costs_no_energy(hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory) -> None:
    """Adding a tap must not: the power stood as it was meanwhile."""
    show(hass, "sensor.power", 36_000, "W")
    entry = make_local(subentry("T1", source=POWER_TAP))
    await start(hass, entry)
    await poll(hass, entry, clock, 60)
    clock.tick(3)
    assert await hass.config_entries.async_reload(entry.entry_id)
    clock.tick(2)
    await poll(hass, entry, clock, 55)
    assert register(entry) == 1200


async def test_a_counter_of_the_day_goes_on_after_a_restart_over_midnight(
    hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory, hass_storage: Storage
) -> None:
    """It began anew while nobody looked."""
    counts(hass, "sensor.today", 8)
    entry = make_local(subentry("T1", source=DAILY_TAP))
    await start(hass, entry)
    await poll(hass, entry, clock, 10)
    assert await hass.config_entries.async_unload(entry.entry_id)
    clock.tick(4 * 3600)
    counts(hass, "sensor.today", 0.25)
    await start(hass, entry)
    await poll(hass, entry, clock, 20)
    assert register(entry) == 8250


async def test_a_run_in_which_nothing_was_read_forgets_nothing(
    hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory, expected_logs: list[str]
) -> None:
    """The sensor was away all the time."""
    expected_logs.append("is silent")
    show(hass, "sensor.power", 36_000, "W")
    entry = make_local(subentry("T1", source=POWER_TAP), interval_seconds=1800)
    await start(hass, entry)
    await poll(hass, entry, clock, 60)
    assert await hass.config_entries.async_unload(entry.entry_id)
    show(hass, "sensor.power", "unavailable")
    await start(hass, entry)
    await poll(hass, entry, clock, 60)
    assert await hass.config_entries.async_unload(entry.entry_id)
    show(hass, "sensor.power", 36_000, "W")
    clock.tick(600)
    await start(hass, entry)
    assert register(entry) == 600


async def test_after_a_crash_no_register_is_behind_what_was_closed(  # noqa: PLR0917 - fixtures
    hass: HomeAssistant,
    make_local: Maker,
    clock: FrozenDateTimeFactory,
    hass_storage: Storage,
    expected_logs: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At most the last minute is lost, and the log says so."""
    expected_logs.append("did not end in order")
    show(hass, "sensor.power", 36_000, "W")
    entry = make_local(subentry("T1", source=POWER_TAP))
    await start(hass, entry)
    first_write = written(hass_storage, entry)
    assert first_write == {"ended_in_order": False, "taps": {}}
    await poll(hass, entry, clock, 180)
    reached = register(entry)
    assert reached == 1800
    await killed(hass, hass_storage, entry, first_write)
    await start(hass, entry)
    assert "did not end in order" in caplog.text
    after = register(entry)
    assert 0 <= reached - after <= 36_000 * 60 / 3600
    await poll(hass, entry, clock, 60)
    assert register(entry) == after + 600
    quality = site_of(entry).data.taps["T1"].quality
    assert quality == "estimated"


async def test_what_a_crash_may_cost_is_a_minute(  # noqa: PLR0917 - fixtures
    hass: HomeAssistant,
    make_local: Maker,
    clock: FrozenDateTimeFactory,
    hass_storage: Storage,
    expected_logs: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However long and however often it changes, it is written down every minute."""
    expected_logs.append("did not end in order")
    show(hass, "sensor.power", 36_000, "W")
    entry = make_local(subentry("T1", source=POWER_TAP), interval_seconds=1800)
    await start(hass, entry)
    for _ in range(30):
        await poll(hass, entry, clock, 10)
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
    reached = register(entry)
    kept = written(hass_storage, entry)["taps"]["T1"]["registers_wh"][0]
    assert 0 <= reached - kept <= 36_000 * (SAVE_SECONDS_MAX + 10) / 3600
    await killed(hass, hass_storage, entry)
    await start(hass, entry)
    assert register(entry) >= kept
    assert f"up to the last {SAVE_SECONDS_MAX} s" in caplog.text


async def test_home_assistant_ending_in_order_is_the_last_write(
    hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory, hass_storage: Storage
) -> None:
    """Nothing is lost, and the next start has nothing to say."""
    show(hass, "sensor.power", 36_000, "W")
    entry = make_local(subentry("T1", source=POWER_TAP))
    await start(hass, entry)
    await poll(hass, entry, clock, 60)
    hass.set_state(CoreState.stopping)
    hass.bus.async_fire("homeassistant_stop")
    await hass.async_block_till_done()
    hass.set_state(CoreState.final_write)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    document = written(hass_storage, entry)
    assert document["ended_in_order"] is True
    assert document["taps"]["T1"]["registers_wh"] == [600, 0]
    hass.set_state(CoreState.running)


async def test_another_entity_invents_no_energy(
    hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory, hass_storage: Storage
) -> None:
    """The register goes on from where it stood: from a counter of the day to a meter's, to power, and back."""
    counts(hass, "sensor.today", 8)
    counts(hass, "sensor.meter", 54_321)
    show(hass, "sensor.power", 36_000, "W")
    entry = make_local(subentry("T1", source=DAILY_TAP))
    await start(hass, entry)
    await poll(hass, entry, clock, 10)
    (found,) = entry.subentries.values()
    steps = [(DAILY_TAP | {"import_entity": "sensor.meter"}, 8000), (POWER_TAP, 8000 + 600), (DAILY_TAP, 8000 + 600)]
    for source, expected in steps:
        data = {**found.data, "source": source}
        hass.config_entries.async_update_subentry(entry, entry.subentries[found.subentry_id], data=data)
        await hass.async_block_till_done()
        await poll(hass, entry, clock, 60)
        assert register(entry) == expected
        assert site_of(entry).data.taps["T1"].reset_at_ms == 0
    counts(hass, "sensor.today", 8.1)
    await poll(hass, entry, clock, 10)
    assert register(entry) == 8700


async def test_a_torn_file_costs_no_start(
    hass: HomeAssistant,
    make_local: Maker,
    clock: FrozenDateTimeFactory,
    hass_storage: Storage,
    expected_logs: list[str],
) -> None:
    """What was never written here is told of and left; the boundary closed last still holds."""
    expected_logs += ["cannot be read", "did not end in order"]
    show(hass, "sensor.power", 0, "W")
    entry = make_local(subentry("T1", source=POWER_TAP))
    hass_storage[f"{DOMAIN}.registers.{entry.entry_id}"] = {
        "version": 1,
        "minor_version": 1,
        "key": f"{DOMAIN}.registers.{entry.entry_id}",
        "data": {"ended_in_order": True, "taps": {"T1": {"registers_wh": ["much", 0]}}},
    }
    await start(hass, entry)
    assert register(entry) == 0


async def test_registers_go_with_the_site(
    hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory, hass_storage: Storage
) -> None:
    """And those of a tap with the tap."""
    show(hass, "sensor.power", 36_000, "W")
    counts(hass, "sensor.today", 1)
    entry = make_local(subentry("T1", source=POWER_TAP), subentry("T2", source=DAILY_TAP))
    await start(hass, entry)
    await poll(hass, entry, clock, 10)
    gone = next(item.subentry_id for item in entry.subentries.values() if item.data["tap"] == "T2")
    assert hass.config_entries.async_remove_subentry(entry, gone)
    await hass.async_block_till_done()
    await poll(hass, entry, clock, 10)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert written(hass_storage, entry)["taps"].keys() == {"T1"}
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert f"{DOMAIN}.registers.{entry.entry_id}" not in hass_storage


async def test_a_register_that_was_never_kept_is_not_called_lost(
    hass: HomeAssistant,
    make_local: Maker,
    clock: FrozenDateTimeFactory,
    device: MeterDevice,
) -> None:
    """A meter that counted by itself gives way to a plug that does not, and the plug to the meter; nothing crashed."""
    show(hass, "sensor.power", 36_000, "W")
    entry = make_local(subentry("T1", source=modbus_source(device.port)))
    await start(hass, entry)
    await poll(hass, entry, clock, 60)
    for source in (POWER_TAP, modbus_source(device.port), POWER_TAP):
        tap = next(iter(entry.subentries.values()))
        hass.config_entries.async_update_subentry(entry, tap, data={**tap.data, "source": source})
        await hass.async_block_till_done()
        await poll(hass, entry, clock, 60)
        assert site_of(entry).data.taps["T1"].silent is False
