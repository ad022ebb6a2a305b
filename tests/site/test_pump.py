"""The pump: intervals are closed at their boundaries, netted by owner, and kept, whatever happens around them."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.errors import OutboxError
from custom_components.commonwatt.link import KeptInterval, SiteKey
from custom_components.commonwatt.runtime import HANDOVERS

from .conftest import set_energy
from .house import START_S, MockConfigEntry, added, entities_source, site_of, subentry, value


class At(Protocol):
    """Moves the clock, sets entities, polls."""

    def __call__(self, entry: MockConfigEntry, second: float, **registers_wh: float) -> Awaitable[None]:
        """Go to a second after the boundary 05:00."""


@pytest.fixture
def at(hass: HomeAssistant, clock: FrozenDateTimeFactory) -> At:
    """Return what moves a site on."""

    async def move(entry: MockConfigEntry, second: float, **registers_wh: float) -> None:
        clock.move_to(dt_util.utc_from_timestamp(START_S + second))
        set_energy(hass, {f"sensor.{name}": register for name, register in registers_wh.items()})
        await site_of(entry).async_refresh()
        await hass.async_block_till_done(wait_background_tasks=True)

    return move


async def latest(entry: MockConfigEntry) -> KeptInterval | None:
    """Return the interval kept last."""
    store = entry.runtime_data.store
    kept: KeptInterval | None = await store.run(store.outbox.latest_interval)
    return kept


def reading_wh(entry: MockConfigEntry, tap: str) -> int | None:
    """Return the import register a tap shows."""
    reading = site_of(entry).data.taps[tap].reading
    return None if reading is None else reading.import_wh


async def test_an_interval_is_netted_by_owner(hass: HomeAssistant, local: MockConfigEntry, at: At) -> None:
    """Between two boundaries the flat takes 20 of the 30 Wh that the meter imports, so 10 are left for the house."""
    await at(local, 60, grid_in=1010, flat=505)
    await at(local, 120, grid_in=1040, flat=525)
    kept = await latest(local)
    assert kept is not None
    assert (kept.start, kept.seconds, kept.tree_rev) == (START_S + 60, 60, None)
    assert kept.net_wh == {"anna": 10, "ben": 20}
    assert kept.grid_wh == -30
    assert (kept.taps["T2"].owner, kept.taps["T2"].upstream_owner) == ("ben", "anna")
    assert value(hass, local, "owner_anna_net_energy_interval") == "10"
    assert value(hass, local, "owner_ben_net_energy_interval") == "20"
    assert value(hass, local, "owner_ben_net_energy") == "0.02"
    assert value(hass, local, "T2_quality") == "ok"
    assert value(hass, local, "last_closed_interval") == "2026-11-21T05:02:00+00:00"


async def test_nothing_is_kept_before_the_first_boundary(local: MockConfigEntry, at: At) -> None:
    """The first boundary only opens: what flowed before it is nobody's."""
    await at(local, 59, grid_in=1009)
    await at(local, 60, grid_in=1010)
    assert await latest(local) is None


async def test_a_boundary_between_two_reads_is_interpolated(local: MockConfigEntry, at: At) -> None:
    """Polls never fall on the boundary: its register lies between the reads around it."""
    await at(local, 58, grid_in=1000)
    await at(local, 63, grid_in=1010)
    await at(local, 118, grid_in=1100)
    await at(local, 123, grid_in=1110)
    kept = await latest(local)
    assert kept is not None
    assert kept.taps["T1"].register_wh == ((1104, 0),)
    assert kept.taps["T1"].import_wh == (100,)
    assert kept.taps["T1"].quality == ("ok",)


async def test_a_silent_meter_stops_no_other(
    hass: HomeAssistant, local: MockConfigEntry, at: At, expected_logs: list[str]
) -> None:
    """The boundary waits two polls for it, then goes on; found again, its whole difference is there."""
    expected_logs.append("The meter of Tap T2 is silent")
    await at(local, 60, grid_in=1010, flat=505)
    hass.states.async_set("sensor.flat", "unavailable")
    await at(local, 119, grid_in=1039)
    await at(local, 121, grid_in=1040)
    assert await latest(local) is None
    await at(local, 130, grid_in=1041)
    kept = await latest(local)
    assert kept is not None
    assert (kept.taps["T2"].import_wh, kept.taps["T2"].quality) == ((0,), ("missing",))
    assert kept.taps["T1"].quality == ("ok",)
    assert value(hass, local, "T2_import_energy") == "unavailable"
    assert value(hass, local, "T2_quality") == "missing"

    await at(local, 178, grid_in=1069, flat=544)
    await at(local, 180, grid_in=1070, flat=545)
    kept = await latest(local)
    assert kept is not None
    assert (kept.taps["T2"].import_wh, kept.taps["T2"].quality) == ((40,), ("estimated",))
    assert value(hass, local, "T2_import_energy") == "0.545"


