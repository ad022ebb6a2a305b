"""A tap changes hands: asked for with its passcode, carried out by the site's tree, never by the site alone."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from cloud.ingest.readings.store import reading_table
from cloud.sites.transfer import store
from cloud.sites.transfer.asking import Asked, Asker
from cloud.sites.transfer.effect import Owned, Transfer, earliest, handed_over
from cloud.sites.transfer.store import transfer_table, transfers_of
from cloud.wire import Tree, TreeTap, digest, time_text
from cloud.wire.transfer import parse_tap_standings, parse_transfer_kept

from .conftest import COMMUNITY, INTERVAL, NOON, TREE, Cloud, Site, verified
from .handing import PASSCODE, ask, ask_at_site, notices, set_at_site, set_passcode, transfers, tree
from .people import ANNA, BEN, MANAGER, OPERATOR, UPPER, Caller

BOUNDARY = NOON + INTERVAL


@pytest.fixture
async def coded(cloud: Cloud, site: Site) -> Site:
    """Return a site whose tap `ev`, Ben's, has a passcode."""
    assert (await set_passcode(cloud, BEN, site)).status == 204
    return site


async def test_a_tap_passes_to_its_new_owner_from_a_boundary_on(cloud: Cloud, coded: Site) -> None:
    """Asked for, told to the site, pending until its tree says so, and then done from that tree's boundary."""
    reply = await ask(cloud, BEN, coded)
    assert (reply.status, reply.json["state"], reply.json["effective_from"]) == (201, "pending", None)
    assert (reply.json["from_owner"], reply.json["to_owner"]) == ("ben", "sun")
    assert parse_transfer_kept(reply.raw).not_before == BOUNDARY
    told = {"tap": "ev", "owner": "sun", "transfer": "t1", "not_before": time_text(BOUNDARY)}
    assert await notices(coded) == [told]
    assert (await coded.put_tree(2, BOUNDARY, tree(ev="sun"))).status == 201
    for caller, owner in ((BEN, "ben"), (Caller(BEN.scope, COMMUNITY, "sun"), "sun"), (UPPER, "sun")):
        [done] = await transfers(cloud, caller, owner)
        assert (done["state"], done["effective_from"]) == ("done", time_text(BOUNDARY))
    assert await transfers(cloud, ANNA, "anna") == []


async def test_a_site_hears_signed_how_its_taps_stand(cloud: Cloud, coded: Site) -> None:
    """Whose each tap is, which can be transferred, and what is pending: nothing of passcodes but that there is one."""
    before = await coded.get("taps")
    verified(cloud, before)
    taps = parse_tap_standings(before.raw).taps
    assert {tap: (one.owner, one.passcode, one.pending) for tap, one in taps.items()} == {
        "main": ("anna", False, None),
        "ev": ("ben", True, None),
        "pv": ("sun", False, None),
    }
    await ask(cloud, BEN, coded)
    change = parse_tap_standings((await coded.get("taps")).raw).taps["ev"].pending
    assert change is not None
    assert (change.owner, change.not_before) == ("sun", BOUNDARY)
    assert (await coded.put_tree(2, BOUNDARY, tree(ev="sun"))).status == 201
    after = parse_tap_standings((await coded.get("taps")).raw).taps["ev"]
    assert (after.owner, after.passcode, after.pending) == ("sun", False, None)


async def test_a_transfer_asked_for_twice_is_one(cloud: Cloud, coded: Site) -> None:
    """The first answer was lost: the same request is answered with what it did, though the passcode is spent."""
    first, again = await ask(cloud, BEN, coded), await ask(cloud, BEN, coded)
    assert (first.status, again.status, first.json) == (201, 200, again.json)
    assert len(await notices(coded)) == 1
    other = await ask(cloud, BEN, coded, to_owner="anna")
    assert other.problem == "transfer-conflict"
    assert (await ask(cloud, ANNA, coded)).problem == "transfer-conflict"


