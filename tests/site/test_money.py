"""What the main owner's energy has cost: for today, and for the Energy dashboard over the years."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.statistics import list_statistic_ids, statistics_during_period
from homeassistant.core import HomeAssistant
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util
import pytest

from custom_components.commonwatt import wire
from custom_components.commonwatt.money import statistic_id

from .conftest import set_energy
from .fake_cloud import FakeCloud
from .house import MockConfigEntry, entities_source, subentry, value
from .scribe import nothing
from .test_cloud import issue, until

HALF_HOUR = 1800
TEN = 1_795_255_200  # 2026-11-21T10:00:00Z, two hours after midnight at the test home

pytestmark = pytest.mark.usefixtures("recorder_mock", "clock")


class Statement:
    """What the fake cloud has settled for Anna, given out in pages of two lines."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.corrections: list[dict[str, Any]] = []
        self.movements: list[dict[str, Any]] = []
        self.asked: list[Mapping[str, str]] = []

    def settle(self, start: int, net_wh: int, local_wh: int, points_micro: int) -> None:
        """Add a half hour."""
        line = {"start": wire.time_text(start), "seconds": HALF_HOUR, "net_wh": net_wh, "local_wh": local_wh}
        self.lines.append(line | {"grid_wh": net_wh - local_wh, "points_micro": points_micro, "quality": "ok"})

    def correct(self, booked_at: int, points_micro: int) -> None:
        """Add a correction."""
        self.corrections.append({"booked_at": wire.time_text(booked_at), "points_micro": points_micro})

    def move(self, at: int, kind: str, points_micro: int) -> None:
        """Add points that moved beside energy."""
        self.movements.append({"at": wire.time_text(at), "kind": kind, "points_micro": points_micro})

    def __call__(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Give out a page; whoever wants proof is told of nothing."""
        if "proof" in query:
            return nothing(query)
        self.asked.append(dict(query))
        start, end = query["from"], query["to"]
        due = [line for line in self.lines if start <= line["start"] < end]
        following = due[2]["start"] if len(due) > 2 else None
        until_text = following or end
        booked = [item for item in self.corrections if start <= item["booked_at"] < until_text]
        moved = [item for item in self.movements if start <= item["at"] < until_text]
        return {"v": 1, "lines": due[:2], "corrections": booked, "movements": moved, "next": following}


@pytest.fixture
def statement(cloud: FakeCloud) -> Statement:
    """Let the fake cloud give out statements."""
    statement = Statement()
    cloud.documents["statement"] = statement
    return statement


@pytest.fixture
def start(hass: HomeAssistant, cloud: FakeCloud, make_paired: Callable[..., MockConfigEntry]) -> Callable[..., Any]:
    """Return what runs a paired site with a real recorder."""

    async def run(currency: str | None = "EUR", points_per_unit: int | None = 100) -> MockConfigEntry:
        cloud.currency, cloud.points_per_unit = currency, points_per_unit
        set_energy(hass, {"sensor.grid_in": 1000})
        entry = make_paired(subentry("T1", "meter", source=entities_source("sensor.grid_in")))
        assert await hass.config_entries.async_setup(entry.entry_id)
        await until(hass, lambda: value(hass, entry, "cloud_link", "binary_sensor") == "on")
        return entry

    return run


async def sums(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> dict[str, float]:
    """Return a statistic's running sum by the hour, as the Energy dashboard reads it."""
    await get_instance(hass).async_block_till_done()
    wanted = statistic_id(entry.data["site"], "anna", kind)

    def read() -> dict[str, float]:
        rows = statistics_during_period(
            hass, dt_util.utc_from_timestamp(TEN - 86_400 * 9), None, {wanted}, "hour", None, {"sum"}
        )
        return {
            f"{datetime.fromtimestamp(row['start'], dt_util.UTC):%d %H}": round(row["sum"] or 0, 6)
            for row in rows.get(wanted, [])
        }

    return await get_instance(hass).async_add_executor_job(read)


async def fetched(hass: HomeAssistant, entry: MockConfigEntry, statement: Statement) -> None:
    """Tell the site that something was settled, and wait until it has asked and remembered."""
    before = len(statement.asked)
    entry.runtime_data.cloud.errands.wake()
    await until(hass, lambda: len(statement.asked) > before)
    await until(hass, lambda: entry.runtime_data.cloud.state.today is not None)
    await hass.async_block_till_done(wait_background_tasks=False)


async def test_todays_cost_and_local_share_are_shown(
    hass: HomeAssistant, statement: Statement, start: Callable[..., Any], clock: FrozenDateTimeFactory
) -> None:
    """In the community's currency; what was earned is taken off, and a correction counts when it is booked."""
    clock.move_to(dt_util.utc_from_timestamp(TEN + 5 * HALF_HOUR))
    statement.settle(TEN, 1000, 400, -25_000_000)
    statement.settle(TEN + HALF_HOUR, 600, 0, -18_000_000)
    statement.settle(TEN + 2 * HALF_HOUR, -500, -500, 10_000_000)
    statement.correct(TEN + 2 * HALF_HOUR, -2_000_000)
    entry = await start()
    await until(hass, lambda: value(hass, entry, "cost_today") != "unknown")
    assert float(value(hass, entry, "cost_today")) == 0.35
    assert float(value(hass, entry, "local_share_today")) == 25
    state = next(state for state in hass.states.async_all("sensor") if state.entity_id.endswith("cost_today"))
    assert state.attributes["unit_of_measurement"] == "EUR"
    assert state.attributes["device_class"] == "monetary"
    assert state.attributes["state_class"] == "total"


async def test_a_visiting_cars_energy_leaves_the_cost_once_and_rewards_are_no_cost(
    hass: HomeAssistant, statement: Statement, start: Callable[..., Any], clock: FrozenDateTimeFactory
) -> None:
    """The line has the guest's energy in it; what is given back for it is counted, what a car has earned is not."""
    clock.move_to(dt_util.utc_from_timestamp(TEN + 5 * HALF_HOUR))
    statement.settle(TEN, 1000, 0, -30_000_000)
    statement.move(TEN + HALF_HOUR, "v2g-host", 24_000_000)
    statement.move(TEN + HALF_HOUR, "v2g-reward", 7_000_000)
    statement.move(TEN + HALF_HOUR, "purchase", 50_000_000)
    entry = await start()
    await until(hass, lambda: value(hass, entry, "cost_today") != "unknown")
    assert float(value(hass, entry, "cost_today")) == 0.06
    await fetched(hass, entry, statement)
    assert max((await sums(hass, entry, "cost")).values()) == 0.06


async def test_without_a_currency_cost_is_in_points_and_there_are_no_cost_statistics(
    hass: HomeAssistant, statement: Statement, start: Callable[..., Any], clock: FrozenDateTimeFactory
) -> None:
    """Points are no money; energy is energy all the same."""
    clock.move_to(dt_util.utc_from_timestamp(TEN + 5 * HALF_HOUR))
    statement.settle(TEN, 1000, 0, -30_000_000)
    entry = await start(None, None)
    await until(hass, lambda: value(hass, entry, "cost_today") == "30.0")
    state = next(state for state in hass.states.async_all("sensor") if state.entity_id.endswith("cost_today"))
    assert state.attributes["unit_of_measurement"] == "points"
    assert "device_class" not in state.attributes
    await fetched(hass, entry, statement)
    assert await sums(hass, entry, "used") == {"21 10": 1.0}
    found = await get_instance(hass).async_add_executor_job(list_statistic_ids, hass)
    assert not [item for item in found if item["statistic_id"].endswith(("_cost", "_earned"))]


async def test_statistics_are_hours_with_running_sums(
    hass: HomeAssistant, statement: Statement, start: Callable[..., Any], clock: FrozenDateTimeFactory
) -> None:
    """Used and supplied in kWh, cost and earned in the currency, each for the Energy dashboard."""
    clock.move_to(dt_util.utc_from_timestamp(TEN + 9 * HALF_HOUR))
    for number, (net_wh, points_micro) in enumerate([(1000, -30), (500, -15), (-400, 8), (-100, 2), (200, 1)]):
        statement.settle(TEN + number * HALF_HOUR, net_wh, 0, points_micro * 1_000_000)
    entry = await start()
    await fetched(hass, entry, statement)
    assert await sums(hass, entry, "used") == {"21 10": 1.5, "21 12": 1.7}
    assert await sums(hass, entry, "supplied") == {"21 11": 0.5}
    assert await sums(hass, entry, "cost") == {"21 10": 0.45, "21 12": 0.44}  # a negative price pays for what is used
    assert await sums(hass, entry, "earned") == {"21 11": 0.1}
    found = await get_instance(hass).async_add_executor_job(list_statistic_ids, hass)
    units = {item["statistic_id"].rpartition("_")[2]: item["statistics_unit_of_measurement"] for item in found}
    assert {kind: units[kind] for kind in ("used", "supplied", "cost", "earned")} == {
        "used": "kWh",
        "supplied": "kWh",
        "cost": "EUR",
        "earned": "EUR",
    }


async def test_what_comes_later_goes_on_from_what_was_written(
    hass: HomeAssistant, statement: Statement, start: Callable[..., Any], clock: FrozenDateTimeFactory
) -> None:
    """Days later, after a reload, nothing is counted twice, and what was settled in between is there."""
    clock.move_to(dt_util.utc_from_timestamp(TEN + 3 * HALF_HOUR))
    statement.settle(TEN, 1000, 0, -30_000_000)
    statement.settle(TEN + HALF_HOUR, 1000, 0, -30_000_000)
    entry = await start()
    await fetched(hass, entry, statement)
    await fetched(hass, entry, statement)
    assert await sums(hass, entry, "cost") == {"21 10": 0.6}
    later = TEN + 6 * 86_400
    statement.settle(TEN + 2 * HALF_HOUR, 1000, 0, -10_000_000)
    statement.settle(later, 1000, 0, -20_000_000)
    clock.move_to(dt_util.utc_from_timestamp(later) + timedelta(hours=2))
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: value(hass, entry, "cloud_link", "binary_sensor") == "on")
    await fetched(hass, entry, statement)
    await fetched(hass, entry, statement)
    assert await sums(hass, entry, "cost") == {"21 10": 0.6, "21 11": 0.7, "27 10": 0.9}
    assert statement.asked[-1]["from"] > wire.time_text(TEN)
    assert issue(hass, entry, "cloud_unreachable") is None
