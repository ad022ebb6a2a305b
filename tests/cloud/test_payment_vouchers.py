"""Vouchers: shown once, worth their points once, and a wrong code says nothing."""

import asyncio
from collections import Counter

import pytest

from cloud.payment.vouchers.store import Given, redeem, voucher_table, voucher_try_table
from cloud.payment.vouchers.tries import WAIT_SECONDS_MAX, counted_now, wait_s
from cloud.sites.access.pairing import code_hmac

from .conftest import COMMUNITY, NOON, Cloud
from .payment_ground import POINT, Till

WRONG = "0000-0000-0000-0000"


@pytest.fixture
async def till(cloud: Cloud) -> Till:
    """Found a community without a currency: vouchers need none."""
    await cloud.found()
    return Till(cloud)


async def make(till: Till, **body: object) -> list[dict[str, str]]:
    """Make vouchers as staff does."""
    reply = await till.cloud.operator("POST", f"{COMMUNITY}/vouchers", {"points": 10} | body)
    assert reply.status == 201, reply.json
    made: list[dict[str, str]] = reply.json["vouchers"]
    return made


async def show(till: Till, owner: str, code: str) -> tuple[int, str]:
    """Show a code as an owner; return the status, and the problem or nothing."""
    reply = await till.owner(owner, "POST", "vouchers", {"code": code})
    return reply.status, reply.problem if reply.status >= 400 else ""


async def test_a_voucher_is_worth_its_points_once(till: Till) -> None:
    """However it is typed; the owner showing it again hears the same, anybody else is refused."""
    (voucher,) = await make(till)
    typed = voucher["code"].lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert await show(till, "anna", typed) == (201, "")
    assert await show(till, "anna", voucher["code"]) == (200, "")
    assert await show(till, "ben", voucher["code"]) == (403, "voucher-refused")
    assert (await till.balance("anna"), await till.balance("ben")) == (10 * POINT, 0)
    assert await till.sound() == 1


async def test_many_who_show_one_code_at_once_share_nothing(till: Till) -> None:
    """One of three owners who each try four times at the same moment has the points."""
    (voucher,) = await make(till)
    owners = ("anna", "ben", "sun") * 4
    replies = await asyncio.gather(*(show(till, owner, voucher["code"]) for owner in owners))
    assert Counter(status for status, _ in replies) == {201: 1, 200: 3, 403: 8}
    assert sorted([await till.balance(owner) for owner in ("anna", "ben", "sun")]) == [0, 0, 10 * POINT]
    assert await till.sound() == 1


async def test_one_code_from_many_addresses_at_once_is_worth_its_points_once(till: Till) -> None:
    """Nothing but the voucher itself keeps these apart: one has the points, nothing breaks."""
    for turn in range(5):
        (voucher,) = await make(till)
        code, owners = code_hmac(till.cloud.key.derive("voucher code"), voucher["code"]), ("anna", "ben", "sun") * 2
        given = await asyncio.gather(
            *(
                till.cloud.database.write(
                    redeem, COMMUNITY, owner, code, address=f"10.0.{turn}.{place}", now=NOON, hooks=()
                )
                for place, owner in enumerate(owners)
            )
        )
        assert sum(isinstance(each, Given) and each.first for each in given) == 1
        till.cloud.clock.forward(86_400)
        await till.cloud.database.write(lambda conn: conn.execute(voucher_try_table.delete()))
    assert await till.sound() == 5


async def test_every_refused_code_is_refused_alike(till: Till) -> None:
    """Never made, used, over, taken back, another community's: word for word the same."""
    await till.cloud.found("hillside", ("anna",))
    used, over, gone = [(await make(till, expires_at="2026-11-21T13:00:00Z"))[0] for _ in range(3)]
    other = (await till.cloud.operator("POST", "hillside/vouchers", {"points": 5})).json["vouchers"][0]
    assert await show(till, "ben", used["code"]) == (201, "")
    assert (await till.cloud.operator("POST", f"{COMMUNITY}/vouchers/{gone['id']}/revoke")).status == 204
    till.cloud.clock.forward(3600)
    answers = set()
    for code in (WRONG, used["code"], over["code"], gone["code"], other["code"]):
        reply = await till.owner("sun", "POST", "vouchers", {"code": code})
        answers.add((reply.status, reply.problem, reply.json["title"], reply.json["detail"]))
    assert len(answers) == 1
    assert await till.balance("sun") == 0


