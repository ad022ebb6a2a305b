"""The chain: lost, reordered, rewritten and restarted, the same batches end in the same state."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from random import Random
from typing import Any

from hypothesis import given, strategies as st
import pytest
from sqlalchemy import Connection, update

from cloud.database import bucket_of
from cloud.ingest import job, store
from cloud.ingest.arrivals.arrival import Evidence
from cloud.ingest.batches.store import batch_table, chain_table
from cloud.ingest.chain import Link, Standing, judge, walk
from cloud.ingest.job import Releaser
from cloud.ingest.readings.store import reading_table
from cloud.sites.store import add_site
from cloud.sites.trees.store import keep_tree
from cloud.wire import GENESIS, PairingRequest, Tree, digest, parse_batch, to_bytes

from .conftest import COMMUNITY, INTERVAL, NOON, TREE, Cloud, Site, columns_of

START = NOON - 20 * INTERVAL


async def state(cloud: Cloud, site: Site) -> Any:
    """Return everything about a site that must not depend on the order in which its batches came."""
    readings = await cloud.rows(reading_table, site=site.site)
    batches = await cloud.rows(batch_table, site=site.site)
    chain = await cloud.rows(chain_table, site=site.site)
    return (
        sorted((row.tap, row.start, row.import_wh, row.export_wh, row.epoch, row.seq) for row in readings),
        sorted((row.epoch, row.seq, row.state, row.reason) for row in batches),
        sorted((row.epoch, row.acked_through, row.highest, row.closed) for row in chain),
    )


def five(site: Site) -> list[bytes]:
    """Make five batches, the third of which does not agree with its registers."""
    raws: list[bytes] = []
    for seq in range(1, 6):
        start = START + seq * INTERVAL
        taps = columns_of(start)
        if seq == 3:
            taps["ev"] = replace(taps["ev"], import_wh=(301,))
        raws.append(site.batch(seq=seq, prev=digest(raws[-1]) if raws else GENESIS, start=start, taps=taps))
    return raws


def arrive(conn: Connection, site: Site, raw: bytes) -> str:
    """Let one batch arrive, as the endpoint does once its signature holds."""
    evidence = Evidence(raw, digest(raw), site.sign(raw), site.kid, NOON * 1000)
    return store.keep(conn, COMMUNITY, parse_batch(raw), evidence).verdict


def settle_in(conn: Connection, cloud: Cloud) -> Site:
    """Add a site with its tree without asking the endpoints, which is quicker a hundred times over."""
    wanted = PairingRequest("code", "Home", "Europe/Berlin", "key")
    site = Site(cloud, site=add_site(conn, wanted, COMMUNITY, main_owner="anna", time_scale=1, now=NOON))
    tree = Tree(site.site, 1, 0, TREE)
    assert keep_tree(conn, COMMUNITY, tree, raw=to_bytes(tree), signature="s", now=NOON) == "created"
    return site


async def test_every_order_of_five_batches_ends_the_same(cloud: Cloud) -> None:
    """All 120 orders, one of the five held, some sent twice: same readings, same states, same head."""
    await cloud.found()
    dice, states = Random(5), []
    for order in permutations(range(5)):
        site = await cloud.database.write(settle_in, cloud)
        raws = five(site)
        for place in order:
            assert await cloud.database.write(arrive, site, raws[place]) == "created"
            if dice.random() < 0.2:
                assert await cloud.database.write(arrive, site, raws[place]) == "exists"
        states.append(await state(cloud, site))
    assert states == [states[0]] * 120
    readings, batches, chain = states[0]
    assert len(readings) == 4 * len(TREE)
    assert batches[2] == (1, 3, "held", "registers-differ")
    assert chain == [(1, 5, 5, 0)]


@pytest.mark.parametrize("seed", range(3))
async def test_batches_that_race_each_other_end_the_same(cloud: Cloud, site: Site, seed: int) -> None:
    """All at once over HTTP, each twice: each is taken once, and the state is the same as in order."""
    raws = five(site) * 2
    Random(seed).shuffle(raws)
    replies = await asyncio.gather(*(site.post(raw) for raw in raws))
    assert sorted(min(reply.status, 201) for reply in replies if reply.status < 300) == [200] * 5 + [201] * 5
    readings, batches, chain = await state(cloud, site)
    assert (len(readings), len(batches), chain) == (4 * len(TREE), 5, [(1, 5, 5, 0)])


async def test_newest_first_waits_for_the_gap_to_close(cloud: Cloud, site: Site) -> None:
    """A site that was away sends the newest first; nothing of it is settled before what lies between."""
    raws = site.chain(4)
    for place, derived in ((0, {1}), (3, {1}), (1, {1, 2}), (2, {1, 2, 3, 4})):
        assert (await site.post(raws[place])).status == 201
        assert {row.seq for row in await cloud.rows(reading_table)} == derived


async def test_a_long_gap_is_derived_in_portions(cloud: Cloud, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one transaction leaves, the job goes on with."""
    monkeypatch.setattr(store, "RELEASE_MAX", 3)
    raws = site.chain(10)
    for raw in [*reversed(raws[1:]), raws[0]]:
        await site.post(raw)
    releaser = Releaser(cloud.database)
    while await releaser.turn(NOON):
        pass
    assert {row.seq for row in await cloud.rows(reading_table)} == set(range(1, 11))