async def test_boundaries_passed_while_off_are_closed_in_order(
    hass: HomeAssistant, local: MockConfigEntry, at: At, clock: FrozenDateTimeFactory
) -> None:
    """After three minutes off no interval is lost, and their energies add up to what the registers moved."""
    await at(local, 60, grid_in=1000, flat=500)
    await at(local, 120, grid_in=1030, flat=520)
    assert await hass.config_entries.async_unload(local.entry_id)
    hass.data.pop(HANDOVERS)  # as after a restart
    clock.move_to(dt_util.utc_from_timestamp(START_S + 330))
    set_energy(hass, {"sensor.grid_in": 1100, "sensor.flat": 560})
    assert await hass.config_entries.async_setup(local.entry_id)
    await at(local, 360, grid_in=1110, flat=565)
    kept = await latest(local)
    assert kept is not None
    assert kept.end == START_S + 360
    assert kept.taps["T1"].quality == ("estimated",)
    assert value(hass, local, "owner_anna_net_energy") == str((110 - 65) / 1000)
    assert value(hass, local, "owner_ben_net_energy") == str(65 / 1000)


async def test_adding_a_tap_costs_no_read(hass: HomeAssistant, local: MockConfigEntry, at: At) -> None:
    """The reload in the middle of an interval, even over its boundary, leaves it exact; the new tap begins after it."""
    await at(local, 60, grid_in=1000, flat=500)
    await at(local, 117, grid_in=1057, flat=557)
    set_energy(hass, {"sensor.shed": 0})
    new = subentry("T3", owner="carl", owner_name="Carl", upstream="T1", source=entities_source("sensor.shed"))
    hass.config_entries.async_add_subentry(local, added(new))
    await hass.async_block_till_done()
    await at(local, 120, grid_in=1060, flat=560, shed=0)
    kept = await latest(local)
    assert kept is not None
    assert kept.taps["T1"].quality == ("ok",)
    assert set(kept.taps) == {"T1", "T2"}
    await at(local, 180, grid_in=1120, flat=570, shed=30)
    kept = await latest(local)
    assert kept is not None
    assert kept.net_wh == {"anna": 20, "ben": 10, "carl": 30}


async def test_a_removed_tap_closes_its_last_interval_with_what_it_read_last(
    hass: HomeAssistant, local: MockConfigEntry, at: At
) -> None:
    """Its energy until then is its owner's, what flows after it the upstream owner's; nothing is counted twice."""
    await at(local, 60, grid_in=1000, flat=500)
    await at(local, 90, grid_in=1030, flat=520)
    hass.config_entries.async_remove_subentry(local, site_of(local).taps["T2"].subentry_id)
    await hass.async_block_till_done()
    await at(local, 120, grid_in=1060, flat=540)
    kept = await latest(local)
    assert kept is not None
    assert kept.net_wh == {"anna": 40, "ben": 20}
    assert kept.taps["T2"].quality == ("estimated",)
    await at(local, 180, grid_in=1090, flat=560)
    kept = await latest(local)
    assert kept is not None
    assert kept.net_wh == {"anna": 30}
    assert set(kept.taps) == {"T1"}


async def test_a_tap_not_read_yet_does_not_charge_its_owner_for_what_is_below_it(
    hass: HomeAssistant, clock: object, make_local: Callable[..., MockConfigEntry], at: At, expected_logs: list[str]
) -> None:
    """Until the middle tap has been read, the tap below it is fed by the owner above."""
    expected_logs.append("The meter of Tap T2 is silent")
    set_energy(hass, {"sensor.grid_in": 0, "sensor.room": 0})
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", owner="ben", owner_name="Ben", upstream="T1", source=entities_source("sensor.flat")),
        subentry("T3", owner="carl", owner_name="Carl", upstream="T2", source=entities_source("sensor.room")),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await at(entry, 60, grid_in=0, room=0)
    await at(entry, 120, grid_in=30, room=10)
    kept = await latest(entry)
    assert kept is not None
    assert kept.net_wh == {"anna": 20, "carl": 10}
    assert kept.taps["T3"].upstream_owner == "anna"


async def test_a_register_that_falls_back_is_refused_and_never_shown(
    hass: HomeAssistant, local: MockConfigEntry, at: At, expected_logs: list[str]
) -> None:
    """Two slips are kept aside; the meter is silent meanwhile and its register goes on where it was."""
    expected_logs.append("a register is refused (backward)")
    await at(local, 40, grid_in=1010)
    await at(local, 41, grid_in=3)
    assert value(hass, local, "T1_import_energy") == "1.01"
    await at(local, 42, grid_in=3)
    assert value(hass, local, "T1_import_energy") == "unavailable"
    await at(local, 43, grid_in=1011)
    assert value(hass, local, "T1_import_energy") == "1.011"


