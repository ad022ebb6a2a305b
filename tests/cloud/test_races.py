"""Two at once: one wins, the other hears how it stands, and what is stored is as if they had come in turn."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from cloud.database import insert_new
from cloud.ingest.batches.store import batch_table, contradiction_table, incident_table
from cloud.ingest.quarantine.store import quarantine_lift_table
from cloud.ingest.readings.store import reading_table
from cloud.notice.http import BELL
from cloud.notice.store import post
from cloud.sites.access.store import client_table, known_key_table, site_key_table
from cloud.sites.store import site_table
from cloud.wire import Incident

from .conftest import COMMUNITY, NOON, TREE, Cloud, Site
from .test_notice import heard, socket_of


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Allow the heartbeat timer aiohttp leaves behind when the server closes a socket first."""
    return True


async def test_one_code_lets_one_site_in(cloud: Cloud) -> None:
    """Many boxes show the same code at once: one joins, the others are told to ask for their own."""
    await cloud.found()
    code = await cloud.code()
    replies = await asyncio.gather(*(Site(cloud).pair(code) for _ in range(6)))
    assert Counter(reply.status for reply in replies) == {201: 1, 403: 5}
    for table in (site_table, site_key_table, known_key_table):
        assert await cloud.count(table) == 1


async def test_one_site_that_asks_twice_joins_once(cloud: Cloud) -> None:
    """A box that is impatient: one site, and the secret that was given last opens."""
    await cloud.found()
    code, site = await cloud.code(), Site(cloud)
    twins = [replace(site) for _ in range(6)]
    replies = await asyncio.gather(*(twin.pair(code) for twin in twins))
    assert Counter(reply.status for reply in replies) == {201: 1, 200: 5}
    assert len({twin.site for twin in twins}) == 1
    assert await cloud.count(client_table, scope="site") == 1
    form = {"grant_type": "client_credentials", "client_id": twins[0].site}
    tried = [await cloud.call("POST", "/v1/token", data=form | {"client_secret": twin.secret}) for twin in twins]
    assert Counter(reply.status for reply in tried) == {200: 1, 401: 5}


async def test_one_batch_sent_by_eight_at_once_counts_once(cloud: Cloud, site: Site) -> None:
    """One created, seven exist, one set of readings and incidents."""
    raw = site.batch(count=3, incidents=(Incident(NOON, "meter-silent", "ev"),))
    replies = await asyncio.gather(*(site.post(raw) for _ in range(8)))
    assert Counter((reply.status, reply.json["result"]) for reply in replies) == {
        (201, "created"): 1,
        (200, "exists"): 7,
    }
    assert (await cloud.count(batch_table), await cloud.count(incident_table)) == (1, 1)
    assert await cloud.count(reading_table) == 3 * len(TREE)


async def test_eight_truths_under_one_number_keep_one(cloud: Cloud, site: Site) -> None:
    """The first is the batch, the others contradict it, and all are kept."""
    raws = [site.batch(made_at=f"2026-11-21T11:00:0{second}Z") for second in range(8)]
    replies = await asyncio.gather(*(site.post(raw) for raw in raws))
    assert Counter(reply.status for reply in replies) == {201: 1, 409: 7}
    assert (await cloud.count(batch_table), await cloud.count(contradiction_table)) == (1, 7)
    assert await cloud.count(reading_table) == len(TREE)


async def test_a_row_is_said_to_be_new_once(cloud: Cloud) -> None:
    """Of two who insert the same, one is told it was new, on every store: quarantine hangs on this answer."""
    key = {"kid": "k", "community": "c", "site": "s"}
    told = await asyncio.gather(*(cloud.database.write(insert_new, known_key_table, key) for _ in range(4)))
    assert sorted(told) == [False, False, False, True]


async def test_a_quarantine_lifted_by_two_at_once_is_lifted_once(cloud: Cloud, site: Site) -> None:
    """While the site goes on sending."""
    raws = site.chain(6)
    for raw in (raws[0], site.batch(made_at="2026-11-21T11:00:00Z"), *raws[1:3]):
        await site.post(raw)
    lifting = (
        cloud.operator("POST", f"{COMMUNITY}/sites/{site.site}/quarantine/lift", {"note": "seen"}) for _ in range(4)
    )
    replies = await asyncio.gather(*lifting, *(site.post(raw) for raw in raws[3:]))
    assert Counter(reply.status for reply in replies[:4]) == {201: 1, 200: 3}
    assert await cloud.count(quarantine_lift_table) == 1
    assert {row.seq for row in await cloud.rows(reading_table)} == set(range(1, 7))


async def test_notices_of_one_site_never_reach_another(cloud: Cloud, site: Site) -> None:
    """Neither by asking nor by the socket nor by acknowledging what the other was sent."""
    await cloud.found("hillside")
    others = [await cloud.join(), await cloud.join("hillside")]
    sites = [site, *others]
    async with socket_of(sites[0]) as one, socket_of(sites[1]) as two, socket_of(sites[2]) as three:
        made = {}
        for place, community in zip(sites, (COMMUNITY, COMMUNITY, "hillside"), strict=True):
            times = {"issued_at": NOON, "expires_at": NOON + 60}
            body = {"for": place.site}
            made[place.site] = await cloud.database.write(post, community, place.site, "cut-off", body, **times)
        cloud.client.app[BELL].ring()
        for place, socket in zip(sites, (one, two, three), strict=True):
            notice = await heard(cloud, socket)
            while notice.kind != "cut-off":
                notice = await heard(cloud, socket)
            assert (notice.site, notice.id, notice.body) == (place.site, made[place.site], {"for": place.site})
        for thief in sites:
            for victim in sites:
                path = f"/v1/sites/{thief.site}/notices/{made[victim.site]}/ack"
                status = (await cloud.call("POST", path, token=thief.token)).status
                assert status == (204 if thief is victim else 404)
