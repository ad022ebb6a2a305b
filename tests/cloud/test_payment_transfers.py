"""Owners give points to one another: covered, once, heard at once, and without names in the ledger."""

import asyncio
from collections import Counter
import json
from typing import Any

import pytest

from cloud.ledger.cause import transfer_cause
from cloud.ledger.evidence.store import documents
from cloud.notice.store import notice_table
from cloud.payment.http import BALANCE_MOVED
from cloud.payment.transfers.store import PER_DAY_MAX, transfer_table
from cloud.settlement.proof.store import movements
from cloud.sites.store import owner_table

from .conftest import COMMUNITY, NOON, Cloud, Reply, Site
from .payment_ground import POINT, Till
from .test_notice import heard, socket_of


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Allow the heartbeat timer aiohttp leaves behind when a socket is closed."""
    return True


@pytest.fixture
async def till(cloud: Cloud) -> Till:
    """Found a community where anna has a hundred points."""
    await cloud.found()
    till = Till(cloud)
    await till.give("anna", 100)
    return till


async def give(till: Till, points: Any, key: str = "k1", to_owner: str = "ben", owner: str = "anna") -> Reply:
    """Give points as an owner does."""
    return await till.owner(owner, "POST", "points-transfers", {"to_owner": to_owner, "points": points, "key": key})


async def test_points_change_hands_and_both_see_it(till: Till) -> None:
    """The giver's list and the taker's, and the statement's movements of both."""
    assert (await give(till, 30)).status == 201
    (given,) = (await till.owner("anna", "GET", "points-transfers")).json["transfers"]
    (taken,) = (await till.owner("ben", "GET", "points-transfers")).json["transfers"]
    assert (given["points_micro"], given["other_owner"]) == (-30 * POINT, "ben")
    assert (taken["points_micro"], taken["other_owner"]) == (30 * POINT, "anna")
    assert (await till.owner("sun", "GET", "points-transfers")).json == {"transfers": []}
    assert (await till.balance("anna"), await till.balance("ben")) == (70 * POINT, 30 * POINT)
    (moved,) = await till.cloud.database.read(movements, COMMUNITY, "ben", NOON, NOON + 1)
    assert (moved.kind, moved.points_micro, moved.cause) == ("transfer", 30 * POINT, transfer_cause(given["id"]))
    document = json.loads((await till.cloud.database.read(documents, COMMUNITY, [2]))[2])
    assert (document["giver"], document["taker"]) == (given["blind"], taken["blind"])
    assert "anna" not in str(document)
    assert "ben" not in str(document)
    assert await till.sound() == 2


async def test_nobody_gives_what_is_not_there(till: Till) -> None:
    """Refused with the balance; nothing of it is kept, and an owner who never had points has none to give."""
    reply = await give(till, 101)
    assert (reply.status, reply.problem, reply.json["balance_micro"]) == (409, "overdrawn", str(100 * POINT))
    assert (await give(till, 1, owner="sun")).json["balance_micro"] == "0"
    assert (await till.cloud.count(transfer_table), await till.sound()) == (0, 1)


async def test_givers_in_a_ring_at_once_end_where_they_began(till: Till) -> None:
    """Everybody to the next, many times at once: nobody waits for nobody, and nobody falls below zero."""
    await till.give("ben", 100)
    await till.give("sun", 100)
    ring = {"anna": "ben", "ben": "sun", "sun": "anna"}
    replies = await asyncio.gather(
        *(give(till, 20, f"k{turn}", other, owner) for turn in range(6) for owner, other in ring.items())
    )
    done = Counter(reply.status for reply in replies)
    assert set(done) <= {201, 409}
    balances = [await till.balance(owner) for owner in ring]
    assert (min(balances) >= 0, sum(balances)) == (True, 300 * POINT)
    assert await till.sound() == 3 + done[201]


