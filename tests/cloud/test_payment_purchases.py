"""Points are bought: the provider's word counts once, if it is signed, fresh, and about what was ordered."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
import json
from typing import Any

import pytest
from sqlalchemy import Connection

from cloud.config import Config
from cloud.ledger import store as ledger
from cloud.ledger.account import GRID, owner_account
from cloud.ledger.cause import refund_cause
from cloud.ledger.evidence.store import documents
from cloud.ledger.posting import Entry, postings_of
from cloud.payment.purchases.store import PENDING_MAX, payment_event_table, purchase_table
from cloud.settlement.proof.store import movements
from cloud.settlement.statement import Movement
from cloud.wire import digest, to_bytes

from .conftest import COMMUNITY, NOON, Site, running
from .payment_ground import POINT, SECRET, WEBHOOK, Till, refund, session, signature


@pytest.fixture
async def till(config: Config) -> AsyncIterator[Till]:
    """Start a cloud that knows Stripe's secret, with a community whose points cost a cent each."""
    async with running(replace(config, stripe_webhook_secret=SECRET)) as cloud:
        till = Till(cloud)
        await till.open()
        yield till


async def test_a_paid_purchase_is_credited_with_its_entry(till: Till) -> None:
    """The owner has the points, the list says paid, and the entry's document names amounts and nobody."""
    made = await till.buy(points=500)
    assert (made["amount_minor"], made["points_micro"], made["state"]) == (500, 500 * POINT, "pending")
    reply = await till.tell(session(made))
    assert (reply.status, reply.json) == (200, {"result": "applied"})
    assert await till.balance() == 500 * POINT
    listed = (await till.owner("anna", "GET", "purchases")).json["purchases"]
    assert [(item["id"], item["state"], item["paid_at"]) for item in listed] == [
        (made["id"], "paid", "2026-11-21T12:00:00Z")
    ]
    assert (await till.owner("anna", "GET", f"purchases/{made['id']}")).json == listed[0]
    raw = (await till.cloud.database.read(documents, COMMUNITY, [1]))[1]
    assert raw == to_bytes(
        {
            "v": 1,
            "community": COMMUNITY,
            "kind": "purchase",
            "reference": made["id"],
            "provider": "stripe",
            "currency": "EUR",
            "amount_minor": 500,
            "points_micro": 500 * POINT,
            "at": "2026-11-21T12:00:00Z",
        }
    )
    assert await till.sound() == 1


async def test_the_checkout_carries_the_reference_everywhere(till: Till) -> None:
    """Into the session's events, and through the payment into those of its charge."""
    made = await till.buy(amount_minor=1250)
    checkout = made["checkout"]
    assert checkout["client_reference_id"] == made["reference"] == f"{COMMUNITY}:{made['id']}"
    assert checkout["payment_intent_data[metadata][commonwatt_reference]"] == made["reference"]
    assert checkout["line_items[0][price_data][currency]"] == "eur"
    assert checkout["line_items[0][price_data][unit_amount]"] == "1250"
    assert checkout["line_items[0][price_data][product_data][name]"] == "1250 points"


async def test_a_replayed_event_is_answered_alike_and_posts_nothing(till: Till) -> None:
    """The same event many times at once, then again later, then the same news under another name."""
    made = await till.buy()
    event = session(made)
    replies = await asyncio.gather(*(till.tell(event) for _ in range(8)))
    till.cloud.clock.forward(3 * 86_400)
    replies += [await till.tell(event), await till.tell(session(made))]
    assert Counter((reply.status, reply.json["result"]) for reply in replies) == {(200, "applied"): 10}
    assert await till.balance() == 500 * POINT
    assert await till.sound() == 1


async def test_an_event_is_what_it_was_the_first_time(till: Till) -> None:
    """Other news under a name that is taken change nothing, even well signed."""
    made = await till.buy()
    assert (await till.tell(session(made, event="evt_one"))).status == 200
    assert (await till.tell(refund(made, 500, event="evt_one"))).status == 200
    assert await till.balance() == 500 * POINT
    assert (await till.tell(session(made, event="evt_two", currency="usd"))).status == 422
    assert (await till.tell(session(made, event="evt_two"))).problem == "payment-unmatched"


