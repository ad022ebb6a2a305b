"""A site that contradicted itself has a way back: a person looks, decides, and answers for it with a note."""

from typing import Any

import pytest

from cloud.ingest import store as ingest_store
from cloud.ingest.batches.store import contradiction_table
from cloud.ingest.job import Releaser
from cloud.ingest.quarantine.store import quarantine_lift_table
from cloud.ingest.readings.store import reading_table
from cloud.wire import GENESIS, Batch, Incident, Intervals, digest, to_bytes

from .conftest import COMMUNITY, INTERVAL, NOON, TREE, Cloud, Reply, Site, columns_of

START = NOON - 20 * INTERVAL
NOTE = {"note": "two boxes had one key, the second is switched off"}


async def lift(site: Site, note: dict[str, Any] | None = None) -> Reply:
    """Lift the quarantine of a site."""
    path = f"{COMMUNITY}/sites/{site.site}/quarantine/lift"
    return await site.cloud.operator("POST", path, NOTE if note is None else note)


async def held(site: Site, query: str = "") -> Any:
    """Ask what is held of a site."""
    reply = await site.cloud.operator("GET", f"{COMMUNITY}/sites/{site.site}/held{query}")
    assert reply.status == 200, reply.json
    return reply.json


async def contradict(site: Site, count: int = 4) -> tuple[list[bytes], bytes]:
    """Let a site contradict its first batch, and go on; return its chain and the lie."""
    raws, lie = site.chain(count), site.batch(made_at="2026-11-21T11:00:00Z")
    await site.post(raws[0])
    assert (await site.post(lie)).problem == "equivocation"
    for raw in raws[1:]:
        assert (await site.post(raw)).json["reason"] == "quarantined"
    return raws, lie


async def test_a_lifted_quarantine_releases_what_waited(cloud: Cloud, site: Site) -> None:
    """In the order of the chain; who, when, why and since when is kept; what comes next is settled again."""
    raws, _ = await contradict(site)
    assert {row.seq for row in await cloud.rows(reading_table)} == {1}
    cloud.clock.forward(60)
    reply = await lift(site)
    assert (reply.status, reply.json["result"]) == (201, "created")
    assert {row.seq for row in await cloud.rows(reading_table)} == {1, 2, 3, 4}
    (row,) = await cloud.rows(quarantine_lift_table)
    assert (row.site, row.quarantined_at, row.reason) == (site.site, NOON, "two batches 1/1")
    assert (row.lifted_at, row.lifted_by, row.note) == (NOON + 60, "operator", NOTE["note"])
    assert (await held(site))["quarantined_at"] is None
    following = site.batch(seq=5, prev=digest(raws[-1]), start=START + 4 * INTERVAL)
    assert (await site.post(following)).status == 201


async def test_lifting_twice_is_lifting_once(cloud: Cloud, site: Site) -> None:
    """The answer was lost, so it is asked again; another note finds nothing to lift."""
    await contradict(site)
    first = await lift(site)
    cloud.clock.forward(60)
    again = await lift(site)
    assert (again.status, again.json) == (200, first.json | {"result": "exists"})
    assert (await lift(site, {"note": "another reason"})).problem == "not-quarantined"
    assert await cloud.count(quarantine_lift_table) == 1


async def test_only_a_quarantine_is_lifted(cloud: Cloud, site: Site) -> None:
    """Not of a site in good standing, an unknown one, of another community, or without a reason one can read."""
    assert (await lift(site)).problem == "not-quarantined"
    assert (await cloud.operator("POST", f"{COMMUNITY}/sites/nobody/quarantine/lift", NOTE)).problem == "not-found"
    await contradict(site)
    await cloud.found("hillside")
    for path in (f"hillside/sites/{site.site}", f"{COMMUNITY}/sites/nobody"):
        assert (await cloud.operator("POST", f"{path}/quarantine/lift", NOTE)).problem == "not-found"
        assert (await cloud.operator("GET", f"{path}/held")).problem == "not-found"
    for note in ({}, {"note": ""}, {"note": "x" * 501}, {"note": "a\nb"}, {"note": 5}, NOTE | {"by": "me"}):
        assert (await lift(site, note)).problem == "malformed"
    assert (await held(site))["quarantined_at"] == "2026-11-21T12:00:00Z"


async def test_a_contradiction_that_was_judged_does_not_count_again(cloud: Cloud, site: Site) -> None:
    """The same bytes come again from an outbox and tell nothing new; other bytes are a new contradiction."""
    _, lie = await contradict(site)
    await lift(site)
    assert (await site.post(lie)).problem == "equivocation"
    assert (await held(site))["quarantined_at"] is None
    assert (await site.post(site.batch(made_at="2026-11-21T11:00:01Z"))).problem == "equivocation"
    assert (await held(site))["quarantined_at"] is not None
    assert (await lift(site)).status == 201
    assert await cloud.count(quarantine_lift_table) == 2