async def test_an_exchanged_meter_begins_anew(
    hass: HomeAssistant, local: MockConfigEntry, at: At, expected_logs: list[str]
) -> None:
    """Three reads confirm the new register: it is shown from there, and the interval says that it was exchanged."""
    expected_logs += ["a register is refused", "was exchanged or reset: (1040, 0) Wh, then (7, 0) Wh"]
    await at(local, 60, grid_in=1000)
    await at(local, 80, grid_in=1040)
    for second, register in ((81, 5), (82, 6), (83, 7)):
        await at(local, second, grid_in=register)
    assert value(hass, local, "T1_import_energy") == "0.007"
    await at(local, 120, grid_in=20)
    kept = await latest(local)
    assert kept is not None
    assert (kept.taps["T1"].import_wh, kept.taps["T1"].quality) == ((40,), ("reset",))
    assert value(hass, local, "T1_quality") == "reset"


async def test_power_is_derived_where_the_meter_has_none(hass: HomeAssistant, local: MockConfigEntry, at: At) -> None:
    """10 Wh in 30 s are 1200 W; exporting is negative."""
    await at(local, 60, grid_in=1010)
    assert value(hass, local, "T1_power") == "1200"
    await at(local, 120, grid_in=1010, grid_out=40)
    assert value(hass, local, "T1_power") == str(round((10 - 40) * 3600 / 90))


async def test_a_longer_interval_is_taken_up_without_losing_energy(
    hass: HomeAssistant, local: MockConfigEntry, at: At
) -> None:
    """A boundary of the old length that is none of the new one holds until the next that is."""
    await at(local, 60, grid_in=1000)
    await at(local, 120, grid_in=1030)
    hass.config_entries.async_update_entry(local, data={**local.data, "interval_seconds": 300})
    await hass.async_block_till_done()
    assert site_of(local).update_interval is not None
    await at(local, 300, grid_in=1100)
    await at(local, 600, grid_in=1400)
    kept = await latest(local)
    assert kept is not None
    assert (kept.start, kept.seconds) == (START_S + 300, 300)
    assert value(hass, local, "owner_anna_net_energy") == "0.4"


async def test_a_failing_outbox_loses_nothing(
    hass: HomeAssistant,
    local: MockConfigEntry,
    at: At,
    monkeypatch: pytest.MonkeyPatch,
    expected_logs: list[str],
) -> None:
    """While nothing can be stored nothing is advanced; when it can, the same boundaries are closed."""
    expected_logs.append("the outbox failed")

    def full(*_: Any) -> None:
        raise OutboxError("no space left on device")

    await at(local, 60, grid_in=1000)
    store = local.runtime_data.store
    keep = store.outbox.keep_interval
    monkeypatch.setattr(store.outbox, "keep_interval", full)
    await at(local, 120, grid_in=1030)
    await at(local, 180, grid_in=1050)
    issues = ir.async_get(hass)
    assert issues.async_get_issue(DOMAIN, f"outbox_failed_{local.entry_id}") is not None
    assert value(hass, local, "owner_anna_net_energy") == "0.0"
    assert reading_wh(local, "T1") == 1050

    monkeypatch.setattr(store.outbox, "keep_interval", keep)
    await at(local, 190, grid_in=1055)
    assert issues.async_get_issue(DOMAIN, f"outbox_failed_{local.entry_id}") is None
    assert value(hass, local, "owner_anna_net_energy") == "0.05"
    assert value(hass, local, "last_closed_interval") == "2026-11-21T05:03:00+00:00"


async def test_a_clock_set_back_is_told_and_nothing_is_recorded_twice(
    hass: HomeAssistant, local: MockConfigEntry, at: At
) -> None:
    """Behind what is closed no interval can be recorded: a person is told until when, and then it all goes on."""
    await at(local, 60, grid_in=1010, flat=505)
    await at(local, 600, grid_in=1100, flat=550)
    closed = await latest(local)
    issues, issue_id = ir.async_get(hass), f"clock_set_back_{local.entry_id}"
    assert issues.async_get_issue(DOMAIN, issue_id) is None
    await at(local, 120, grid_in=1110, flat=560)
    found = issues.async_get_issue(DOMAIN, issue_id)
    assert found is not None
    assert found.translation_placeholders is not None
    assert "until" in found.translation_placeholders
    assert await latest(local) == closed
    await at(local, 660, grid_in=1120, flat=570)
    await at(local, 720, grid_in=1130, flat=580)
    again = await latest(local)
    assert again is not None
    assert again.start == START_S + 660
    assert issues.async_get_issue(DOMAIN, issue_id) is None


