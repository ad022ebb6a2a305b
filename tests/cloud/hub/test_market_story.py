"""From a market's own file to a settled point: upload, format, readings, prices of intervals, a statement."""

import csv
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest

from cloud.hub.context.store import series as context_series
from cloud.hub.quantity import Quantity
from cloud.settlement.job import settle
from cloud.tariff.market.job import Follower
from cloud.wire import parse_time, time_text
from tests.cloud.conftest import COMMUNITY, INTERVAL, NOON, Cloud

from .ground import listed
from .market_ground import market, path, prices, put, series

ELEXON = Path(__file__).parents[2] / "data" / "prices" / "elexon_changes_of_the_clock.csv"
LONG_DAY = parse_time("2017-10-28T23:00:00Z", "start")  # London's 29 October: 50 half hours
SHORT_DAY = parse_time("2017-03-26T00:00:00Z", "start")  # 26 March: 46
RULE = {"device": "gb", "buy": {"factor": "1.2", "add": "10", "quantity": "buy_price"}} | {
    "sell": {"quantity": "sell_price"},
    "local": {"between": "0.5"},
}


async def upload(cloud: Cloud, device: str, raw: bytes, content_type: str = "text/csv") -> Any:
    """Send a file as staff does."""
    token = await cloud.token("operator", cloud.operator_secret)
    reply = await cloud.call(
        "POST",
        f"/v1/communities/{COMMUNITY}/devices/{device}/readings",
        token=token,
        data=raw,
        headers={"Content-Type": content_type},
    )
    assert reply.status == 201, reply.json
    return reply.json


def rounded(points: Decimal) -> int:
    """Return micro-points per Wh."""
    return int((points * 1000).to_integral_value(ROUND_HALF_EVEN))


def published(day: str) -> list[Decimal]:
    """Return what Elexon published for a day, in points per kWh: 100 points a pound, a millionth of it the least."""
    with ELEXON.open(encoding="utf-8", newline="") as file:
        pounds = [
            Decimal(row["System Buy Price(£/MWh)"]) / 1000
            for row in csv.DictReader(file)
            if row["Settlement Date"] == day
        ]
    return [price.quantize(Decimal("0.000001"), ROUND_HALF_EVEN) * 100 for price in pounds]


