"""Prices in Home Assistant: what the main owner pays and is paid now, and what a person is told of a broken promise."""

from collections.abc import Callable, Mapping
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from custom_components.commonwatt.wire import parse_time
from custom_components.commonwatt.wire.prices import OwnerPrices, Prices

from .conftest import set_energy
from .fake_cloud import FakeCloud, problem
from .house import START_S, MockConfigEntry, entities_source, entity_id, subentry, value
from .test_cloud import at, issue, until

type Make = Callable[..., MockConfigEntry]

__all__ = ["at"]  # a fixture

SECONDS = 60


class PriceList:
    """What the cloud under test says of prices: Anna's, the same in every interval but those changed."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        self.buy: int | None = 30_000
        self.changed: dict[int, int | None] = {}

    def __call__(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Say the prices of the time that was asked for."""
        start = parse_time(query["from"], "from")
        start -= start % SECONDS
        count = int(query["hours"]) * 3600 // SECONDS
        buys = tuple(self.changed.get(start + place * SECONDS, self.buy) for place in range(count))
        anna = OwnerPrices(buys, (-1_500,) * count)
        prices = Prices(self.cloud.site, "c", start, SECONDS, count, (20_125,) * count, {"anna": anna})
        return prices.plain()


@pytest.fixture
def told(cloud: FakeCloud) -> PriceList:
    """Let the cloud say prices."""
    cloud.documents["prices"] = made = PriceList(cloud)
    return made


@pytest.fixture
def start(hass: HomeAssistant, clock: object, make_paired: Make) -> Callable[[], Any]:
    """Return what starts a site of Anna's."""

    async def started() -> MockConfigEntry:
        set_energy(hass, {"sensor.grid_in": 1000})
        entry = make_paired(subentry("T1", "meter", source=entities_source("sensor.grid_in")))
        assert await hass.config_entries.async_setup(entry.entry_id)
        await until(hass, lambda: value(hass, entry, "cloud_link", "binary_sensor") == "on")
        return entry

    return started


def unit(hass: HomeAssistant, entry: MockConfigEntry, key: str) -> str | None:
    """Return the unit a sensor shows."""
    state = hass.states.get(entity_id(hass, "sensor", entry, key))
    assert state is not None
    return state.attributes.get("unit_of_measurement")


async def loaded(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Wait until prices are in memory, and show them."""
    await until(hass, lambda: entry.runtime_data.cloud.prices.window.words)
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()


async def test_prices_are_shown_in_points_per_kwh(
    hass: HomeAssistant, told: PriceList, start: Callable[[], Any]
) -> None:
    """Those of the interval that runs; what the grid pays may be negative."""
    entry = await start()
    await loaded(hass, entry)
    assert [value(hass, entry, key) for key in ("grid_price", "feed_in_price", "local_price")] == [
        "30.0",
        "-1.5",
        "20.125",
    ]
    assert unit(hass, entry, "grid_price") == "points/kWh"


async def test_prices_are_shown_in_the_communitys_currency_where_it_has_one(
    hass: HomeAssistant, cloud: FakeCloud, told: PriceList, start: Callable[[], Any]
) -> None:
    """By how many points one unit of it is."""
    cloud.currency, cloud.points_per_unit = "EUR", 100
    entry = await start()
    await loaded(hass, entry)
    assert value(hass, entry, "grid_price") == "0.3"
    assert unit(hass, entry, "grid_price") == "EUR/kWh"


async def test_the_price_changes_with_the_interval_and_is_known_without_the_cloud(
    hass: HomeAssistant, told: PriceList, start: Callable[[], Any], at: Callable[..., Any], expected_logs: list[str]
) -> None:
    """What was promised ahead is kept; in a gap the price is unknown."""
    expected_logs += ["Out of step with the cloud"]
    told.changed = {START_S + 60: 45_000, START_S + 120: None}
    entry = await start()
    await loaded(hass, entry)
    assert value(hass, entry, "grid_price") == "30.0"
    told.cloud.refusal = problem(503, "down", "down")
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    await at(entry, 61, grid_in=1010)
    assert value(hass, entry, "grid_price") == "45.0"
    await at(entry, 121, grid_in=1020)
    assert value(hass, entry, "grid_price") == "unknown"


async def test_without_prices_there_is_nothing_to_show(hass: HomeAssistant, start: Callable[[], Any]) -> None:
    """An older cloud does not know the question."""
    entry = await start()
    assert value(hass, entry, "grid_price") == "unknown"


async def test_a_site_that_is_told_of_new_prices_fetches_them(
    hass: HomeAssistant, cloud: FakeCloud, told: PriceList, start: Callable[[], Any], clock: FrozenDateTimeFactory
) -> None:
    """At once; those of intervals to come are taken over."""
    entry = await start()
    await loaded(hass, entry)
    told.changed = {START_S + 60: 45_000}
    await until(hass, lambda: cloud.sockets)
    clock.tick(1)
    await cloud.tell("p1", "prices", {})
    await until(hass, lambda: len(entry.runtime_data.cloud.prices.window.words) == 2)
    assert entry.runtime_data.cloud.prices.window.price_at("anna", START_S + 60).grid_buy_micro_per_wh == 45_000
    assert issue(hass, entry, "price_altered") is None


async def test_a_price_changed_too_late_raises_an_issue(
    hass: HomeAssistant,
    told: PriceList,
    start: Callable[[], Any],
    clock: FrozenDateTimeFactory,
    expected_logs: list[str],
) -> None:
    """The price that stood when the interval began is shown on; the other one is told to the owner."""
    expected_logs.append("another price")
    entry = await start()
    await loaded(hass, entry)
    told.changed = {START_S - 600: 99_000}
    await until(hass, lambda: told.cloud.sockets)
    clock.tick(1)
    await told.cloud.tell("p1", "prices", {})
    await until(hass, lambda: issue(hass, entry, "price_altered"))
    found = issue(hass, entry, "price_altered")
    assert found is not None
    assert found.translation_placeholders == {"owner": "Anna", "start": "2026-11-21T04:50:00Z", "count": "1"}
    assert value(hass, entry, "grid_price") == "30.0"