async def test_of_many_at_once_one_is_made(cloud: Cloud, coded: Site) -> None:
    """Five who all know the passcode: one transfer, one notice."""
    replies = await asyncio.gather(*(ask(cloud, OPERATOR, coded, transfer=f"t{at}") for at in range(5)))
    assert Counter(reply.status for reply in replies) == {201: 1, 409: 4}
    assert await cloud.count(transfer_table) == 1
    assert len(await notices(coded)) == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"to_owner": "nobody"}, "unknown-owner"),
        ({"to_owner": "ben"}, "same-owner"),
        ({"tap": "attic"}, "not-found"),
        ({"tap": "pv", "to_owner": "ben"}, "passcode-not-set"),
        ({"passcode": "wrong horse"}, "passcode-refused"),
        ({"passcode": ""}, "malformed"),
        ({"passcode": "\ud800"}, "malformed"),
        ({"passcode": "x" * 129}, "malformed"),
        ({"to_owner": "no one"}, "malformed"),
    ],
)
async def test_what_cannot_be_is_refused_clearly(
    cloud: Cloud, coded: Site, changes: dict[str, Any], problem: str
) -> None:
    """Unknown or same owner, no such tap, no or a wrong passcode: nothing is pending, nobody is told."""
    reply = await ask(cloud, MANAGER, coded, **changes)
    assert reply.problem == problem
    assert changes.get("passcode", PASSCODE) not in reply.raw.decode() or not changes.get("passcode")
    assert await cloud.count(transfer_table) == 0
    assert await notices(coded) == []


async def test_a_second_transfer_waits_for_the_first(cloud: Cloud, coded: Site) -> None:
    """Nor can a passcode be set meanwhile: it is not settled whose it would be."""
    await ask(cloud, BEN, coded)
    assert (await ask(cloud, BEN, coded, transfer="t2", to_owner="anna")).problem == "transfer-pending"
    assert (await set_passcode(cloud, BEN, coded)).problem == "transfer-pending"


async def test_the_new_owner_sets_a_passcode_of_their_own(cloud: Cloud, coded: Site) -> None:
    """The old one opens nothing any more, and the old owner can set none."""
    await ask(cloud, BEN, coded)
    await coded.put_tree(2, BOUNDARY, tree(ev="sun"))
    sun = Caller(BEN.scope, COMMUNITY, "sun")
    assert (await ask(cloud, sun, coded, transfer="t2", to_owner="anna")).problem == "passcode-not-set"
    assert (await set_passcode(cloud, BEN, coded)).problem == "forbidden"
    assert (await set_passcode(cloud, sun, coded, passcode="quite another")).status == 204
    assert (await ask(cloud, sun, coded, transfer="t2", to_owner="anna")).problem == "passcode-refused"
    reply = await ask(cloud, sun, coded, transfer="t2", to_owner="anna", passcode="quite another")
    assert reply.status == 201
    assert (await coded.put_tree(3, BOUNDARY + INTERVAL, tree(ev="anna"))).status == 201


async def test_a_stranger_hears_only_that_the_passcode_is_wrong(cloud: Cloud, coded: Site) -> None:
    """Whether the tap has one, is under way, or is the named owner's already, is not theirs to know."""
    for tap, owner in (("pv", "ben"), ("pv", "sun"), ("pv", "nobody"), ("ev", "ben")):
        reply = await ask(cloud, ANNA, coded, tap=tap, to_owner=owner, passcode="guess-guess")
        assert reply.problem == "passcode-refused", (tap, owner)
        cloud.clock.forward(7200)
    await ask(cloud, BEN, coded)
    assert (await ask(cloud, ANNA, coded, transfer="x")).problem == "passcode-refused"


async def test_who_knows_the_passcode_may_be_a_stranger(cloud: Cloud, coded: Site) -> None:
    """The new tenant takes the tap over with what the old one told them; what cannot be is then said to them too."""
    sun = Caller(BEN.scope, COMMUNITY, "sun")
    assert (await ask(cloud, sun, coded, to_owner="ben")).problem == "same-owner"
    assert (await ask(cloud, sun, coded)).status == 201


