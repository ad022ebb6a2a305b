"""A series follows its market: prices come in as they arrive, and late words change nothing that settled."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, update

from cloud.hub.devices.store import hub_device_table
from cloud.hub.events.store import hub_event_table
from cloud.hub.quantity import Quantity
from cloud.notice.kind import PRICES
from cloud.notice.store import notice_table, tell_prices_changed
from cloud.tariff.market.job import LOOK_AGAIN_SECONDS, SLACK_SECONDS, Follower
from cloud.tariff.market.store import tariff_market_table
from cloud.tariff.series.store import tariff_price_table
from cloud.tariff.store import mark_used
from cloud.wire import time_text
from tests.cloud.conftest import COMMUNITY, INTERVAL, NOON, Cloud, Site
from tests.cloud.people import ANNA, BEN, MANAGER, UPPER

from .ground import listed
from .market_ground import LEGS, half_hours, market, path, prices, put, says, series, told, turn

RULE = {"device": "gb"} | LEGS


async def kinds(cloud: Cloud) -> list[tuple[str, int]]:
    """Return what the event log says of the market."""
    rows = await cloud.rows(hub_event_table, who="market")
    return [(row.kind, row.count) for row in sorted(rows, key=lambda row: str(row.event))]


async def test_prices_come_in_as_they_arrive(cloud: Cloud) -> None:
    """100 points a pound: 0.08 GBP/kWh are 8 points, times 1.2 and 10 more; nothing is made up for what is missing."""
    await market(cloud)
    await series(cloud)
    reply = await put(cloud, RULE | {"local": {"between": "0.5"}})
    assert (reply.status, reply.json) == (201, {"result": "created"})
    assert (await put(cloud, RULE | {"local": {"between": "0.5"}})).json == {"result": "exists"}
    assert await turn(cloud) == 0
    await says(cloud, half_hours(NOON - INTERVAL, 70_000, 80_000, -12_345))
    await says(cloud, half_hours(NOON + 3 * INTERVAL, 85_125))
    assert await turn(cloud) == 3
    assert await prices(cloud, NOON, 5) == [19_600, 8519, None, 20_215, None]
    assert await prices(cloud, NOON, 2, "grid_sell") == [8000, -1234]  # half to even
    assert await prices(cloud, NOON, 2, "local") == [13_800, 3642]
    assert await turn(cloud) == 0
    (first, *_) = await cloud.rows(tariff_price_table, start=NOON + INTERVAL)
    assert (first.grid_buy_text, first.grid_sell_text, first.local_text) == ("8.5186", "-1.2345", "3.64205")
    found = await told(cloud)
    assert found["known_until"] == time_text(NOON + 4 * INTERVAL)
    hole = {"start": time_text(NOON + 2 * INTERVAL), "end": time_text(NOON + 3 * INTERVAL), "reason": "missing"}
    assert (found["gaps"], found["corrections"], found["trouble"]) == ([hole], 0, None)
    [rule] = found["rules"]
    assert (rule["currency"], rule["points_per_unit"], rule["buy"]["factor"]) == ("GBP", 100, "1.2")
    assert await kinds(cloud) == [("price-taken", 3)]


async def test_a_late_word_fills_a_hole_and_an_unused_price_gives_way(cloud: Cloud) -> None:
    """As long as nothing was settled by it; the sites are told of prices to come, and not of those gone by."""
    await market(cloud)
    await series(cloud, NOON - 10 * INTERVAL)
    await put(cloud, RULE, valid_from=NOON - 10 * INTERVAL)
    await cloud.join()
    follower = Follower(cloud.database, tell_prices_changed)
    await says(cloud, half_hours(NOON - 10 * INTERVAL, 1000, 2000))
    before = await cloud.count(notice_table, kind=PRICES)
    assert await turn(cloud, follower) == 2
    assert await cloud.count(notice_table, kind=PRICES) == before
    await says(cloud, half_hours(NOON - 8 * INTERVAL, 3000) + half_hours(NOON, 5000))
    cloud.clock.forward(1)
    await says(cloud, half_hours(NOON - 9 * INTERVAL, 2500))
    assert await turn(cloud, follower) == 3
    assert await prices(cloud, NOON - 10 * INTERVAL, 4) == [10_120, 10_300, 10_360, None]
    assert await cloud.count(notice_table, kind=PRICES) == before + 1
    assert (await told(cloud, valid_from=NOON - 10 * INTERVAL))["corrections"] == 0


async def test_a_word_after_the_price_was_used_stands_beside(cloud: Cloud) -> None:
    """What settled stands, whatever the market says later; it is told once, and again when the word changes."""
    await market(cloud)
    await series(cloud)
    await put(cloud, RULE)
    await says(cloud, half_hours(NOON, 1000, 1000))
    follower = Follower(cloud.database)
    await turn(cloud, follower)
    await cloud.database.write(mark_used, COMMUNITY, {("", NOON): NOON + INTERVAL})
    cloud.clock.forward(10)
    await says(cloud, half_hours(NOON, 2000, 2000))
    assert await turn(cloud, follower) == 1
    assert await turn(cloud, Follower(cloud.database)) == 0
    assert await prices(cloud, NOON, 2) == [10_120, 10_240]
    found = await told(cloud)
    [late] = found["latest"]
    assert (found["corrections"], late["start"]) == (1, time_text(NOON))
    assert late["noticed_at"] == time_text(NOON + 10)
    assert (late["stands"]["grid_buy"], late["said"]["grid_buy"]) == ("10.12", "10.24")
    assert (late["stands"]["grid_buy_micro_per_wh"], late["said"]["grid_buy_micro_per_wh"]) == (10_120, 10_240)
    cloud.clock.forward(10)
    await says(cloud, half_hours(NOON, 1000))  # and back again
    await turn(cloud, follower)
    assert [item["said"]["grid_buy"] for item in (await told(cloud))["latest"]] == ["10.12", "10.24"]
    assert await kinds(cloud) == [
        ("price-taken", 2),
        ("price-taken", 1),
        ("price-corrected", 1),
        ("price-corrected", 1),
    ]


async def test_a_new_rule_holds_from_where_nothing_is_settled(cloud: Cloud) -> None:
    """The old one is kept for what it settled; with none, prices stay as they are and no more come."""
    await market(cloud)
    await series(cloud)
    await put(cloud, RULE)
    await says(cloud, half_hours(NOON, 1000, 1000, 1000))
    await turn(cloud)
    await cloud.database.write(mark_used, COMMUNITY, {("", NOON): NOON + INTERVAL})
    reply = await put(cloud, RULE | {"buy": {"add": "1"}})
    assert (reply.status, reply.json["result"]) == (200, "replaced")
    assert await turn(cloud) == 2
    assert await prices(cloud, NOON, 3) == [10_120, 1100, 1100]
    found = await told(cloud)
    assert [(rule["since"], rule["until"]) for rule in found["rules"]] == [
        (time_text(NOON), time_text(NOON + INTERVAL)),
        (time_text(NOON + INTERVAL), None),
    ]
    assert found["corrections"] == 0
    assert (await cloud.operator("DELETE", path(NOON, None))).status == 204
    assert (await cloud.operator("DELETE", path(NOON, None))).status == 404
    await says(cloud, half_hours(NOON + 3 * INTERVAL, 1000))
    assert await turn(cloud) == 0
    assert await prices(cloud, NOON, 4) == [10_120, 1100, 1100, None]


async def test_a_tariff_that_is_no_series_any_more_follows_nothing(cloud: Cloud) -> None:
    """Neither does one that is deleted; both settled nothing."""
    await market(cloud)
    await series(cloud)
    await series(cloud, NOON + INTERVAL)
    await put(cloud, RULE)
    await put(cloud, RULE, valid_from=NOON + INTERVAL)
    await says(cloud, half_hours(NOON, 1000, 1000))
    await turn(cloud)
    flat = {"local": None, "grid_buy": "1", "grid_sell": "1"}
    where = path(NOON, None).removesuffix("/market")
    assert (await cloud.operator("PUT", where, flat)).json["result"] == "replaced"
    later = path(NOON + INTERVAL, None).removesuffix("/market")
    assert (await cloud.operator("DELETE", later)).status == 204
    assert await cloud.count(tariff_market_table) == 0
    assert (await put(cloud, RULE)).status == 422


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_an_owner_may_follow_a_market_of_its_own(cloud: Cloud) -> None:
    """Grid prices only; the local one is the community's."""
    await market(cloud)
    await series(cloud, owner="anna")
    assert (await put(cloud, RULE | {"local": {"between": "0.5"}}, owner="anna")).status == 400
    assert (await put(cloud, RULE | {"point": "north"}, owner="anna")).status == 201
    await says(cloud, half_hours(NOON, 1000), point="north")
    await says(cloud, half_hours(NOON, 9000), point="south")
    assert await turn(cloud) == 1
    (row,) = await cloud.rows(tariff_price_table)
    assert (row.owner, row.local_text, row.grid_buy_text) == ("anna", None, "10.12")
    assert (await ANNA.call(cloud, "GET", f"owners/anna/tariffs/{time_text(NOON)}/market")).status == 200
    assert (await BEN.call(cloud, "GET", f"owners/anna/tariffs/{time_text(NOON)}/market")).status == 403


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"device": "nobody"}, 404, "no device nobody of kind context"),
    ({"device": "meter-1"}, 404, "no device meter-1 of kind context"),
    ({"device": "yen"}, 422, "not in the currency"),
    ({"buy": {"factor": "1e3"}}, 400, "buy.factor"),
    ({"buy": {"factor": "1.1234567"}}, 400, "buy.factor"),
    ({"buy": {"quantity": "power"}}, 400, "buy.quantity"),
    ({"local": {"between": "1.01"}}, 400, "between"),
    ({"local": {}}, 422, "either between or leg"),
    ({"local": {"between": "0", "leg": {}}}, 422, "either between or leg"),
    ({"point": "a\nb"}, 400, "point"),
]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_what_makes_no_rule_is_refused_by_name(cloud: Cloud) -> None:
    """Another device, another money, numbers that are none, both ways to a local price."""
    await market(cloud)
    await series(cloud)
    await listed(cloud, "meter-1")
    await listed(cloud, "yen", kind="context", currency="JPY")
    for change, status, says_why in REFUSED:
        reply = await put(cloud, RULE | change)
        assert (reply.status, says_why in reply.json["detail"]) == (status, True), reply.json
    assert (await put(cloud, RULE | {"device": "yen"})).problem == "currency-differs"
    assert (await put(cloud, RULE, valid_from=NOON + INTERVAL)).status == 404
    assert (await cloud.operator("GET", path(NOON, None))).status == 404
    for caller in (UPPER, ANNA):
        assert (await caller.call(cloud, "PUT", f"tariffs/{time_text(NOON)}/market", RULE)).status == 403
    assert (await MANAGER.call(cloud, "PUT", f"tariffs/{time_text(NOON)}/market", RULE)).status == 201


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_community_without_money_can_follow_no_market(cloud: Cloud) -> None:
    """Nobody knows what a pound would be in points."""
    await market(cloud, currency=None)
    await series(cloud)
    reply = await put(cloud, RULE)
    assert (reply.status, "points_per_unit" in reply.json["detail"]) == (422, True)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_what_a_point_is_worth_later_moves_no_price(cloud: Cloud) -> None:
    """A rule is bound to the money it was made for, as rules by the clock are to their time zone."""
    await market(cloud)
    await series(cloud)
    await put(cloud, RULE)
    settings = {"name": "R", "time_zone": "Europe/London", "interval_seconds": INTERVAL}
    await cloud.operator("PUT", COMMUNITY, settings | {"currency": "GBP", "points_per_unit": 7})
    await says(cloud, half_hours(NOON, 1000))
    assert await turn(cloud) == 1
    assert await prices(cloud, NOON, 1) == [10_120]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_news_are_looked_at_and_what_is_old_only_now_and_then(cloud: Cloud) -> None:
    """A quiet market costs one glance; a hole has everything looked at; each hour all of it is."""
    await market(cloud)
    long_ago = NOON - 400 * INTERVAL
    await series(cloud, long_ago)
    await put(cloud, RULE, valid_from=long_ago)
    await says(cloud, half_hours(long_ago, *[1000] * 401))
    follower = Follower(cloud.database)
    assert await turn(cloud, follower) == 401
    cloud.clock.forward(SLACK_SECONDS + 5)
    assert await turn(cloud, follower) == 0
    await says(cloud, [(long_ago, INTERVAL, 5)])  # complete so far: an old word waits for the hour
    assert await turn(cloud, follower) == 0
    cloud.clock.forward(LOOK_AGAIN_SECONDS)
    assert await turn(cloud, follower) == 1
    await says(cloud, half_hours(NOON + 2 * INTERVAL, 1000))
    assert await turn(cloud, follower) == 1  # with a hole behind it
    await says(cloud, [*half_hours(NOON + INTERVAL, 1000), (long_ago, INTERVAL, 6)])
    assert await turn(cloud, follower) == 2


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_series_that_cannot_be_read_stops_no_other(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, and goes on when it is mended."""
    await market(cloud)
    await series(cloud)
    await series(cloud, NOON + INTERVAL)
    await put(cloud, RULE)
    await put(cloud, RULE, valid_from=NOON + INTERVAL)
    await says(cloud, half_hours(NOON, 1000, 1000))
    broken = update(tariff_market_table).filter_by(valid_from=NOON)

    async def write(factor: str) -> None:
        await cloud.database.write(lambda conn: conn.execute(broken.values(buy_factor=factor)))

    await write("damaged by a disk")
    follower = Follower(cloud.database)
    assert await turn(cloud, follower) == 1
    assert await turn(cloud, follower) == 0
    assert [record.message for record in caplog.records].count("following a market failed") == 1
    await write("1.2")
    assert await turn(cloud, follower) == 2
    caplog.clear()  # the error was asked for


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_prices_of_buying_and_selling_may_be_two(cloud: Cloud, site: Site) -> None:
    """Some markets tell both; where one is missing, the interval has no price."""
    assert site
    await market(cloud)
    await series(cloud)
    legs = {"buy": {"quantity": "buy_price"}, "sell": {"quantity": "sell_price"}}
    assert (await put(cloud, {"device": "gb"} | legs)).status == 201
    await says(cloud, half_hours(NOON, 3000, 3000), quantity=Quantity.BUY_PRICE)
    await says(cloud, half_hours(NOON, 1000), quantity=Quantity.SELL_PRICE)
    assert await turn(cloud) == 1
    assert await prices(cloud, NOON, 2) == [300, None]
    assert await prices(cloud, NOON, 1, "grid_sell") == [100]


async def test_two_processes_that_follow_at_once_take_each_price_once(cloud: Cloud) -> None:
    """Whoever comes second finds nothing left; nothing fails."""
    await market(cloud)
    await series(cloud)
    await put(cloud, RULE)
    await says(cloud, half_hours(NOON, *range(1000, 1100)))
    await asyncio.gather(*(turn(cloud, Follower(cloud.database)) for _ in range(3)))
    assert await cloud.count(tariff_price_table) == 100
    assert sum(count for kind, count in await kinds(cloud) if kind == "price-taken") == 100


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_device_that_speaks_of_other_money_now_is_followed_no_more(cloud: Cloud) -> None:
    """Nothing is taken over, and whoever looks sees why; when it speaks of the old one again, it goes on."""
    await market(cloud)
    await series(cloud)
    await put(cloud, RULE)

    def speak(conn: Connection, currency: str) -> None:
        conn.execute(update(hub_device_table).filter_by(device="gb").values(currency=currency))

    for currency, trouble, taken in (("JPY", "currency-differs", 0), ("GBP", None, 1)):
        await cloud.database.write(speak, currency)
        await says(cloud, half_hours(NOON, 1000))
        assert await turn(cloud) == taken
        assert (await told(cloud))["trouble"] == trouble
