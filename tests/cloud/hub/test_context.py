"""What context data a community has: until when, with its holes, and every time of which two things were said."""

import pytest

from cloud.hub.context.store import known_until, newest, series as context_series
from cloud.hub.context.value import ContextValue
from cloud.hub.quantity import Quantity
from cloud.hub.reach.area import Box
from cloud.hub.reach.reach import Reach
from cloud.hub.reach.store import put_reach
from cloud.wire import time_text
from tests.cloud.conftest import COMMUNITY, INTERVAL, NOON, Cloud
from tests.cloud.people import ANNA, BEN, MANAGER, PROVIDER, UPPER, made

from .ground import listed
from .market_ground import half_hours, market, says


async def test_context_is_told_with_gaps_and_until_when(cloud: Cloud) -> None:
    """By point and quantity, in whole numbers of a named unit; weather is of instants and has no gaps."""
    await market(cloud)
    await listed(cloud, "weather", kind="context")
    await listed(cloud, "meter-1")
    await says(cloud, half_hours(NOON, 5, 6) + half_hours(NOON + 4 * INTERVAL, 7), point="north")
    await says(cloud, half_hours(NOON, -8), point="south")
    hours = [(NOON + place * 3600, 0, 20_000 + place) for place in range(3)]
    await says(cloud, hours, device="weather", quantity=Quantity.TEMPERATURE)
    reply = await MANAGER.call(cloud, "GET", "context")
    assert reply.status == 200, reply.json
    gb, weather = reply.json["devices"]
    assert (gb["device"], gb["currency"], weather["device"]) == ("gb", "GBP", "weather")
    north, south = gb["holds"]
    hole = {"start": time_text(NOON + 2 * INTERVAL), "end": time_text(NOON + 4 * INTERVAL)}
    assert (north["point"], north["values"], north["gaps"]) == ("north", 3, [hole])
    assert (north["unit"], north["until"]) == (
        "millionths of the currency per kWh",
        time_text(NOON + 5 * INTERVAL),
    )
    assert (south["values"], south["gaps"]) == (1, [])
    [air] = weather["holds"]
    assert (air["quantity"], air["values"], air["first"], air["gaps"]) == ("temperature", 3, time_text(NOON), [])
    assert reply.json["next"] is None


async def test_two_words_on_one_time_are_seen(cloud: Cloud) -> None:
    """What was said first, what stands, and when that came; or that both stand and overlap."""
    await market(cloud)
    await says(cloud, [(NOON, INTERVAL, 5), (NOON + INTERVAL, 2 * INTERVAL, 6), (NOON + 2 * INTERVAL, INTERVAL, 7)])
    cloud.clock.forward(60)
    await says(cloud, [(NOON, INTERVAL, 55)])
    [gb] = (await UPPER.call(cloud, "GET", f"/v1/communities/{COMMUNITY}/context")).json["devices"]
    both, late = gb["contradictions"]
    assert (both["start"], both["value_before"], both["value"], both["noticed_at"]) == (
        time_text(NOON + 2 * INTERVAL),
        6,
        7,
        None,
    )
    assert (late["start"], late["value_before"], late["value"]) == (time_text(NOON), 5, 55)
    assert late["noticed_at"] == time_text(NOON + 60)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_owners_see_it_and_strangers_do_not(cloud: Cloud) -> None:
    """Market prices are nobody's secret within a community."""
    await market(cloud)
    for caller in (ANNA, BEN, MANAGER, UPPER):
        assert (await caller.call(cloud, "GET", "context")).status == 200
    assert (await PROVIDER.call(cloud, "GET", "context")).status == 403
    assert (await ANNA.call(cloud, "GET", "/v1/communities/hillside/context")).status == 403
    assert (await cloud.operator("GET", "hillside/context")).status == 404


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_what_is_out_of_an_upper_systems_reach_is_not_there(cloud: Cloud) -> None:
    """By kind, and by quantity; the others see it as before."""
    await market(cloud)
    await says(cloud, half_hours(NOON, 5))
    await says(cloud, half_hours(NOON, 6), quantity=Quantity.SELL_PRICE)
    client, secret = await made(cloud, "upper")
    token = await cloud.token(client, secret)

    async def seen() -> list[list[str]]:
        reply = await cloud.call("GET", f"/v1/communities/{COMMUNITY}/context", token=token)
        assert reply.status == 200, reply.json
        return [[held["quantity"] for held in item["holds"]] for item in reply.json["devices"]]

    for reach, sees in (
        (Reach(), [["price", "sell_price"]]),
        (Reach(quantities=frozenset({"price"})), [["price"]]),
        (Reach(kinds=frozenset({"meter"})), []),
        (Reach(areas=(Box(0, 0, 1, 1),)), []),
    ):
        await cloud.database.write(put_reach, COMMUNITY, client, reach, by="operator", now_ms=NOON * 1000)
        assert await seen() == sees


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_page_goes_on_and_a_time_without_end_is_refused(cloud: Cloud) -> None:
    """One device at a time; at most a quarter of a year."""
    await market(cloud)
    await listed(cloud, "weather", kind="context")
    first = await cloud.operator("GET", f"{COMMUNITY}/context?limit=1")
    assert ([item["device"] for item in first.json["devices"]], first.json["next"]) == (["gb"], "gb")
    rest = await cloud.operator("GET", f"{COMMUNITY}/context?after=gb")
    assert [item["device"] for item in rest.json["devices"]] == ["weather"]
    for query in (
        f"from={time_text(NOON)}&to={time_text(NOON)}",
        f"from={time_text(0)}&to={time_text(NOON)}",
        f"to={time_text(0)}",
        "from=9999-12-31T23:59:59Z",
    ):
        assert (await cloud.operator("GET", f"{COMMUNITY}/context?{query}")).status == 422
    assert (await cloud.operator("GET", f"{COMMUNITY}/context?from=yesterday")).status == 400


async def test_a_series_holds_at_its_edges(cloud: Cloud) -> None:
    """What began before and still holds belongs to it; what ends where it begins does not, and no instant before."""
    await market(cloud)
    await says(cloud, half_hours(NOON, 5, 6, 7))
    await says(cloud, [(NOON, 0, 1), (NOON + INTERVAL, 0, 2)], quantity=Quantity.TEMPERATURE)

    async def at(start: int, end: int, quantity: Quantity = Quantity.PRICE) -> list[int]:
        found = await cloud.database.read(
            context_series, COMMUNITY, "gb", "", quantity, start_ms=start * 1000, end_ms=end * 1000
        )
        return [value.value for value in found]

    assert await at(NOON, NOON + 3 * INTERVAL) == [5, 6, 7]
    assert await at(NOON + 1, NOON + INTERVAL + 1) == [5, 6]
    assert await at(NOON + INTERVAL, NOON + 2 * INTERVAL) == [6]
    assert await at(NOON, NOON + 1, Quantity.TEMPERATURE) == [1]
    assert await at(NOON + 1, NOON + INTERVAL, Quantity.TEMPERATURE) == []
    named = (COMMUNITY, "gb", "", Quantity.PRICE)
    assert await cloud.database.read(newest, *named) == ContextValue((NOON + 2 * INTERVAL) * 1000, INTERVAL, 7)
    assert await cloud.database.read(known_until, *named) == (NOON + 3 * INTERVAL) * 1000
    assert await cloud.database.read(known_until, COMMUNITY, "gb", "nowhere", Quantity.PRICE) is None