async def test_a_file_of_the_market_becomes_points_to_the_micro_point(cloud: Cloud) -> None:
    """On the days the clocks change, at prices below zero: what Elexon published is what three owners are charged."""
    cloud.clock.ms = (LONG_DAY + 60 * INTERVAL) * 1000
    await market(cloud)
    site = await cloud.join()
    assert (await site.put_tree()).status == 201
    await series(cloud, SHORT_DAY)
    assert (await put(cloud, RULE, valid_from=SHORT_DAY)).status == 201
    taken = await upload(cloud, "gb", ELEXON.read_bytes())
    assert (taken["stored"], taken["faults"]) == (2 * 97, [])
    await Follower(cloud.database).turn(cloud.clock.ms // 1000)

    for day, start, count in (("26/03/2017", SHORT_DAY, 46), ("29/10/2017", LONG_DAY, 50)):
        said = published(day)
        assert len(said) == count
        assert await prices(cloud, start, count) == [rounded(price * Decimal("1.2") + 10) for price in said]
        assert await prices(cloud, start, count, "grid_sell") == [rounded(price) for price in said]
        assert await prices(cloud, start - INTERVAL, 1) == [None]
        assert await prices(cloud, start + count * INTERVAL, 1) == [None]
    assert min(published("29/10/2017")) < 0

    for raw in site.chain(4, start=LONG_DAY):
        assert (await site.post(raw)).status == 201
    await settle(cloud.database, cloud.clock.ms // 1000)
    buys = [price * Decimal("1.2") + 10 for price in published("29/10/2017")[:4]]
    sells = published("29/10/2017")[:4]
    local = [rounded(sell + (buy - sell) / 2) for buy, sell in zip(buys, sells, strict=True)]
    owed = {
        "anna": [-(333 * here + 517 * rounded(buy)) for here, buy in zip(local, buys, strict=True)],
        "ben": [-(117 * here + 183 * rounded(buy)) for here, buy in zip(local, buys, strict=True)],
        "sun": [450 * here for here in local],
    }
    times = f"from={time_text(LONG_DAY)}&to={time_text(LONG_DAY + 4 * INTERVAL)}"
    for owner, points in owed.items():
        reply = await cloud.operator("GET", f"{COMMUNITY}/owners/{owner}/statement?{times}")
        assert [line["points_micro"] for line in reply.json["lines"]] == points, owner

    cloud.clock.forward(3600)
    corrected = ELEXON.read_bytes().replace(b"29/10/2017,2,-69.17,-69.17", b"29/10/2017,2,-70,-70")
    assert (await upload(cloud, "gb", corrected))["revised"] == 2
    await Follower(cloud.database).turn(cloud.clock.ms // 1000)
    told = (await cloud.operator("GET", path(SHORT_DAY, None))).json
    [late] = told["latest"]
    assert (late["start"], late["said"]["grid_sell"]) == (time_text(LONG_DAY + INTERVAL), "-7")
    assert late["stands"]["grid_sell"] == "-6.917"
    await settle(cloud.database, cloud.clock.ms // 1000)
    reply = await cloud.operator("GET", f"{COMMUNITY}/owners/anna/statement?{times}")
    assert [line["points_micro"] for line in reply.json["lines"]] == owed["anna"]
    assert reply.json["totals"]["corrections_micro"] == 0


JEPX = """年月日,時刻コード,システムプライス(円/kWh),エリアプライス北海道(円/kWh),エリアプライス東京(円/kWh)
2026/11/22,1,10.25,11.00,12.34
2026/11/22,2,9.99,0.01,0.01
2026/11/22,48,8.50,9.00,15.67
"""


@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_tomorrows_prices_of_japan_are_there_today(cloud: Cloud, encoding: str) -> None:
    """Half hours of Tokyo's day, its own area alone, a point being a yen; nobody waits for midnight."""
    await market(cloud, currency="JPY", points=1)
    await listed(cloud, "jepx", kind="context", currency="JPY")
    midnight = parse_time("2026-11-21T15:00:00Z", "start")
    await series(cloud, NOON)
    rule = {"device": "jepx", "point": "tokyo", "buy": {"add": "9.5"}, "sell": {"factor": "0.8"}}
    assert (await put(cloud, rule)).status == 201
    taken = await upload(cloud, "jepx", JEPX.encode(encoding))
    assert taken["faults"] == []
    assert await Follower(cloud.database).turn(NOON) == 3
    assert await prices(cloud, midnight - INTERVAL, 4) == [None, 21_840, 9510, None]
    assert await prices(cloud, midnight + 47 * INTERVAL, 2) == [25_170, None]
    assert await prices(cloud, midnight, 2, "grid_sell") == [9872, 8]


WEATHER = b"""{"latitude": 52.52, "longitude": 13.42, "utc_offset_seconds": 3600,
 "hourly_units": {"time": "iso8601", "temperature_2m": "\xc2\xb0C", "shortwave_radiation": "W/m\xc2\xb2"},
 "hourly": {"time": ["2026-11-21T14:00", "2026-11-21T15:00"],
  "temperature_2m": [10.0, -0.3], "shortwave_radiation": [120.5, 8]}}"""
LOAD = b"""measured_at,power_kw
2026-11-21T12:00:00Z,1250.5
2026-11-21T12:30:00Z,-3.25
"""


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_weather_and_loads_are_context_like_prices(cloud: Cloud) -> None:
    """A forecast as a service tells it, the loads of a feeder as a table: read back as series of whole numbers."""
    await market(cloud)
    await listed(cloud, "weather", kind="context")
    await listed(cloud, "feeder-load", kind="context")
    await upload(cloud, "weather", WEATHER, "application/json")
    cloud.clock.forward(3600)  # a load is measured, not foreseen
    await upload(cloud, "feeder-load", LOAD)

    async def values(device: str, quantity: Quantity) -> list[tuple[int, int]]:
        span = {"start_ms": NOON * 1000, "end_ms": (NOON + 86_400) * 1000}
        found = await cloud.database.read(context_series, COMMUNITY, device, "", quantity, **span)
        return [(value.start_ms // 1000 - NOON, value.value) for value in found]

    hours = 3600, 7200
    assert await values("weather", Quantity.TEMPERATURE) == list(zip(hours, (10_000, -300), strict=True))
    assert await values("weather", Quantity.IRRADIANCE) == list(zip(hours, (120_500, 8000), strict=True))
    assert await values("feeder-load", Quantity.POWER) == [(0, 1_250_500_000), (INTERVAL, -3_250_000)]
