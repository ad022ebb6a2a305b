"""Voltage, current and power that a site sends along stand under their measurement time, once, beside its batch."""

import json
from typing import Any

import pytest
from sqlalchemy import event

from cloud.ingest.job import Releaser
from cloud.ingest.telemetry.store import newest, page, telemetry_table
from cloud.wire import GENESIS, Telemetry, digest, to_bytes

from .conftest import COMMUNITY, INTERVAL, NOON, Cloud, Reply, Site

START = NOON - 4 * INTERVAL
AT_MS = (START + INTERVAL) * 1000
VOLTS = Telemetry(AT_MS, "main", {"voltage": 230_100, "power": 1_400_000})
PHASE = Telemetry(AT_MS, "main", {"current": -4_350}, "l2")


def batch(site: Site, telemetry: list[Telemetry], **named: Any) -> bytes:
    """Return a batch with this telemetry."""
    data = json.loads(site.batch(start=named.pop("start", START), **named))
    return to_bytes(data | {"telemetry": [item.plain() for item in telemetry]})


async def sent(site: Site, telemetry: list[Telemetry], **named: Any) -> tuple[Reply, str]:
    """Send such a batch; return the answer and what the next one follows."""
    raw = batch(site, telemetry, **named)
    return await site.post(raw), digest(raw)


def told(rows: list[Any]) -> list[tuple[Any, ...]]:
    """Return what rows say."""
    return sorted((row.measured_ms, row.tap, row.point, row.quantity, row.value) for row in rows)


async def test_telemetry_is_kept_with_its_batch(site: Site) -> None:
    """The first batch of an epoch goes the long way in, the next one that with others: both bring it."""
    reply, prev = await sent(site, [VOLTS, PHASE])
    assert reply.status == 201
    later = Telemetry(AT_MS + INTERVAL * 1000, "ev", {"power": -7})
    assert (await sent(site, [later], seq=2, prev=prev, start=START + INTERVAL))[0].status == 201
    assert told(await site.cloud.rows(telemetry_table)) == [
        (AT_MS, "main", "", "power", 1_400_000),
        (AT_MS, "main", "", "voltage", 230_100),
        (AT_MS, "main", "l2", "current", -4_350),
        (AT_MS + INTERVAL * 1000, "ev", "", "power", -7),
    ]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_only_what_leaves_the_site_anyway_is_kept_and_nothing_of_tomorrow(site: Site) -> None:
    """A tap of no interval, and an instant beyond what a clock may be off; the batch itself stands all the same."""
    inner = Telemetry(AT_MS, "bedroom", {"power": 60_000})
    tomorrow = Telemetry((NOON + 86_400) * 1000, "main", {"power": 1})
    reply, _ = await sent(site, [inner, VOLTS, tomorrow])
    assert reply.status == 201
    assert {row.tap for row in await site.cloud.rows(telemetry_table)} == {"main"}
    assert len(await site.cloud.rows(telemetry_table)) == 2


async def test_the_first_report_of_an_instant_stands(site: Site) -> None:
    """The same instant again, with another word, changes nothing; the batches remain as evidence of both."""
    _, prev = await sent(site, [VOLTS])
    other = Telemetry(AT_MS, "main", {"voltage": 1, "frequency": 50_000})
    assert (await sent(site, [other], seq=2, prev=prev, start=START + INTERVAL))[0].status == 201
    values = {row.quantity: row.value for row in await site.cloud.rows(telemetry_table)}
    assert values == {"voltage": 230_100, "power": 1_400_000, "frequency": 50_000}


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_batch_that_waits_brings_it_when_its_turn_comes(site: Site) -> None:
    """Not before its readings, and not twice."""
    first = batch(site, [VOLTS], prev=GENESIS)
    second = batch(site, [PHASE], seq=2, prev=digest(first), start=START + INTERVAL)
    assert (await site.post(second)).status in (201, 202)
    assert await site.cloud.count(telemetry_table) == 0
    await site.post(first)
    await Releaser(site.cloud.database).turn(NOON)
    assert (await site.post(second)).status == 200
    assert await site.cloud.count(telemetry_table) == 3


async def test_a_batch_without_telemetry_costs_no_statement(site: Site) -> None:
    """Nearly all that come are such."""
    said: list[str] = []
    engine = site.cloud.database.engine

    def hear(_conn: object, _cursor: object, statement: str, *_others: object) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    raw = site.batch(start=START)
    assert (await site.post(raw)).status == 201
    assert len(said) > 3
    assert not [text for text in said if "telemetry" in text]
    assert (await sent(site, [VOLTS], seq=2, prev=digest(raw), start=START + INTERVAL))[0].status == 201
    assert len([text for text in said if "INSERT INTO telemetry" in text]) == 1
    event.remove(engine, "before_cursor_execute", hear)


@pytest.mark.parametrize("limit", [2, 10])
async def test_pages_go_through_time_without_a_gap(cloud: Cloud, site: Site, limit: int) -> None:
    """In order of time, site, tap, point and quantity; each page goes on where the one before ended."""
    await sent(site, [VOLTS, PHASE, Telemetry(AT_MS - 1000, "pv", {"power": 5})])
    found: list[Any] = []
    while True:
        after = {}
        if found:
            last = found[-1]
            after = {"after": (last.measured_ms, last.site, last.tap, last.point, last.quantity)}
        more = await cloud.database.read(page, COMMUNITY, AT_MS - 1000, AT_MS + 1, limit=limit, **after)
        if not more:
            break
        found += more
    assert [(item.measured_ms, item.tap, item.point, item.quantity, item.value) for item in found] == told(
        await cloud.rows(telemetry_table)
    )
    assert await cloud.database.read(page, COMMUNITY, AT_MS - 1000, AT_MS) == found[:1]
    only = await cloud.database.read(page, COMMUNITY, 0, AT_MS + 1, sites=[site.site], quantities=["voltage"])
    assert [item.value for item in only] == [230_100]
    assert await cloud.database.read(page, COMMUNITY, 0, AT_MS + 1, sites=[]) == []
    assert await cloud.database.read(newest, COMMUNITY, site.site) == AT_MS
    assert await cloud.database.read(newest, COMMUNITY, "nobody") is None
