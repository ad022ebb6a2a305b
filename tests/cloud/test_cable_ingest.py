"""What batches say of cables is derived with their readings, whichever way they came, and once."""

import json
from typing import Any

import pytest
from sqlalchemy import event

from cloud.ingest.cables.store import cable_arrival_table, cable_period_table
from cloud.ingest.job import Releaser
from cloud.ingest.readings.store import reading_table
from cloud.wire import digest, to_bytes

from .cable_ground import SERIAL, START, Host, SigningCable, host, period
from .conftest import COMMUNITY, INTERVAL, NOON, Cloud


@pytest.fixture
async def home(cloud: Cloud) -> Host:
    """Found a community with a site in it."""
    await cloud.found()
    return await host(cloud)


def told(row: Any) -> dict[str, Any]:
    """Return what a row says, but for where and when it was kept."""
    return {name: value for name, value in row._asdict().items() if name not in ("bucket", "derived_at", "placed_at")}


async def test_a_batch_that_comes_in_order_brings_its_cables(home: Host) -> None:
    """Everything the site measured at a cable, at the interval it is about."""
    cloud = home.site.cloud
    await home.report(START)
    place = 52_000_001, -13_000_002
    much = period(-1500, at=1, user="dora", vehicle="EV-1", place=place, meter_wh=520, consumption_wh=2000, before_wh=9)
    assert (await home.report(START + INTERVAL, [period(0, connected=False), much], count=2)).status == 201
    first, second = await cloud.rows(cable_period_table)
    owned = {"community": COMMUNITY, "site": home.id, "cable": SERIAL, "seconds": INTERVAL, "tap": "main"}
    named = {"user": "dora", "vehicle": "EV-1", "latitude": place[0], "longitude": place[1]}
    energy = {"energy_wh": -1500, "connected": 1, "agreement": "match", "epoch": 1, "seq": 2}
    meter = {"meter_wh": 520, "consumption_wh": 2000, "before_wh": 9}
    assert told(second) == owned | named | energy | meter | {"start": START + 2 * INTERVAL}
    assert (first.start, first.connected, first.latitude, first.meter_wh) == (START + INTERVAL, 0, None, None)


async def test_records_come_with_intervals_and_without(home: Host) -> None:
    """In the order of the batch; the cloud has not looked at them yet."""
    cable = SigningCable()
    records = [(SERIAL, cable.sign(START + number * INTERVAL)) for number in range(3)]
    await home.report(START, records=records[:2])
    assert (await home.report(None, records=records[2:])).status == 201
    rows = sorted(await home.site.cloud.rows(cable_arrival_table), key=lambda row: (row.seq, row.number))
    assert [(row.seq, row.number, row.cable, row.ocmf) for row in rows] == [
        (1, 0, *records[0]),
        (1, 1, *records[1]),
        (2, 0, *records[2]),
    ]


async def test_a_batch_without_cables_costs_no_statement(home: Host) -> None:
    """Nearly all that come are such."""
    said: list[str] = []
    engine = home.site.cloud.database.engine

    def hear(_conn: object, _cursor: object, statement: str, *_others: object) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    await home.report(START)
    await home.report(START + INTERVAL)
    assert len(said) > 5
    assert not [text for text in said if "cable_period" in text.split("(")[0] and "INSERT" in text]
    await home.report(START + 2 * INTERVAL, [period(5)])
    assert len([text for text in said if "INSERT INTO cable_period" in text]) == 1
    event.remove(engine, "before_cursor_execute", hear)


async def test_a_batch_that_came_early_brings_its_cables_when_its_turn_comes(home: Host) -> None:
    """Out of order, it waits, and so do its cables and records; sent again, it brings nothing twice."""
    cloud, cable = home.site.cloud, SigningCable()
    first = home.site.batch(start=START)
    data = json.loads(home.site.batch(seq=2, prev=digest(first), start=START + INTERVAL))
    data["intervals"]["cables"] = [{"at": 0, "cable": SERIAL, "tap": "main", "energy_wh": 7} | FLAGS]
    raw = to_bytes(data | {"records": [{"cable": SERIAL, "ocmf": cable.sign(START)}]})
    assert (await home.site.post(raw)).status in (201, 202)
    assert (await cloud.count(cable_period_table), await cloud.count(cable_arrival_table)) == (0, 0)
    await home.site.post(first)
    await Releaser(cloud.database).turn(NOON)
    assert (await home.site.post(raw)).status == 200
    assert (await cloud.count(cable_period_table), await cloud.count(cable_arrival_table)) == (1, 1)


FLAGS = {"connected": True, "agreement": "unknown"}


async def test_a_batch_that_is_held_brings_nothing_before_it_is_released(home: Host) -> None:
    """Its cable records are no more settled than its readings."""
    cloud = home.site.cloud
    await home.report(START)
    held = await home.report(START + INTERVAL, [period(9)], tree_rev=2)
    assert (held.status, held.json["reason"]) == (202, "unknown-tree")
    assert await cloud.count(cable_period_table) == 0
    assert (await home.site.put_tree(2)).status == 201
    await Releaser(cloud.database).turn(NOON)
    (row,) = await cloud.rows(cable_period_table)
    assert (row.energy_wh, row.seq) == (9, 2)


async def test_the_first_report_of_an_interval_stands_when_the_batch_is_amended(home: Host) -> None:
    """Readings may be bettered; what was said of a cable was said."""
    cloud = home.site.cloud
    rough = {
        name: {**columns, "quality": ["estimated"]}
        for name, columns in json.loads(home.site.batch(start=START))["intervals"]["taps"].items()
    }
    data = json.loads(home.site.batch(start=START))
    data["intervals"] |= {"taps": rough, "cables": [{"at": 0, "cable": SERIAL, "tap": "main", "energy_wh": 7} | FLAGS]}
    raw = to_bytes(data)
    assert (await home.site.post(raw)).status == 201
    home.seq, home.prev = 1, digest(raw)
    late = [period(8), period(3, cable="CWC-2")]
    assert (await home.report(START, late, amends=True)).json["result"] == "created"
    assert {(row.cable, row.energy_wh, row.seq) for row in await cloud.rows(cable_period_table)} == {
        (SERIAL, 7, 1),
        ("CWC-2", 3, 2),
    }
    assert {row.quality for row in await cloud.rows(reading_table)} == {"ok"}