async def test_news_of_one_purchase_at_once_are_taken_in_turn(till: Till) -> None:
    """Payment and ever larger refunds arrive together, in many events: what is left is what was not refunded."""
    made = await till.buy(points=500)
    events = [session(made), session(made), *(refund(made, 50 * part) for part in range(1, 9))]
    replies = await asyncio.gather(*(till.tell(event) for event in events))
    assert {reply.status for reply in replies} == {200}
    assert await till.balance() == 100 * POINT
    await till.sound()


async def test_a_full_account_takes_no_more(till: Till) -> None:
    """Kept aside like whatever fits nowhere; once there is room, the same news in a new event is credited."""
    made, voucher = await till.buy(), await till.cloud.operator("POST", f"{COMMUNITY}/vouchers", {"points": 500})
    for number in range(9):
        await till.cloud.database.write(fill, f"much{number}", 10**15)
    assert "account-full" in (await till.tell(session(made, event="evt_full"))).json["detail"]
    code = {"code": voucher.json["vouchers"][0]["code"]}
    assert (await till.owner("anna", "POST", "vouchers", code)).problem == "account-full"
    await till.cloud.database.write(fill, "spent", -(10**15))
    assert (await till.tell(session(made, event="evt_full"))).problem == "payment-unmatched"
    assert (await till.tell(session(made))).status == 200
    assert (await till.owner("anna", "POST", "vouchers", code)).status == 201
    assert await till.balance() == 8 * 10**15 + 1000 * POINT


def fill(conn: Connection, cause: str, amount_micro: int) -> None:
    """Let anna have so many more micro-points."""
    ledger.open_accounts(conn, COMMUNITY, [owner_account("anna"), GRID], NOON)
    legs = postings_of({"owner:anna": amount_micro, GRID.id: -amount_micro})
    ledger.post(conn, Entry(COMMUNITY, cause, NOON, NOON, digest(b"{}"), legs), b"{}")


async def test_a_yen_has_no_cents(till: Till) -> None:
    """Amounts of a currency without decimals are whole yen, in both directions."""
    await till.open("JPY", 2)
    made = await till.buy(points=1001)
    assert (made["amount_minor"], made["points_micro"]) == (501, 1002 * POINT)
    assert (await till.tell(session(made, amount_total=50_100))).problem == "payment-unmatched"
    assert (await till.tell(session(made))).status == 200
    assert await till.balance() == 1002 * POINT


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ("", "no signature"),
        ("t=,v1=", "no signature"),
        ("v1={good}", "no signature"),
        ("t={now},v1={forged}", "no signature"),
        ("t={now},v0={good}", "no signature"),
        ("t={now},t={now},v1={good}", "no signature"),
        ("t={later},v1={good}", "no signature"),
        ("t={now},v1=é", "no signature"),
    ],
)
async def test_a_forged_event_is_refused_and_leaves_no_trace(till: Till, header: str, detail: str) -> None:
    """Anybody may send anything here: only what the secret signed is even kept."""
    made = await till.buy()
    raw = json.dumps(session(made)).encode()
    good = signature(raw, NOON, SECRET).rpartition("v1=")[2]
    forged = signature(raw, NOON, "another secret").rpartition("v1=")[2]
    sent = header.format(now=NOON, later=NOON + 1, good=good, forged=forged)
    reply = await till.cloud.call("POST", WEBHOOK, data=raw, headers={"Stripe-Signature": sent})
    assert (reply.status, reply.problem) == (403, "signature-refused")
    assert detail in reply.json["detail"]
    assert (await till.balance(), await till.cloud.count(payment_event_table)) == (0, 0)


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_an_old_signature_is_refused(till: Till, seconds: int) -> None:
    """Who recorded an event cannot send it later; five minutes are for the clocks and the way."""
    made = await till.buy()
    assert (await till.tell(session(made), at=NOON + seconds)).problem == "signature-refused"
    assert await till.balance() == 0
    assert (await till.tell(session(made), at=NOON + (300 if seconds > 0 else -300))).status == 200