async def test_a_batch_must_follow_its_neighbours(cloud: Cloud, site: Site) -> None:
    """A forged, rewritten or misplaced link is refused from either side."""
    first, second, third = site.chain(3)
    for broken in (
        site.batch(seq=1, prev="1" * 64),
        site.batch(epoch=2, seq=1),
        site.batch(epoch=3, seq=5, prev="1" * 64),
    ):
        assert (await site.post(broken)).problem == "chain-broken"
    await site.post(first)
    assert (await site.post(site.batch(seq=2, prev="1" * 64))).problem == "chain-broken"
    await site.post(third)
    other = site.batch(seq=2, prev=digest(first), start=START + INTERVAL, made_at="2026-11-21T11:00:00Z")
    assert (await site.post(other)).problem == "chain-broken"
    assert (await site.post(second)).status == 201
    assert await cloud.count(batch_table) == 3


async def test_a_restored_backup_opens_a_new_epoch(cloud: Cloud, site: Site) -> None:
    """Its first link is the head it was told; what it sends again is counted once."""
    old = site.chain(3)
    for raw in old:
        await site.post(raw)
    head = (await site.get("head")).json
    new = site.chain(4, epoch=head["epoch"] + 1, prev=head["hash"], start=START + INTERVAL)
    results = [(await site.post(raw)).json for raw in new]
    assert [(answer["result"], answer.get("reason")) for answer in results] == [
        ("held", "overlap"),
        ("held", "overlap"),
        ("created", None),
        ("created", None),
    ]
    readings = await cloud.rows(reading_table)
    assert len(readings) == 5 * len(TREE)
    assert len({(row.tap, row.start) for row in readings}) == len(readings)
    assert (await site.get("head")).json["epoch"] == 2


@pytest.mark.parametrize("late", [False, True])
async def test_a_new_epoch_gives_up_the_gap_of_the_old_one(cloud: Cloud, site: Site, *, late: bool) -> None:
    """What lies beyond the gap is settled then, and what still comes from before it too; new ends stay shut."""
    raws = site.chain(6)
    for place in (0, 4):
        await site.post(raws[place])
    assert {row.seq for row in await cloud.rows(reading_table)} == {1}
    new = site.chain(2, epoch=2, prev=digest(raws[4]), start=START + 5 * INTERVAL)
    for raw in reversed(new):
        assert (await site.post(raw)).status == 201
    assert {(row.epoch, row.seq) for row in await cloud.rows(reading_table)} == {(1, 1), (1, 5), (2, 1), (2, 2)}
    if late:
        assert (await site.post(raws[2])).status == 201
        assert {row.seq for row in await cloud.rows(reading_table, epoch=1)} == {1, 3, 5}
    assert (await site.post(raws[5])).problem == "chain-broken"
    assert (await site.get("head")).json["hash"] == digest(new[1])


async def test_two_writers_with_one_key_are_found(cloud: Cloud, site: Site) -> None:
    """A clone that goes on under the old number contradicts the original."""
    first, second = site.chain(2)
    await site.post(first)
    await site.post(second)
    clone = site.batch(seq=2, prev=digest(first), start=START + INTERVAL, made_at="2026-11-21T10:59:59Z")
    assert (await site.post(clone)).problem == "equivocation"


async def test_what_the_disk_has_changed_is_never_settled(cloud: Cloud, site: Site) -> None:
    """A batch whose bytes are no longer those that were signed is held, and holds up nothing."""
    first, second = site.chain(2)
    await site.post(second)
    key = {"bucket": bucket_of(COMMUNITY), "community": COMMUNITY, "site": site.site, "seq": 2}
    rot = update(batch_table).filter_by(**key).values(raw=second.replace(b"700", b"900"))
    await cloud.database.write(lambda conn: conn.execute(rot))
    assert (await site.post(first)).status == 201
    third = site.batch(seq=3, prev=digest(second), start=START + 2 * INTERVAL)
    assert (await site.post(third)).status == 201
    assert {row.seq for row in await cloud.rows(reading_table)} == {1, 3}
    assert [(row.seq, row.reason) for row in await cloud.rows(batch_table, state="held")] == [(2, "damaged")]


