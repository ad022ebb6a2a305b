"""Batches that arrive together are kept exactly as if each had come alone."""

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import pytest
from sqlalchemy import Connection, Table, event, select

from cloud.database import Database
from cloud.ingest import store
from cloud.ingest.arrivals.arrival import Arrival, Evidence
from cloud.ingest.batches.store import batch_table, chain_table, contradiction_table, incident_table
from cloud.ingest.readings.store import reading_table
from cloud.sites.access.store import revoke_key
from cloud.sites.store import site_table
from cloud.wire import GENESIS, Incident, digest, parse_batch

from .conftest import COMMUNITY, INTERVAL, NOON, TREE, Cloud, Site, columns_of

TABLES = (batch_table, chain_table, contradiction_table, incident_table, reading_table)
BATCHES = 7
START = NOON - 20 * INTERVAL


async def paired(cloud: Cloud, count: int) -> list[Site]:
    """Pair some sites that have told their trees."""
    await cloud.found()
    sites = []
    for _ in range(count):
        sites.append(await cloud.join())
        assert (await sites[-1].put_tree()).status == 201
    return sites


def told(site: Site, seq: int, random: Random) -> dict[str, Any]:
    """Return what a batch says: as it should be, or with one thing that is not."""
    start = START + seq * INTERVAL
    others: dict[str, Any] = {"start": start, "taps": columns_of(start)}
    match random.randrange(24):
        case 0:
            columns = columns_of(start)
            others["taps"] = columns | {"ev": replace(columns["ev"], import_wh=(301,))}  # not what its registers say
        case 1:
            others["tree_rev"] = 9  # which nobody knows
        case 2:
            others["incidents"] = (Incident(NOON, "meter-silent", "ev"), Incident(NOON, "clock"))
        case 3:
            soon = NOON + 2 * INTERVAL  # has not happened yet, but will have
            others |= {"start": soon, "taps": columns_of(soon)}
        case 4:
            again = start - 2 * INTERVAL  # was measured before
            others |= {"start": again, "taps": columns_of(again, 2), "count": 2}
        case 5:
            others["prev"] = digest(b"another one")
    return others


def story(site: Site, random: Random) -> list[bytes]:
    """Make a site's batches: some sent twice, contradicted, out of order, or after a later epoch."""
    raws: list[bytes] = []
    for seq in range(1, BATCHES + 1):
        follows = {"prev": digest(raws[-1]) if raws else GENESIS}
        raws.append(site.batch(seq=seq, **(follows | told(site, seq, random))))
    last = raws[-1]
    if random.random() < 0.5:
        raws.insert(random.randrange(BATCHES), random.choice(raws))
    if random.random() < 0.3:
        raws.insert(random.randrange(2, BATCHES), site.batch(seq=2, made_at="2026-11-21T00:00:00Z"))
    if random.random() < 0.3:
        place = random.randrange(BATCHES - 1)
        raws[place], raws[place + 1] = raws[place + 1], raws[place]
    if random.random() < 0.4:
        raws += [site.batch(epoch=2, prev=digest(last), start=NOON - 2 * INTERVAL)]
        raws += [site.batch(seq=BATCHES + 1, prev=digest(last), start=NOON - INTERVAL)]
    return raws


def arrival(site: Site, raw: bytes, turn: int = 0) -> Arrival:
    """Return a batch as the endpoint hands it on; a turn is as long as an interval."""
    received_ms = (NOON + turn * INTERVAL) * 1000
    return Arrival(COMMUNITY, parse_batch(raw), Evidence(raw, digest(raw), site.sign(raw), site.kid, received_ms))


def content(conn: Connection, sites: list[Site]) -> list[Any]:
    """Return every row these sites have made, the sites by their place and signatures left out."""
    places = {site.site: place for place, site in enumerate(sites)}

    def rows(table: Table) -> list[Any]:
        found = conn.execute(select(table).where(table.c.site.in_(places))).mappings()
        return sorted(
            str([(name, places[value] if name == "site" else value) for name, value in row.items()]) for row in found
        )

    quarantined = conn.execute(select(site_table.c.site, site_table.c.quarantined_at)).all()
    return [*map(rows, TABLES), sorted((places[site], at) for site, at in quarantined if site in places)]


@pytest.mark.parametrize("seed", range(16))
async def test_together_is_as_one_by_one(cloud: Cloud, seed: int) -> None:
    """For random stories of five sites: the same answers, and every row the same."""
    sites = await paired(cloud, 5)
    stories = [story(site, Random(seed * 100 + place)) for place, site in enumerate(sites)]
    turns = [
        [arrival(site, told[turn], turn) for site, told in zip(sites, stories, strict=True) if turn < len(told)]
        for turn in range(max(map(len, stories)))
    ]

    alone: list[Any] = []

    def one_by_one(conn: Connection) -> None:
        for turn in turns:
            alone.extend(store.keep(conn, COMMUNITY, item.batch, item.evidence) for item in turn)
        alone.append(content(conn, sites))
        raise KeyError  # takes it all back

    def together(conn: Connection) -> list[Any]:
        return [kept for turn in turns for kept in store.keep_all(conn, turn)] + [content(conn, sites)]

    with pytest.raises(KeyError):
        await cloud.database.write(one_by_one)
    assert await cloud.database.write(together) == alone


async def test_the_plain_next_ones_cost_few_statements(cloud: Cloud) -> None:
    """As many for four sites as for two."""
    sites = await paired(cloud, 6)
    chains = [site.chain(2) for site in sites]

    def statements(conn: Connection, chosen: range, seq: int) -> int:
        said: list[str] = []

        def listen(_c: object, _k: object, statement: str, _p: object, _x: object, _m: bool) -> None:
            said.append(statement)

        event.listen(conn, "before_cursor_execute", listen)
        kept = store.keep_all(conn, [arrival(sites[place], chains[place][seq]) for place in chosen])
        event.remove(conn, "before_cursor_execute", listen)
        assert [item and item.verdict for item in kept] == ["created"] * len(chosen)
        return len(said)

    await cloud.database.write(statements, range(6), 0)  # the first of a chain is looked at by itself
    two = await cloud.database.write(statements, range(2), 1)
    assert two == await cloud.database.write(statements, range(2, 6), 1)
    assert two <= 6
    assert await cloud.count(reading_table) == 2 * 6 * len(TREE)


async def test_a_key_that_was_taken_signs_nothing_more(cloud: Cloud, site: Site) -> None:
    """Even where this process has the key at hand, and another one took it from the site."""
    raws = site.chain(3)
    assert (await site.post(raws[0])).status == 201
    other = Database(cloud.config.database_url)
    assert await other.write(revoke_key, COMMUNITY, site.site, site.kid, NOON)
    other.dispose()
    for _ in range(2):  # as the first one that meets it, and after
        reply = await site.post(raws[1])
        assert reply.problem == "signature-refused"
    assert await cloud.count(batch_table) == 1


async def test_a_stranger_among_others_keeps_nobody(cloud: Cloud) -> None:
    """Many sites at once, one with a key of its own making: it alone is refused."""
    sites = await paired(cloud, 6)
    assert [(await site.post(site.chain(1)[0])).status for site in sites] == [201] * 6
    raws = [site.chain(2)[1] for site in sites]
    forger = replace(sites[3], key=Ed25519PrivateKey.generate())
    replies = await asyncio.gather(
        *(site.post(raw) for site, raw in zip([*sites, forger], [*raws, raws[3]], strict=True))
    )
    assert [reply.status for reply in replies[:6]] == [201] * 6
    assert replies[6].problem == "signature-refused"
    assert await cloud.count(batch_table) == 12