async def test_one_good_signature_among_others_is_enough(till: Till) -> None:
    """While a secret is rolled, Stripe signs with the old one and the new one."""
    raw = json.dumps(session(await till.buy())).encode()
    both = signature(raw, NOON, "whsec_the_other", SECRET)
    assert (await till.cloud.call("POST", WEBHOOK, data=raw, headers={"Stripe-Signature": both})).status == 200


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"currency": "usd"}, "other-currency"),
        ({"amount_total": 499}, "other-amount"),
        ({"amount_total": None}, "other-amount"),
        ({"client_reference_id": None}, "unknown-reference"),
        ({"client_reference_id": "riverside:nowhere"}, "unknown-reference"),
        ({"client_reference_id": "elsewhere:nowhere"}, "unknown-reference"),
        ({"client_reference_id": "a shop's own number 7"}, "unknown-reference"),
    ],
)
async def test_a_payment_that_fits_no_purchase_is_kept_aside(till: Till, changes: dict[str, Any], reason: str) -> None:
    """Nobody is credited; the operator sees it once, however often the provider sends it."""
    made = await till.buy()
    event = session(made, **changes)
    for _ in range(2):
        reply = await till.tell(event)
        assert (reply.status, reply.problem) == (422, "payment-unmatched")
        assert reason in reply.json["detail"]
    token = await till.cloud.token("operator", till.cloud.operator_secret)
    listed = (await till.cloud.call("GET", "/v1/payments/unmatched", token=token)).json["events"]
    assert [(item["reason"], item["event"]) for item in listed] == [(reason, event["id"])]
    after = f"/v1/payments/unmatched?after={listed[0]['id']}"
    assert (await till.cloud.call("GET", after, token=token)).json == {"events": []}
    assert await till.balance() == 0
    assert await till.sound() == 0


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 5000,
        b'{"id":"evt_1"}',
        b'{"id":1,"type":"x","created":1,"data":{"object":{}}}',
    ],
)
async def test_a_signed_event_that_says_nothing_is_refused(till: Till, broken: bytes) -> None:
    """Well signed nonsense: named as such, and nothing is kept."""
    headers = {"Stripe-Signature": signature(broken, NOON, SECRET)}
    reply = await till.cloud.call("POST", WEBHOOK, data=broken, headers=headers)
    assert (reply.status, reply.problem) == (400, "malformed")


@pytest.mark.parametrize("changes", [{"currency": None}, {"currency": "EURO"}, {"amount_refunded": -1}])
async def test_a_refund_without_its_numbers_is_refused(till: Till, changes: dict[str, Any]) -> None:
    """What is taken back must be said exactly."""
    assert (await till.tell(refund(await till.buy(), 100, **changes))).problem == "malformed"


async def test_events_of_other_kinds_are_ignored(till: Till) -> None:
    """A provider is answered kindly whatever else it tells."""
    event = session(await till.buy()) | {"type": "customer.created"}
    reply = await till.tell(event)
    assert (reply.status, reply.json) == (200, {"result": "ignored"})


async def test_a_slow_payment_is_credited_when_it_has_come(till: Till) -> None:
    """A bank debit: the checkout ends unpaid, the money comes days later, or never."""
    slow, never = await till.buy(points=3), await till.buy(points=5)
    for made in (slow, never):
        assert (await till.tell(session(made, paid=False))).status == 200
    assert await till.balance() == 0
    await till.tell(session(slow, "async_payment_succeeded"))
    await till.tell(session(never, "async_payment_failed", paid=False))
    await till.tell(session(slow, paid=False))  # late news
    listed = (await till.owner("anna", "GET", "purchases")).json["purchases"]
    assert [item["state"] for item in listed] == ["paid", "failed"]
    assert await till.balance() == 3 * POINT