async def test_wrong_codes_make_the_owner_wait_longer_and_longer(till: Till) -> None:
    """A good code helps no more while the wait lasts; others of the building may go on."""
    (voucher,) = await make(till)
    assert [(await show(till, "anna", WRONG))[0] for _ in range(5)] == [403] * 5
    waits = []
    for _ in range(3):
        reply = await till.owner("anna", "POST", "vouchers", {"code": voucher["code"]})
        assert (reply.status, reply.problem) == (429, "too-many-tries")
        waits.append(int(reply.headers["Retry-After"]))
        till.cloud.clock.forward(waits[-1])
        assert await show(till, "anna", WRONG) == (403, "voucher-refused")
    assert waits == [30, 60, 120]
    till.cloud.clock.forward(240)
    assert await show(till, "anna", voucher["code"]) == (201, "")


async def test_an_address_waits_too(till: Till) -> None:
    """Who tries for many owners from one place is stopped; the count is one, however many try at once."""
    owners = ("anna", "ben", "sun")
    for owner in owners:
        await asyncio.gather(*(show(till, owner, WRONG) for _ in range(5)))
    assert await till.cloud.rows(voucher_try_table, who="address:127.0.0.1")
    for _ in range(5):
        till.cloud.clock.forward(600)
        assert await show(till, "anna", WRONG) == (403, "voucher-refused")
    assert await show(till, "sun", WRONG) == (429, "too-many-tries")
    rows = await till.cloud.rows(voucher_try_table)
    assert {row.who: row.wrong for row in rows} == {
        "address:127.0.0.1": 20,
        "owner:anna": 10,
        "owner:ben": 5,
        "owner:sun": 5,
    }


def test_waits_double_end_and_are_forgotten() -> None:
    """From half a minute to a day; a day later nobody remembers."""
    assert [wait_s(wrong, 1000, 1000) for wrong in (-1, 0, 1, 2, 40)] == [None, 30, 60, 120, WAIT_SECONDS_MAX]
    assert wait_s(0, 1000, 1029) == 1
    assert wait_s(0, 1000, 1030) is None
    assert wait_s(40, 1000, 1000 + 86_400) is None
    assert (counted_now(7, 1000, 1001), counted_now(7, 1000, 1000 + 86_400)) == (8, 1)


async def test_codes_are_kept_only_as_hmac(till: Till) -> None:
    """Nobody reads a code off the database, and the list of vouchers shows none."""
    made = await make(till, count=100)
    assert len({voucher["code"] for voucher in made}) == 100
    stored = " ".join(str(row) for row in await till.cloud.rows(voucher_table))
    listed = (await till.cloud.operator("GET", f"{COMMUNITY}/vouchers?limit=3")).json["vouchers"]
    assert [item["id"] for item in listed] == [voucher["id"] for voucher in made[:3]]
    for voucher in made:
        assert voucher["code"] not in stored
        assert voucher["code"].replace("-", "") not in stored + str(listed)


async def test_a_voucher_can_be_taken_back_until_it_is_redeemed(till: Till) -> None:
    """Once redeemed, it is the owner's."""
    first, second = await make(till, count=2)
    await show(till, "anna", first["code"])
    revoke = f"{COMMUNITY}/vouchers/{{}}/revoke"
    assert (await till.cloud.operator("POST", revoke.format(first["id"]))).problem == "conflict"
    for _ in range(2):
        assert (await till.cloud.operator("POST", revoke.format(second["id"]))).status == 204
    assert (await till.cloud.operator("POST", revoke.format("nothing"))).problem == "not-found"
    assert await show(till, "anna", second["code"]) == (403, "voucher-refused")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"points": 0}, "malformed"),
        ({"points": 1, "count": 101}, "malformed"),
        ({"points": 1, "count": 0}, "malformed"),
        ({"points": 1, "expires_at": "2026-11-21T12:00:00Z"}, "unprocessable"),
        ({"points": 1, "expires_at": "2026-02-30T12:00:00Z"}, "malformed"),
    ],
)
async def test_vouchers_that_make_no_sense_are_not_made(till: Till, body: dict[str, object], problem: str) -> None:
    """Worth nothing, too many, over before they begin."""
    assert (await till.cloud.operator("POST", f"{COMMUNITY}/vouchers", body)).problem == problem
    assert (await till.cloud.operator("POST", "nowhere/vouchers", {"points": 1})).problem == "not-found"
    assert await till.cloud.count(voucher_table) == 0


@pytest.mark.parametrize("code", ["", "x" * 41, "\x00", "\ud800", 7, None])
async def test_a_code_that_is_no_text_is_malformed(till: Till, code: object) -> None:
    """Refused by name; it is nobody's wrong try."""
    assert (await till.owner("anna", "POST", "vouchers", {"code": code})).problem == "malformed"
    assert (await till.owner("nobody", "POST", "vouchers", {"code": WRONG})).problem == "not-found"
    assert await till.cloud.count(voucher_try_table) == 0
