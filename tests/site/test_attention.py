"""Repairs about meters and the clock: they name what a person can compare, and go when it is settled."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.repairs import DOMAIN as REPAIRS, RepairsFlowManager, repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest

from custom_components.commonwatt import attention
from custom_components.commonwatt.attention import exchanged_id
from custom_components.commonwatt.const import DOMAIN

from .conftest import set_energy
from .house import START_S, MockConfigEntry, entities_source, site_of, subentry, value
from .test_pump import At, at, latest

__all__ = ["at"]


def issue(hass: HomeAssistant, issue_id: str) -> ir.IssueEntry | None:
    """Return an issue that a person sees."""
    return ir.async_get(hass).async_get_issue(DOMAIN, issue_id)


def words(found: ir.IssueEntry | None) -> dict[str, str]:
    """Return what an issue names."""
    assert found is not None
    return dict(found.translation_placeholders or {})


async def exchange(entry: MockConfigEntry, at: At) -> None:
    """Put another meter in at the root."""
    await at(entry, 60, grid_in=1000)
    await at(entry, 80, grid_in=1040)
    for second, register in ((81, 5), (82, 6), (83, 7)):
        await at(entry, second, grid_in=register)


async def test_an_exchanged_meter_is_asked_about_and_confirmed(
    hass: HomeAssistant, local: MockConfigEntry, at: At, expected_logs: list[str]
) -> None:
    """The question names the tap and its registers before and after; a word takes it away."""
    expected_logs += ["a register is refused", "was exchanged or reset", "zlib_ng"]
    assert await async_setup_component(hass, REPAIRS, {})
    await exchange(local, at)
    issue_id = exchanged_id(local.entry_id, "T1")
    found = issue(hass, issue_id)
    assert found is not None
    assert (found.is_fixable, found.is_persistent) == (True, True)
    assert words(found) == {
        "tap": "Main meter",
        "before": "1.040 kWh / 0.000 kWh",
        "after": "0.007 kWh / 0.000 kWh",
        "at": "2026-11-20 21:01-08:00",
    }
    flows: RepairsFlowManager | None = repairs_flow_manager(hass)
    assert flows is not None
    form: Any = await flows.async_init(DOMAIN, data={"issue_id": issue_id})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "confirm")
    assert form["description_placeholders"]["before"] == "1.040 kWh / 0.000 kWh"
    done: Any = await flows.async_configure(form["flow_id"], {})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert issue(hass, issue_id) is None


async def test_a_meter_that_a_person_exchanged_is_not_asked_about(
    hass: HomeAssistant, local: MockConfigEntry, at: At, expected_logs: list[str]
) -> None:
    """Another source was chosen for the tap: its registers may begin elsewhere, and a question that stood goes."""
    expected_logs += ["a register is refused", "was exchanged or reset"]
    await exchange(local, at)
    assert issue(hass, exchanged_id(local.entry_id, "T1")) is not None
    set_energy(hass, {"sensor.new": 3})
    meter = local.subentries[site_of(local).taps["T1"].subentry_id]
    hass.config_entries.async_update_subentry(
        local, meter, data={**meter.data, "source": entities_source("sensor.new")}
    )
    await hass.async_block_till_done()
    assert issue(hass, exchanged_id(local.entry_id, "T1")) is None
    for second in (90, 91, 92):
        await at(local, second, new=second - 86)
    assert value(hass, local, "T1_import_energy") != "unavailable"
    await at(local, 120, new=20)
    kept = await latest(local)
    assert kept is not None
    assert kept.taps["T1"].quality == ("reset",)
    assert issue(hass, exchanged_id(local.entry_id, "T1")) is None


async def test_questions_go_with_their_tap_and_with_the_site(
    hass: HomeAssistant, local: MockConfigEntry, at: At, expected_logs: list[str]
) -> None:
    """Nobody is asked about a meter that is no longer there."""
    expected_logs += ["a register is refused", "was exchanged or reset"]
    await at(local, 60, flat=1000)
    for second, register in ((81, 5), (82, 6), (83, 7)):
        await at(local, second, grid_in=register, flat=register)
    assert issue(hass, exchanged_id(local.entry_id, "T2")) is not None
    hass.config_entries.async_remove_subentry(local, site_of(local).taps["T2"].subentry_id)
    await hass.async_block_till_done()
    assert issue(hass, exchanged_id(local.entry_id, "T2")) is None
    assert issue(hass, exchanged_id(local.entry_id, "T1")) is not None
    await hass.config_entries.async_remove(local.entry_id)
    assert issue(hass, exchanged_id(local.entry_id, "T1")) is None


async def test_a_device_silent_for_a_day_is_named_with_when_it_was_heard(
    hass: HomeAssistant, local: MockConfigEntry, at: At, expected_logs: list[str]
) -> None:
    """A night is no news; it goes when the device is back."""
    expected_logs.append("The meter of Tap T2 is silent")
    await at(local, 60, grid_in=1000, flat=500)
    hass.states.async_set("sensor.flat", "unavailable")
    for hours in (12, 23):
        await at(local, hours * 3600, grid_in=1000)
        assert issue(hass, f"device_silent_{local.entry_id}") is None
    await at(local, 25 * 3600, grid_in=1000)
    assert words(issue(hass, f"device_silent_{local.entry_id}"))["taps"] == "Tap T2 (2026-11-20 21:01-08:00)"
    await at(local, 26 * 3600, grid_in=1000, flat=600)
    assert issue(hass, f"device_silent_{local.entry_id}") is None


async def test_a_clock_that_is_not_set_stops_the_reading_and_nothing_is_invented(
    hass: HomeAssistant,
    make_local: Callable[..., MockConfigEntry],
    freezer: FrozenDateTimeFactory,
    at: At,
) -> None:
    """A machine without a battery starts in 1970: nothing is recorded before it knows the time, and then it begins."""
    freezer.move_to("1970-01-01T00:00:10+00:00")
    set_energy(hass, {"sensor.grid_in": 1000})
    entry = make_local(subentry("T1", "meter", source=entities_source("sensor.grid_in")))
    assert await hass.config_entries.async_setup(entry.entry_id)
    freezer.tick(timedelta(minutes=5))
    await site_of(entry).async_refresh()
    assert issue(hass, f"clock_not_set_{entry.entry_id}") is not None
    assert await latest(entry) is None
    await at(entry, 30, grid_in=1100)
    assert issue(hass, f"clock_not_set_{entry.entry_id}") is None
    await at(entry, 60, grid_in=1110)
    await at(entry, 120, grid_in=1140)
    kept = await latest(entry)
    assert kept is not None
    assert (kept.start, kept.taps["T1"].import_wh) == (START_S + 60, (30,))
    assert value(hass, entry, "owner_anna_net_energy") == "0.03"


async def test_after_a_restart_into_1970_the_site_goes_on_where_it_was(
    hass: HomeAssistant, local: MockConfigEntry, freezer: FrozenDateTimeFactory, at: At
) -> None:
    """Energy that flowed meanwhile is found again, once."""
    await at(local, 60, grid_in=1000, flat=500)
    await at(local, 120, grid_in=1030, flat=520)
    assert await hass.config_entries.async_unload(local.entry_id)
    freezer.move_to("1970-01-01T00:00:10+00:00")
    assert await hass.config_entries.async_setup(local.entry_id)
    assert issue(hass, f"clock_not_set_{local.entry_id}") is not None
    await at(local, 300, grid_in=1100, flat=560)
    await at(local, 360, grid_in=1110, flat=565)
    assert issue(hass, f"clock_not_set_{local.entry_id}") is None
    assert issue(hass, f"clock_set_back_{local.entry_id}") is None
    assert value(hass, local, "owner_anna_net_energy") == str((110 - 65) / 1000)
    assert value(hass, local, "owner_ben_net_energy") == str(65 / 1000)


async def test_a_clock_years_ahead_is_given_time_to_be_corrected(
    hass: HomeAssistant, local: MockConfigEntry, at: At
) -> None:
    """Nothing is closed in the wrong year; once it is right again, the site goes on as if nothing had been."""
    await at(local, 60, grid_in=1000, flat=500)
    await at(local, 120, grid_in=1030, flat=520)
    before = await latest(local)
    await at(local, 120 + 3 * 365 * 86_400, grid_in=1035, flat=521)
    assert issue(hass, f"clock_ahead_{local.entry_id}") is not None
    assert await latest(local) == before
    await at(local, 180, grid_in=1060, flat=530)
    assert issue(hass, f"clock_ahead_{local.entry_id}") is None
    await at(local, 190, grid_in=1061, flat=530)
    kept = await latest(local)
    assert kept is not None
    assert kept.start == START_S + 120
    assert value(hass, local, "owner_ben_net_energy") == "0.03"


async def test_a_machine_that_was_off_for_long_measures_again_after_a_while(
    hass: HomeAssistant, local: MockConfigEntry, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that stays where it is was right; what flowed meanwhile is found in one interval."""
    await at(local, 60, grid_in=1000, flat=500)
    await at(local, 120, grid_in=1030, flat=520)
    later = 120 + 40 * 86_400
    await at(local, later, grid_in=1500, flat=700)
    assert issue(hass, f"clock_ahead_{local.entry_id}") is not None
    monkeypatch.setattr(attention, "CLOCK_PATIENCE_S", 0)
    await at(local, later + 10, grid_in=1501, flat=700)
    assert issue(hass, f"clock_ahead_{local.entry_id}") is None
    assert site_of(local).data.taps["T1"].reading is not None