async def test_one_key_gives_once(till: Till) -> None:
    """However often and however much at once; the same key for something else is refused."""
    replies = await asyncio.gather(*(give(till, 30) for _ in range(6)))
    assert Counter(reply.status for reply in replies) == {201: 1, 200: 5}
    assert (await give(till, 31)).problem == "conflict"
    assert (await give(till, 30, to_owner="sun")).problem == "conflict"
    assert await till.balance("ben") == 30 * POINT


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"to_owner": "nobody"}, "unknown-owner"),
        ({"to_owner": "anna"}, "unprocessable"),
        ({"to_owner": "a b"}, "malformed"),
        ({"points": 0}, "malformed"),
        ({"points": -1}, "malformed"),
        ({"points": 0.5}, "malformed"),
        ({"key": ""}, "malformed"),
        ({"owner": "nobody"}, "not-found"),
    ],
)
async def test_a_gift_that_makes_no_sense_is_refused(till: Till, changes: dict[str, Any], problem: str) -> None:
    """Named, and nothing moves."""
    assert (await give(till, **({"points": 1} | changes))).problem == problem
    assert await till.balance() == 100 * POINT


async def test_gifts_of_a_day_are_bounded(till: Till) -> None:
    """A statement stays readable."""
    for number in range(PER_DAY_MAX):
        assert (await give(till, 1, f"k{number}")).status == 201
    assert (await give(till, 1, "one-more")).problem == "too-many-tries"


async def test_sites_hear_of_a_moved_balance_at_once(site: Site) -> None:
    """Each newer notice overtakes the older; who hangs itself in is called within the transaction, for both owners."""
    till = Till(site.cloud)
    moved: list[tuple[str, str]] = []
    site.cloud.client.app[BALANCE_MOVED].append(lambda _conn, community, owner, _now: moved.append((community, owner)))
    await till.give("anna", 50)
    await give(till, 20)
    notices = await site.cloud.rows(notice_table, kind="balance", superseded_by=None)
    assert [json.loads(row.body)["balance_micro"] for row in notices] == [30 * POINT]
    assert json.loads(notices[0].body)["settled_through"] == "2026-11-21T12:00:00Z"
    assert moved == [(COMMUNITY, "anna"), (COMMUNITY, "anna"), (COMMUNITY, "ben")]


async def test_a_site_that_listens_hears_of_a_top_up_within_a_second(site: Site) -> None:
    """The bell is rung after the transaction: nobody waits for the next look."""
    till = Till(site.cloud)
    async with socket_of(site) as socket:
        for turn in range(1, 4):
            await till.give("anna", 10)
            async with asyncio.timeout(1):
                told = await heard(site.cloud, socket)
                while told.kind != "balance":
                    told = await heard(site.cloud, socket)
            assert told.body["balance_micro"] == turn * 10 * POINT


async def test_a_hook_that_fails_undoes_the_entry(till: Till, caplog: pytest.LogCaptureFixture) -> None:
    """Points and what follows from them are one transaction."""

    def fail(*_: object) -> None:
        raise RuntimeError("asked for")

    till.cloud.client.app[BALANCE_MOVED].append(fail)
    assert (await give(till, 20)).status == 500
    caplog.clear()
    assert (await till.balance(), await till.cloud.count(transfer_table), await till.sound()) == (100 * POINT, 0, 1)


async def test_a_top_up_restores_who_pays_ahead(site: Site) -> None:
    """The site hears that the owner may be supplied again, in the transaction that brought the points."""
    till = Till(site.cloud)
    await site.cloud.operator("PATCH", f"{COMMUNITY}/owners/anna", {"prepaid": True})
    await till.give("ben", 5)
    await till.give("anna", 5)
    assert [row.prepaid for row in await site.cloud.rows(owner_table, owner="anna")] == [1]
    await give(till, 5)
    await till.give("anna", 9)
    rows = sorted(await site.cloud.rows(notice_table, kind="credit"), key=lambda row: row.notice)
    owners = [json.loads(row.body)["owners"] for row in rows]
    assert [told["anna"]["state"] for told in owners if "anna" in told][-2:] == ["cut", "ok"]