async def test_a_site_sets_the_first_passcode_of_its_main_owners_taps(cloud: Cloud, site: Site) -> None:
    """And of nobody else's, and no second one."""
    assert (await set_at_site(site, "ev")).problem == "forbidden"
    assert (await set_at_site(site, "attic")).problem == "not-found"
    assert (await set_at_site(site, passcode="short")).problem == "malformed"
    assert (await set_at_site(site)).status == 204
    assert (await set_at_site(site, passcode="another one")).problem == "passcode-set"
    assert (await ask_at_site(site, tap="main")).status == 201
    assert (await site.put_tree(2, BOUNDARY, tree(main="sun"))).status == 201


@pytest.mark.parametrize(("tap", "caller"), [("ev", ANNA), ("main", BEN)])
async def test_an_owner_sets_no_passcode_of_anothers_tap(cloud: Cloud, site: Site, tap: str, caller: Caller) -> None:
    """It would be theirs to give away."""
    assert (await set_passcode(cloud, caller, site, tap)).problem == "forbidden"
    for staff in (OPERATOR, MANAGER):
        assert (await set_passcode(cloud, staff, site, tap)).status == 204


async def test_a_site_cannot_rewrite_owners_by_itself(cloud: Cloud, coded: Site) -> None:
    """Without a transfer, with another owner than it names, or before its time, the tree is refused."""
    assert (await coded.put_tree(2, BOUNDARY, tree(ev="anna"))).problem == "owner-not-transferred"
    await ask(cloud, BEN, coded)
    assert (await coded.put_tree(2, BOUNDARY, tree(ev="anna"))).problem == "owner-not-transferred"
    assert (await coded.put_tree(2, BOUNDARY - INTERVAL, tree(ev="sun"))).problem == "owner-not-transferred"
    without = {tap: one for tap, one in TREE.items() if tap != "ev"}
    assert (await coded.put_tree(2, BOUNDARY, without)).status == 201
    assert (await coded.put_tree(3, BOUNDARY, tree(ev="anna"))).problem == "owner-not-transferred"
    assert (await coded.put_tree(3, BOUNDARY + INTERVAL, tree(ev="sun"))).status == 201
    assert (await transfers(cloud, BEN, "ben"))[0]["effective_from"] == time_text(BOUNDARY + INTERVAL)
    assert (await coded.put_tree(4, BOUNDARY, tree(ev="sun"))).problem == "owner-not-transferred"


async def test_what_is_measured_after_a_transfer_is_not_settled_under_the_tree_before(
    cloud: Cloud, coded: Site
) -> None:
    """A restored backup, or a site that would rather go on charging Ben: kept, and held; what came before counts."""
    await ask(cloud, BEN, coded)
    assert (await coded.put_tree(2, BOUNDARY, tree(ev="sun"))).status == 201
    cloud.clock.forward(4 * INTERVAL)
    site = replace(coded, token=await cloud.token(coded.site, coded.secret))
    before = site.batch(start=BOUNDARY - INTERVAL)
    assert (await site.post(before)).json["result"] == "created"
    across = site.batch(seq=2, prev=digest(before), start=BOUNDARY, count=2)
    reply = (await site.post(across)).json
    assert (reply["result"], reply["reason"]) == ("held", "tree-not-valid-any-more")
    rows = await cloud.rows(reading_table, tap="ev")
    assert [(row.start, row.owner) for row in rows] == [(BOUNDARY - INTERVAL, "ben")]


async def test_what_hangs_where_stays_the_sites_to_say(site: Site) -> None:
    """New taps with any owner, other places and names, a tap that goes and comes back: no transfer is needed."""
    moved = {**TREE, "ev": TreeTap("ben", None, "Charger"), "heat": TreeTap("sun", "ev")}
    assert (await site.put_tree(2, NOON, moved)).status == 201
    assert (await site.put_tree(3, NOON, {"main": TREE["main"]})).status == 201
    assert (await site.put_tree(4, NOON, TREE)).status == 201


