"""Points become cash by the community's rule: taken at once, paid once, and given back if it cannot be paid."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from cloud.ledger.cause import redemption_cause
from cloud.payment.redemptions.store import PER_DAY_MAX, redemption_table
from cloud.settlement.proof.store import movements

from .conftest import COMMUNITY, NOON, Cloud, Reply
from .payment_ground import POINT, Till

RULE = {"enabled": True, "minimum_points": 100, "points_per_unit": 120, "fee_percent": "2.5"}


@pytest.fixture
async def till(cloud: Cloud) -> Till:
    """Found a community that takes points back; anna has a thousand, and somewhere to be paid."""
    till = Till(cloud)
    await till.open()
    assert (await cloud.operator("PUT", f"{COMMUNITY}/redemption-rule", RULE)).status == 200
    means = {"payment": {"provider": "sepa", "token": "mandate-77"}}
    assert (await cloud.operator("PATCH", f"{COMMUNITY}/owners/anna", means)).status == 200
    await till.give("anna", 1000)
    return till


async def ask(till: Till, points: int, key: str = "k1", owner: str = "anna") -> Reply:
    """Ask for cash."""
    return await till.owner(owner, "POST", "redemptions", {"points": points, "key": key})


async def decide(till: Till, redemption: str, state: str) -> Reply:
    """Say how a payment went."""
    return await till.cloud.operator("POST", f"{COMMUNITY}/redemptions/{redemption}/{state}", {"note": "bank, no. 7"})


async def test_points_leave_with_the_request_and_are_paid_once(till: Till) -> None:
    """500 points, 12.5 of them the fee: 487.5 at 120 a euro are 4.06 euro for 487.2, and 0.3 stay with the owner."""
    reply = await ask(till, 500)
    assert reply.status == 201
    made = reply.json
    assert (made["amount_minor"], made["fee_micro"], made["points_micro"]) == (406, 12_500_000, 499_700_000)
    assert await till.balance() == 1000 * POINT - 499_700_000
    assert (await ask(till, 500)).json == made
    listed = (await till.cloud.operator("GET", f"{COMMUNITY}/redemptions?state=requested")).json["redemptions"]
    assert [(item["owner"], item["payment_provider"], item["payment_token"]) for item in listed] == [
        ("anna", "sepa", "mandate-77")
    ]
    for _ in range(2):
        assert (await decide(till, made["id"], "paid")).json["state"] == "paid"
    assert (await decide(till, made["id"], "failed")).problem == "conflict"
    (own,) = (await till.owner("anna", "GET", "redemptions")).json["redemptions"]
    assert (own["state"], own["note"], own["decided_at"]) == ("paid", "bank, no. 7", "2026-11-21T12:00:00Z")
    assert "payment_token" not in own
    (moved,) = [m for m in await till.cloud.database.read(movements, COMMUNITY, "anna", 0, NOON + 1) if m.fee_micro]
    assert (moved.kind, moved.points_micro, moved.fee_micro) == ("redemption", -499_700_000, 12_500_000)
    assert moved.cause == redemption_cause(made["id"])
    assert await till.sound() == 2


async def test_a_failed_payment_gives_points_and_fee_back(till: Till) -> None:
    """By an entry of its own, once; what was asked for stays in the list."""
    made = (await ask(till, 500)).json
    replies = await asyncio.gather(*(decide(till, made["id"], "failed") for _ in range(4)))
    assert {(reply.status, reply.json["state"]) for reply in replies} == {(200, "failed")}
    assert await till.balance() == 1000 * POINT
    assert (await decide(till, made["id"], "paid")).problem == "conflict"
    moved = await till.cloud.database.read(movements, COMMUNITY, "anna", 0, NOON + 1)
    assert [(m.kind, m.fee_micro) for m in moved] == [
        ("voucher", 0),
        ("redemption", 12_500_000),
        ("redemption-failed", -12_500_000),
    ]
    assert await till.sound() == 3


async def test_an_overdrawn_redemption_is_refused_with_the_balance(till: Till) -> None:
    """Nothing is half done: no points, no row, no entry; and the key may be used again."""
    reply = await ask(till, 1200)
    assert (reply.status, reply.problem, reply.json["balance_micro"]) == (409, "overdrawn", str(1000 * POINT))
    assert "1000.000000" in reply.json["detail"]
    assert (await till.balance(), await till.cloud.count(redemption_table), await till.sound()) == (1000 * POINT, 0, 1)
    assert (await ask(till, 900)).status == 201


async def test_many_at_once_take_no_more_than_there_is(till: Till) -> None:
    """Ten times 300 of 1000: three are taken, seven hear how much is left."""
    replies = await asyncio.gather(*(ask(till, 300, f"k{number}") for number in range(10)))
    assert Counter(reply.status for reply in replies) == {201: 3, 409: 7}
    assert 0 <= await till.balance() < 300 * POINT
    assert await till.sound() == 4


async def test_one_key_at_once_asks_once(till: Till) -> None:
    """An impatient client: one redemption; the same key for something else is refused."""
    replies = await asyncio.gather(*(ask(till, 300) for _ in range(6)))
    assert Counter(reply.status for reply in replies) == {201: 1, 200: 5}
    assert len({reply.json["id"] for reply in replies}) == 1
    assert (await ask(till, 301)).problem == "conflict"
    assert await till.cloud.count(redemption_table) == 1


async def test_who_changes_the_means_of_payment_redirects_nothing(till: Till) -> None:
    """What was asked for is paid to where it was asked for."""
    await ask(till, 200)
    means = {"payment": {"provider": "sepa", "token": "somebody-else"}}
    await till.cloud.operator("PATCH", f"{COMMUNITY}/owners/anna", means)
    (item,) = (await till.cloud.operator("GET", f"{COMMUNITY}/redemptions")).json["redemptions"]
    assert item["payment_token"] == "mandate-77"


async def test_without_means_or_rule_or_currency_nothing_is_redeemed(till: Till) -> None:
    """Each no has its name."""
    await till.give("ben", 500)
    assert (await ask(till, 200, owner="ben")).problem == "no-payment-means"
    assert (await ask(till, 200, owner="nobody")).problem == "not-found"
    assert (await ask(till, 99)).problem == "unprocessable"
    await till.cloud.operator("PUT", f"{COMMUNITY}/redemption-rule", RULE | {"enabled": False})
    assert (await ask(till, 200)).problem == "unprocessable"
    await till.cloud.operator("PUT", f"{COMMUNITY}/redemption-rule", RULE | {"fee_percent": "100"})
    assert (await ask(till, 200)).problem == "unprocessable"
    await till.cloud.operator("PUT", f"{COMMUNITY}/redemption-rule", RULE)
    await till.open(None, None)
    assert (await ask(till, 200)).problem == "no-currency"
    assert await till.balance() == 1000 * POINT


async def test_a_community_without_a_rule_says_so(cloud: Cloud) -> None:
    """It has to decide first."""
    till = Till(cloud)
    await till.open()
    assert (await till.owner("anna", "GET", "redemption-rule")).problem == "not-found"
    assert (await ask(till, 200)).problem == "unprocessable"
    assert (await cloud.operator("PUT", "nowhere/redemption-rule", RULE)).problem == "not-found"


@pytest.mark.parametrize(
    "changes",
    [
        {"fee_points": 1},
        {"fee_percent": "-1"},
        {"fee_percent": "100.01"},
        {"fee_percent": "1e1"},
        {"fee_percent": "2.555"},
        {"fee_percent": "NaN"},
        {"minimum_points": 0},
        {"points_per_unit": 0},
        {"fee_percent": "0", "fee_points": -1},
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(till: Till, changes: dict[str, Any]) -> None:
    """Two fees, a negative one, more than all: the rule that stands goes on."""
    assert (await till.cloud.operator("PUT", f"{COMMUNITY}/redemption-rule", RULE | changes)).problem == "malformed"
    assert (await till.owner("anna", "GET", "redemption-rule")).json == RULE | {"community": COMMUNITY, "fee_points": 0}


@pytest.mark.parametrize("points", [0, -5, 1.5, "100", None, 10**20])
async def test_an_amount_that_is_none_is_refused(till: Till, points: Any) -> None:
    """By name, before anything is looked at."""
    assert (await ask(till, points)).problem == "malformed"


async def test_redemptions_of_a_day_are_bounded(till: Till) -> None:
    """A person pays each of them out."""
    await till.cloud.operator("PUT", f"{COMMUNITY}/redemption-rule", RULE | {"minimum_points": 10})
    for number in range(PER_DAY_MAX):
        assert (await ask(till, 10, f"k{number}")).status == 201
    assert (await ask(till, 10, "one-more")).problem == "too-many-tries"
    assert (await decide(till, "nothing", "paid")).problem == "not-found"
    till.cloud.clock.forward(86_400)
    assert (await ask(till, 10, "one-more")).status == 201