async def test_a_full_shelf_of_contradictions_still_quarantines(
    cloud: Cloud, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond what is kept, another contradiction is one all the same."""
    monkeypatch.setattr("cloud.ingest.batches.store.CONTRADICTIONS_MAX", 1)
    _, lie = await contradict(site)
    await lift(site)
    assert (await site.post(lie)).problem == "equivocation"
    assert (await held(site))["quarantined_at"] is None
    assert (await site.post(site.batch(made_at="2026-11-21T11:00:01Z"))).problem == "equivocation"
    assert (await held(site))["quarantined_at"] is not None
    assert await cloud.count(contradiction_table) == 1


async def test_a_long_quarantine_is_released_in_portions(
    cloud: Cloud, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one transaction leaves, the job goes on with."""
    await contradict(site, 9)
    monkeypatch.setattr(ingest_store, "RELEASE_MAX", 3)
    await lift(site)
    releaser = Releaser(cloud.database)
    while await releaser.turn(NOON):
        pass
    assert {row.seq for row in await cloud.rows(reading_table)} == set(range(1, 10))


async def test_everything_held_is_listed_with_its_reason(cloud: Cloud, site: Site) -> None:
    """Of a quarantined site what waits, what is held for itself, and what contradicts; derived ones are not."""
    raws, lie = await contradict(site, 2)
    early = site.batch(seq=3, prev=digest(raws[1]), start=NOON)
    await site.post(early)
    strange = site.batch(
        seq=4, prev=digest(early), tree_rev=9, incidents=(Incident(NOON, "clock-offset", None, "3 s"),)
    )
    await site.post(strange)
    found = await held(site)
    assert [(item["seq"], item["reason"], item["hash"], item["contradicts"]) for item in found["batches"]] == [
        (1, "contradiction", digest(lie), digest(raws[0])),
        (2, "quarantined", digest(raws[1]), None),
        (3, "future", digest(early), None),
        (4, "unknown-tree", digest(strange), None),
    ]
    assert found["batches"][2]["due_at"] == "2026-11-21T12:25:00Z"
    assert {item["received_at"] for item in found["batches"]} == {"2026-11-21T12:00:00Z"}
    assert found["quarantine_reason"] == "two batches 1/1"
    assert found["incidents"] == [{"at": "2026-11-21T12:00:00Z", "kind": "clock-offset", "tap": None, "detail": "3 s"}]
    await lift(site)
    left = (await held(site))["batches"]
    assert [item["reason"] for item in left] == ["contradiction", "future", "unknown-tree"]


async def test_pages_of_what_is_held_meet_without_a_gap(cloud: Cloud, site: Site) -> None:
    """Every batch once, in order, also where one number has many contradictions."""
    await contradict(site, 4)
    for second in range(3):
        await site.post(site.batch(made_at=f"2026-11-21T11:00:1{second}Z"))
    whole = (await held(site))["batches"]
    assert len(whole) == 4 + 3
    for limit in (1, 2, 3):
        seen: list[Any] = []
        page = await held(site, f"?limit={limit}")
        seen += page["batches"]
        while page["next"]:
            page = await held(site, f"?limit={limit}&after={page['next']}")
            seen += page["batches"]
        assert seen == whole
    for after in ("x", "1.2", "1.2.3", "9" * 17 + ".1." + "0" * 64):
        path = f"{COMMUNITY}/sites/{site.site}/held?after={after}"
        assert (await cloud.operator("GET", path)).problem == "malformed"


async def test_a_batch_of_the_last_year_of_all_can_be_listed(cloud: Cloud, site: Site) -> None:
    """A clock that says the end of year 9999 is shown as far as a time can be written."""
    await site.put_tree(2, taps={"main": TREE["main"]})
    start = 253_402_300_800 - INTERVAL
    intervals = Intervals(start, INTERVAL, 500, 2, {"main": columns_of(start, 500)["main"]})
    await site.post(to_bytes(Batch(site.site, 1, 1, GENESIS, NOON, intervals)))
    (item,) = (await held(site))["batches"]
    assert (item["reason"], item["due_at"]) == ("future", "9999-12-31T23:59:59Z")


async def test_a_quarantine_says_nothing_of_the_neighbours(cloud: Cloud, site: Site) -> None:
    """What is held of one site is never in another's list, and lifting one leaves the other."""
    neighbour = await cloud.join()
    await neighbour.put_tree()
    for one in (site, neighbour):
        await contradict(one, 3)
    await lift(site)
    assert len((await held(site))["batches"]) == 1
    assert len((await held(neighbour))["batches"]) == 3
    assert (await held(neighbour))["quarantined_at"] is not None