async def test_one_failing_site_stops_nobody_else(
    cloud: Cloud, site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours with one site is logged once and tried again each turn; other sites go on."""
    healthy = await cloud.join()
    await healthy.put_tree()
    release, broken = store.release, {site.site}

    def stumble(conn: Connection, community: str, name: str, now: int) -> int:
        if name in broken:
            raise ZeroDivisionError
        return release(conn, community, name, now)

    for one in (site, healthy):
        await one.post(one.batch(tree_rev=2))
    monkeypatch.setattr(store, "release", stumble)
    for one in (site, healthy):
        await one.put_tree(2)
    releaser = Releaser(cloud.database)
    caplog.clear()
    for _ in range(3):
        await releaser.turn(NOON)
    assert {row.site for row in await cloud.rows(reading_table)} == {healthy.site}
    broken.clear()
    await releaser.turn(NOON)
    assert await cloud.count(reading_table) == 2 * len(TREE)
    said = [record.message for record in caplog.records if record.name == job.__name__]
    assert "releasing batches works again" in said
    assert said.count("releasing batches failed") <= 2  # this job's, and perhaps once the one the cloud runs itself


LINK = Link(2, 5, "p", "h")
AROUND = Standing(newest_epoch=2, highest=9)


@pytest.mark.parametrize(
    ("link", "standing", "verdict"),
    [
        (Link(1, 1, GENESIS, "h"), Standing(), "created"),
        (Link(1, 1, "p", "h"), Standing(), "chain-broken"),
        (Link(1, 7, "p", "h"), Standing(), "created"),
        (Link(2, 1, GENESIS, "h"), Standing(), "chain-broken"),
        (LINK, replace(AROUND, same_hash="h"), "exists"),
        (LINK, replace(AROUND, same_hash="x"), "equivocation"),
        (LINK, replace(AROUND, before_hash="p", after_prev="h"), "created"),
        (LINK, replace(AROUND, before_hash="x"), "chain-broken"),
        (LINK, replace(AROUND, after_prev="x"), "chain-broken"),
        (LINK, replace(AROUND, closed=True, highest=5), "created"),
        (LINK, replace(AROUND, closed=True, highest=4), "chain-broken"),
        (LINK, Standing(newest_epoch=1), "created"),
        (LINK, Standing(newest_epoch=0), "chain-broken"),
        (Link(2, 1, "head", "h"), Standing(newest_epoch=1, head_before="head"), "created"),
        (Link(2, 1, GENESIS, "h"), Standing(newest_epoch=1, head_before="head"), "chain-broken"),
    ],
)
def test_a_link_is_judged(link: Link, standing: Standing, verdict: str) -> None:
    """The whole table of what an arriving batch can be."""
    assert judge(link, standing) == verdict


@given(st.sets(st.integers(1, 30)), st.integers(0, 5))
def test_the_walk_ends_before_the_first_gap(stored: set[int], acked: int) -> None:
    """Every number up to there is stored, and the next is not."""
    beyond = sorted(seq for seq in stored if seq > acked)
    reached = walk(acked, beyond)
    assert set(range(acked + 1, reached + 1)) <= set(beyond)
    assert reached + 1 not in beyond


def chained(numbers: Sequence[int]) -> list[str]:
    """Return the verdicts on links 1…n of one epoch that arrive in this order."""
    hashes = {seq: f"h{seq}" for seq in numbers} | {0: GENESIS}
    stored: dict[int, Link] = {}
    verdicts: list[str] = []
    for seq in numbers:
        around = Standing(
            newest_epoch=1 if stored else 0,
            highest=max(stored, default=0),
            same_hash=stored[seq].hash if seq in stored else None,
            before_hash=stored[seq - 1].hash if seq - 1 in stored else None,
            after_prev=stored[seq + 1].prev if seq + 1 in stored else None,
        )
        link = Link(1, seq, hashes[seq - 1] if seq > 1 else GENESIS, hashes[seq])
        verdicts.append(judge(link, around))
        stored[seq] = link
    return verdicts


@given(st.permutations(range(1, 8)))
def test_an_honest_chain_is_taken_in_any_order(order: list[int]) -> None:
    """Whatever comes first, each link is created."""
    assert chained(order) == ["created"] * 7