async def test_a_refund_takes_points_in_proportion(till: Till) -> None:
    """Partly, then wholly; also below zero, since the money has gone back; and before the payment is heard of."""
    made = await till.buy(points=500)
    await till.tell(session(made))
    await till.owner("anna", "POST", "points-transfers", {"to_owner": "ben", "points": 450, "key": "k"})
    await till.tell(refund(made, 125))
    assert await till.balance() == -75 * POINT
    await till.tell(refund(made, 500))
    await till.tell(refund(made, 125, event="evt_late"))
    assert await till.balance() == -450 * POINT
    early = await till.buy(points=100)
    await till.tell(refund(early, 40))
    await till.tell(session(early))
    assert await till.balance() == -390 * POINT
    assert await till.sound() == 6
    moved = await till.cloud.database.read(movements, COMMUNITY, "anna", NOON, NOON + 1)
    assert [(item.kind, item.points_micro // POINT) for item in moved] == [
        *(("purchase", 500), ("transfer", -450), ("refund", -125), ("refund", -375), ("purchase", 100)),
        ("refund", -40),
    ]
    assert moved[2] == Movement(NOON, "refund", refund_cause(made["id"], 125), -125 * POINT, 0, 3)
    assert await till.cloud.database.read(movements, COMMUNITY, "anna", NOON + 1, NOON + 9) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"provider": "stripe"}, "malformed"),
        ({"provider": "stripe", "points": 1, "amount_minor": 1}, "malformed"),
        ({"provider": "stripe", "points": 0}, "malformed"),
        ({"provider": "stripe", "amount_minor": -5}, "malformed"),
        ({"provider": "stripe", "points": 1.5}, "malformed"),
        ({"provider": "stripe", "points": 100_000_000}, "unprocessable"),
        ({"provider": "nopay", "points": 1}, "unprocessable"),
        ({"provider": "voucher", "points": 1}, "unprocessable"),
    ],
)
async def test_a_purchase_that_makes_no_sense_is_refused(till: Till, body: dict[str, Any], problem: str) -> None:
    """Named, and nothing is begun."""
    assert (await till.owner("anna", "POST", "purchases", body)).problem == problem
    assert await till.cloud.count(purchase_table) == 0


async def test_a_krona_is_paid_whole(till: Till) -> None:
    """Where payments may not use the decimals, an amount with some is refused and a number of points rounded up."""
    await till.open("ISK", 3)
    body = {"provider": "stripe", "amount_minor": 150}
    assert (await till.owner("anna", "POST", "purchases", body)).problem == "unprocessable"
    made = await till.buy(points=4)
    assert (made["amount_minor"], made["points_micro"]) == (200, 6 * POINT)


async def test_without_a_price_only_vouchers_work(till: Till) -> None:
    """The community says what a point costs, or nobody is asked for money."""
    assert (await till.owner("anna", "GET", "payment-providers")).json["providers"] == ["stripe", "voucher"]
    await till.open(None, None)
    body = {"provider": "stripe", "points": 1}
    assert (await till.owner("anna", "POST", "purchases", body)).problem == "no-currency"
    assert (await till.owner("anna", "GET", "payment-providers")).json["providers"] == ["voucher"]
    await till.give("anna", 7)
    assert await till.balance() == 7 * POINT


async def test_purchases_are_bounded_and_paged(till: Till) -> None:
    """Nobody begins without end; who looks for another's purchase finds none."""
    made = [await till.buy(points=number + 1) for number in range(PENDING_MAX)]
    body = {"provider": "stripe", "points": 1}
    assert (await till.owner("anna", "POST", "purchases", body)).problem == "too-many-tries"
    assert (await till.owner("nobody", "POST", "purchases", body)).problem == "not-found"
    assert (await till.owner("ben", "GET", f"purchases/{made[0]['id']}")).problem == "not-found"
    page = (await till.owner("anna", "GET", f"purchases?after={made[4]['id']}&limit=2")).json["purchases"]
    assert [item["id"] for item in page] == [made[5]["id"], made[6]["id"]]
    till.cloud.clock.forward(86_400)
    assert (await till.owner("anna", "POST", "purchases", body)).status == 201


async def test_a_cloud_without_the_secret_takes_no_payments(site: Site) -> None:
    """Neither a purchase nor a webhook."""
    cloud = site.cloud
    body = {"provider": "stripe", "points": 1}
    assert (await cloud.operator("POST", f"{COMMUNITY}/owners/anna/purchases", body)).problem == "unprocessable"
    headers = {"Stripe-Signature": signature(b"{}", NOON, "")}
    assert (await cloud.call("POST", WEBHOOK, data=b"{}", headers=headers)).problem == "not-found"
    assert (await cloud.call("POST", "/v1/payments/voucher/webhook", data=b"{}")).problem == "not-found"
