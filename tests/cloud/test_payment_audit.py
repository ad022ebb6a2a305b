"""Audit of payments: every purchase, voucher, redemption and gift held against its entries in the ledger."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from cloud.config import Config
from cloud.payment.audit.due import Difference, differences, purchased, sums
from cloud.payment.audit.store import payment_differences

from .conftest import COMMUNITY, running
from .payment_ground import POINT, SECRET, Till, refund, session


@pytest.fixture
async def till(config: Config) -> AsyncIterator[Till]:
    """Let anna buy, give and pass on points, and let a refund take some back."""
    async with running(replace(config, stripe_webhook_secret=SECRET)) as cloud:
        till = Till(cloud)
        await till.open()
        made = await till.buy(points=500)
        await till.tell(session(made))
        await till.tell(refund(made, 100))
        await till.give("anna", 700)
        given = {"to_owner": "ben", "points": 30, "key": "one"}
        assert (await till.owner("anna", "POST", "points-transfers", given)).status == 201
        yield till


async def look(till: Till) -> list[Difference]:
    """Audit the payments of the community."""
    return await till.cloud.database.read(payment_differences, COMMUNITY)


async def test_payments_as_they_were_made_are_sound(till: Till) -> None:
    """Also one that nobody paid, and a voucher nobody has shown."""
    await till.buy(points=100)
    assert (await till.cloud.operator("POST", f"{COMMUNITY}/vouchers", {"points": 9})).status == 201
    assert await look(till) == []


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE purchase SET points_micro = points_micro + 1", "purchase"),
        ("UPDATE purchase SET refunded_minor = 0", "purchase"),
        ("UPDATE purchase SET state = 'pending'", "purchase"),
        ("UPDATE purchase SET owner = 'ben'", "purchase"),
        ("UPDATE voucher SET points_micro = points_micro - 1", "voucher"),
        ("UPDATE voucher SET redeemed_by = NULL, redeemed_at = NULL", "voucher"),
        ("UPDATE points_transfer SET points_micro = points_micro + 1", "points_transfer"),
        ("DELETE FROM points_transfer", "points_transfer"),
    ],
)
async def test_a_payment_that_says_something_else_is_found(till: Till, statement: str, table: str) -> None:
    """Whether its row was altered, undone or taken away."""

    def alter(conn: Connection) -> None:
        conn.execute(text(statement))

    await till.cloud.database.write(alter)
    (found,) = await look(till)
    assert found.table == table
    assert found.posted_micro != found.due_micro


def test_an_entry_without_its_payment_is_found() -> None:
    """Points that nobody bought: the entry stands alone."""
    posted = sums([("purchase:p1", "owner:anna", POINT), ("purchase:p1", "purchase", -POINT), ("energy:x", "grid", 5)])
    assert list(differences({}, posted)) == [Difference("purchase", "p1", purchased("anna", POINT), {})]
    assert list(differences({("purchase", "p1"): purchased("anna", POINT)}, posted)) == []