async def test_three_hours_of_sleep_lose_no_energy(hass: HomeAssistant, local: MockConfigEntry, at: At) -> None:
    """The clock jumps forward, the meters counted on: the intervals slept through are missing, the next has it all."""
    await at(local, 60, grid_in=1000, flat=500)
    await at(local, 120, grid_in=1030, flat=520)
    for second in (10_980, 11_040):
        await at(local, second, grid_in=1000 + second, flat=500 + second // 2)
    kept = await latest(local)
    assert kept is not None
    assert kept.start == START_S + 10_980
    assert value(hass, local, "owner_anna_net_energy") == str((11_040 - 5520) / 1000)
    assert value(hass, local, "owner_ben_net_energy") == "5.52"


async def test_a_clock_set_back_a_little_costs_no_reading_and_tells_nobody(
    hass: HomeAssistant, local: MockConfigEntry, at: At
) -> None:
    """NTP corrects by seconds: the reads of that time are passed over, and the next interval has their energy."""
    await at(local, 60, grid_in=1000)
    await at(local, 120, grid_in=1030)
    await at(local, 125, grid_in=1033)
    await at(local, 110, grid_in=1035)
    assert issue(hass, f"clock_set_back_{local.entry_id}") is None
    assert value(hass, local, "T1_import_energy") == "1.033"
    await at(local, 180, grid_in=1070)
    assert value(hass, local, "owner_anna_net_energy") == "0.07"


def test_the_issue_about_a_tap_is_never_that_of_another() -> None:
    """T1 and T11 are two."""
    assert exchanged_id("entry", "T1") != exchanged_id("entry", "T11")
    assert dt_util.utc_from_timestamp(START_S).isoformat() == "2026-11-21T05:00:00+00:00"