async def test_a_cable_is_measured_and_stands_in_no_netting(
    hass: HomeAssistant, clock: object, make_local: Callable[..., MockConfigEntry], at: At
) -> None:
    """What it carries is counted by the tap it is plugged in at; how sure its interval was is shown like a tap's."""
    entry = make_local(
        subentry("T1", "meter", source=entities_source("sensor.grid_in")),
        subentry("T2", "cable", owner="ben", owner_name="Ben", upstream="T1", source=entities_source("sensor.cable")),
    )
    set_energy(hass, {"sensor.grid_in": 1000, "sensor.cable": 50})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await at(entry, 60, grid_in=1010, cable=55)
    await at(entry, 120, grid_in=1040, cable=75)
    kept = await latest(entry)
    assert kept is not None
    assert set(kept.taps) == {"T1"}
    assert kept.net_wh == {"anna": 30}
    assert site_of(entry).data.taps["T2"].quality == "ok"
    assert reading_wh(entry, "T2") == 75


async def test_a_register_made_from_power_is_never_better_than_an_estimate(
    hass: HomeAssistant, clock: object, make_local: Callable[..., MockConfigEntry], at: At
) -> None:
    """Polled without a gap, and still no meter measured it."""
    source = {"source": "entities", "import_entity": None, "export_entity": None, "power_entity": "sensor.p"}
    entry = make_local(subentry("T1", "meter", source=source))
    watt = {"unit_of_measurement": "W", "device_class": "power"}
    hass.states.async_set("sensor.p", "3600", watt)
    assert await hass.config_entries.async_setup(entry.entry_id)
    for second in range(40, 190, 5):
        hass.states.async_set("sensor.p", "3600", watt, force_update=True)
        await at(entry, second)
    kept = await latest(entry)
    assert kept is not None
    assert (kept.taps["T1"].import_wh, kept.taps["T1"].quality) == ((60,), ("estimated",))


async def test_a_site_of_many_entities_shows_them_all_in_slices(
    hass: HomeAssistant, local: MockConfigEntry, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told one at a time, each entity still shows what the poll brought before the next one begins."""
    monkeypatch.setattr("custom_components.commonwatt.slices.SLICE_S", -1)
    await at(local, 60, grid_in=1010, flat=505)
    assert value(hass, local, "T1_import_energy") == "1.01"
    assert value(hass, local, "T2_import_energy") == "0.505"
    await at(local, 120, grid_in=1040, flat=525)
    assert value(hass, local, "T2_import_energy") == "0.525"
    assert value(hass, local, "owner_ben_net_energy_interval") == "20"
    assert await hass.config_entries.async_unload(local.entry_id)


@pytest.fixture
async def other(
    hass: HomeAssistant, local: MockConfigEntry, make_local: Callable[..., MockConfigEntry], tmp_path: Path
) -> MockConfigEntry:
    """Run a second site, with the flat's sensor as its meter."""
    key = SiteKey.create(tmp_path / "second")
    (tmp_path / "second").rename(tmp_path / DOMAIN / key.kid)
    meter = subentry("T1", "meter", source=entities_source("sensor.flat"))
    entry = make_local(meter, key_id=key.kid, interval_seconds=300)
    hass.config_entries.async_update_entry(entry, unique_id=key.kid)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry


async def test_two_sites_in_one_home_assistant_keep_apart(
    hass: HomeAssistant, local: MockConfigEntry, other: MockConfigEntry, at: At, expected_logs: list[str]
) -> None:
    """The same sensor at both, and each has its own intervals, and is asked about its own meter."""
    expected_logs += ["a register is refused", "was exchanged or reset"]
    for second, flat in ((0, 500), (60, 505), (290, 520), (300, 530)):
        await at(local, second + 60, grid_in=1000 + second, flat=flat)
        await site_of(other).async_refresh()
    for second, flat in ((370, 1), (371, 2), (372, 3)):
        await at(local, second, grid_in=1400, flat=flat)
        await site_of(other).async_refresh()
    await at(local, 600, grid_in=1500, flat=10)
    await site_of(other).async_refresh()
    await hass.async_block_till_done()
    ours, theirs = await latest(local), await latest(other)
    assert ours is not None
    assert theirs is not None
    assert (ours.seconds, set(ours.taps)) == (60, {"T1", "T2"})
    assert (theirs.seconds, set(theirs.taps)) == (300, {"T1"})
    asked = {issue for domain, issue in ir.async_get(hass).issues if domain == DOMAIN}
    assert {f"meter_exchanged_{local.entry_id}_T2", f"meter_exchanged_{other.entry_id}_T1"} <= asked
    await hass.config_entries.async_remove(other.entry_id)
    asked = {issue for domain, issue in ir.async_get(hass).issues if domain == DOMAIN}
    assert f"meter_exchanged_{local.entry_id}_T2" in asked
    assert not any(other.entry_id in issue for issue in asked)