async def test_statements_find_a_transfer_on_either_side_within_its_time(cloud: Cloud, coded: Site) -> None:
    """Done in the cycle of its boundary alone; pending in every cycle until it is done."""

    async def found(owner: str, start: int, end: int) -> list[str]:
        rows = await cloud.database.read(transfers_of, COMMUNITY, owner, start, end)
        return [row.transfer for row in rows]

    await ask(cloud, BEN, coded)
    for start in (BOUNDARY, BOUNDARY + 10 * INTERVAL):
        assert await found("ben", start, start + INTERVAL) == await found("sun", start, start + INTERVAL) == ["t1"]
    assert await found("ben", NOON, BOUNDARY) == []
    await coded.put_tree(2, BOUNDARY + INTERVAL, tree(ev="sun"))
    assert await found("sun", BOUNDARY, BOUNDARY + INTERVAL) == []
    assert await found("sun", BOUNDARY + INTERVAL, BOUNDARY + 2 * INTERVAL) == ["t1"]
    assert await found("ben", BOUNDARY + 2 * INTERVAL, BOUNDARY + 3 * INTERVAL) == []
    assert await found("anna", 0, BOUNDARY + 9 * INTERVAL) == []


async def test_staff_lists_the_transfers_of_a_site_in_pages(cloud: Cloud, coded: Site) -> None:
    """Each once, in order of its id."""
    await set_passcode(cloud, OPERATOR, coded, "pv")
    await ask(cloud, OPERATOR, coded, transfer="b")
    await ask(cloud, OPERATOR, coded, transfer="a", tap="pv", to_owner="ben")
    path = f"{COMMUNITY}/sites/{coded.site}/transfers"
    first = (await cloud.operator("GET", f"{path}?limit=1")).json["transfers"]
    rest = (await cloud.operator("GET", f"{path}?after=a")).json["transfers"]
    assert [item["transfer"] for item in first + rest] == ["a", "b"]


async def test_a_try_that_somebody_else_overtook_does_nothing(cloud: Cloud, coded: Site) -> None:
    """The passcode was set anew between the two transactions of one try: the old one was right and is so no more."""
    asked = Asked(COMMUNITY, coded.site, "ev", "t1", "sun", Asker(BEN.scope, "ben", "ben"))
    begun = await cloud.database.write(store.begin, asked, NOON)
    assert isinstance(begun, store.Begun)
    await set_passcode(cloud, BEN, coded, passcode="another one")

    def decide(conn: Connection) -> object:
        return store.decide(conn, asked, begun, right=True, now=NOON, tell=lambda *_: pytest.fail("nobody is told"))

    assert await cloud.database.write(decide) == "transfer-conflict"
    assert await cloud.count(transfer_table) == 0


@pytest.mark.parametrize(
    ("now", "seconds", "first"),
    [(0, 1800, 1800), (1740, 1800, 1800), (1741, 1800, 3600), (0, 5, 10), (1, 5, 15), (1800, 1800, 3600), (0, 60, 60)],
)
def test_the_earliest_boundary_leaves_the_site_time_to_hear(now: int, seconds: int, first: int) -> None:
    """A minute, or two intervals where those are shorter."""
    assert earliest(now, seconds) == first


def test_a_tree_carries_out_every_transfer_it_can() -> None:
    """Two taps at once; a third is pending still, and its tap stands as it did."""
    known = {tap: Owned("ben", None, 1) for tap in "abc"}
    asked = {tap: Transfer(f"t{tap}", "s", tap, "ben", "sun", "site:s", 0, 100) for tap in "abc"}
    taps = {"a": TreeTap("sun", None), "b": TreeTap("sun", "a"), "c": TreeTap("ben", "a"), "d": TreeTap("anna", "a")}
    done = handed_over(Tree("s", 2, 100, taps), known, asked)
    assert done == [asked["a"], asked["b"]]
    assert handed_over(Tree("s", 2, 99, taps), known, asked) is None
