"""Credit over HTTP: what an owner sees of it, what a site acknowledged and reported, and that news come at once."""

import asyncio
from typing import Any

from aiohttp import WSMsgType
import pytest

from cloud.ledger import store as ledger
from cloud.ledger.account import VOUCHER, owner_account
from cloud.ledger.posting import Entry, postings_of
from cloud.settlement.credit.store import judge_balances
from cloud.wire import Incident, Notice, compact_parts, digest, parse_notice, time_text, to_bytes
from cloud.wire.credit import BREAKER_FAILED, CUT_OFF_DONE, RESTORE_DONE, breaker_detail

from .conftest import COMMUNITY, INTERVAL, NOON, Cloud, Site
from .credit_ground import POINT
from .people import ANNA, BEN, MANAGER


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Allow the heartbeat timer aiohttp leaves behind when the server closes a socket first."""
    return True


async def give(cloud: Cloud, points: int, owner: str = "ben") -> None:
    """Give an owner points, or take some, and judge; nobody rings."""
    now = cloud.clock() // 1000

    def moved(conn: Any) -> None:
        account, document = owner_account(owner), to_bytes({"points": points, "at": now})
        ledger.open_accounts(conn, COMMUNITY, [account, VOUCHER], now)
        legs = postings_of({account.id: points * POINT, VOUCHER.id: -points * POINT})
        entry = Entry(COMMUNITY, f"test:{owner}:{points}:{now}", now, now, digest(document), legs)
        ledger.post(conn, entry, document)
        judge_balances(conn, COMMUNITY, now)

    await cloud.database.write(moved)


async def credit_of(cloud: Cloud, query: str = "") -> Any:
    """Return Ben's credit as he sees it."""
    reply = await BEN.call(cloud, "GET", f"owners/ben/credit{query}")
    assert reply.status == 200, reply.json
    return reply.json


async def notices(site: Site) -> list[Notice]:
    """Return the notices of credit that a site has not acknowledged."""
    tokens = (await site.get("notices")).json["notices"]
    return [notice for token in tokens if (notice := parse_notice(compact_parts(token)[1])).kind == "credit"]


async def test_an_owner_sees_what_was_asked_and_who_heard_it(cloud: Cloud, site: Site) -> None:
    """The cut, the site's acknowledgement, and the restore that nobody has heard yet."""
    before = await credit_of(cloud)
    assert (before["state"], before["since"], before["changes"], before["balance_micro"]) == (None, None, [], 0)
    assert (await BEN.call(cloud, "PATCH", "owners/ben", {"prepaid": True})).status == 200
    await give(cloud, -5)
    [notice] = await notices(site)
    assert notice.body["owners"]["ben"]["state"] == "cut"
    cloud.clock.forward(7)
    await cloud.call("POST", f"/v1/sites/{site.site}/notices/{notice.id}/ack", token=site.token)
    cloud.clock.forward(60)
    await give(cloud, 10)
    credit = await credit_of(cloud)
    assert credit == {
        "owner": "ben",
        "prepaid": True,
        "balance_micro": 5 * POINT,
        "low_balance_micro": 0,
        "state": "ok",
        "since": time_text(NOON + 67),
        "changes": [
            {
                "number": 2,
                "at": time_text(NOON + 67),
                "state": "ok",
                "asked": "restore",
                "balance_micro": 5 * POINT,
                "sites": [{"site": site.site, "acknowledged_at": None}],
            },
            {
                "number": 1,
                "at": time_text(NOON),
                "state": "cut",
                "asked": "cut",
                "balance_micro": -5 * POINT,
                "sites": [{"site": site.site, "acknowledged_at": time_text(NOON + 7)}],
            },
        ],
        "next": None,
    }
    page = await credit_of(cloud, "?limit=1")
    assert ([item["number"] for item in page["changes"]], page["next"]) == ([2], 2)
    page = await credit_of(cloud, "?limit=1&before=2")
    assert ([item["number"] for item in page["changes"]], page["state"]) == ([1], "ok")


async def test_a_debtor_who_chooses_to_pay_ahead_is_cut_at_once(cloud: Cloud, site: Site) -> None:
    """And restored when staff ends it."""
    await give(cloud, -5)
    assert [notice.body["owners"]["ben"]["state"] for notice in await notices(site)] == ["warning"]
    assert (await BEN.call(cloud, "PATCH", "owners/ben", {"prepaid": True})).status == 200
    assert [notice.body["owners"]["ben"]["state"] for notice in await notices(site)] == ["cut"]
    assert (await MANAGER.call(cloud, "PATCH", "owners/ben", {"prepaid": False})).status == 200
    assert [notice.body["owners"]["ben"]["state"] for notice in await notices(site)] == ["warning"]


async def test_what_breakers_did_is_told_to_their_owner(cloud: Cloud, site: Site) -> None:
    """From the signed batch, the newest first; not to a neighbour whose name begins alike, nor what else happened."""
    assert (await cloud.operator("PUT", f"{COMMUNITY}/owners/be", {"name": "Be"})).status == 200
    start = NOON - 20 * INTERVAL
    incidents = (
        Incident(start + 10, CUT_OFF_DONE, "ev", breaker_detail("ben", "cut_off")),
        Incident(start + 20, BREAKER_FAILED, "ev", breaker_detail("ben", "enough")),
        Incident(start + 30, RESTORE_DONE, "ev", breaker_detail("ben", "enough")),
        Incident(start + 40, CUT_OFF_DONE, "pv", breaker_detail("sun", "cut_off")),
        Incident(start + 50, "meter-reset", "ev", "ben of all people"),
        Incident(start + 60, CUT_OFF_DONE, "ev"),
    )
    assert (await site.post(site.batch(incidents=incidents))).status == 201
    reply = await BEN.call(cloud, "GET", "owners/ben/credit/reports")
    assert [(item["kind"], item["tap"], item["reason"], item["at"]) for item in reply.json["reports"]] == [
        (RESTORE_DONE, "ev", "enough", time_text(start + 30)),
        (BREAKER_FAILED, "ev", "enough", time_text(start + 20)),
        (CUT_OFF_DONE, "ev", "cut_off", time_text(start + 10)),
    ]
    assert {(item["site"], item["epoch"], item["seq"]) for item in reply.json["reports"]} == {(site.site, 1, 1)}
    older = await BEN.call(cloud, "GET", f"owners/ben/credit/reports?before={time_text(start + 20)}")
    assert [item["kind"] for item in older.json["reports"]] == [CUT_OFF_DONE]
    assert (await cloud.operator("GET", f"{COMMUNITY}/owners/be/credit/reports")).json == {"reports": []}
    assert (await cloud.operator("GET", f"{COMMUNITY}/owners/carl/credit/reports")).problem == "not-found"
    assert (await BEN.call(cloud, "GET", "owners/ben/credit/reports?before=noon")).problem == "malformed"


async def test_a_limit_is_set_by_its_owner_or_for_all_by_staff(cloud: Cloud, site: Site) -> None:
    """An own limit stands before the community's; nonsense and strangers are refused."""
    await BEN.call(cloud, "PATCH", "owners/ben", {"prepaid": True})
    await give(cloud, 50)
    reply = await MANAGER.call(cloud, "PUT", "credit/limit", {"low_balance_micro": 60 * POINT})
    assert reply.json == {"community": COMMUNITY, "owner": None, "low_balance_micro": 60 * POINT}
    assert (await credit_of(cloud))["state"] == "low"
    reply = await BEN.call(cloud, "PUT", "owners/ben/credit/limit", {"low_balance_micro": 0})
    assert (reply.status, (await credit_of(cloud))["state"]) == (200, "ok")
    assert (await ANNA.call(cloud, "PUT", "owners/ben/credit/limit", {"low_balance_micro": 0})).problem == "forbidden"
    assert (await ANNA.call(cloud, "PUT", "credit/limit", {"low_balance_micro": 0})).problem == "forbidden"
    for limit in (-1, 2**60, "5", 1.5, None):
        reply = await BEN.call(cloud, "PUT", "owners/ben/credit/limit", {"low_balance_micro": limit})
        assert reply.problem == "malformed", limit
    assert (await MANAGER.call(cloud, "PUT", "owners/carl/credit/limit", {"low_balance_micro": 0})).status == 404
    assert (await cloud.operator("PUT", "nowhere/credit/limit", {"low_balance_micro": 0})).status == 404


async def test_a_voucher_restores_while_the_site_listens(cloud: Cloud, site: Site) -> None:
    """The push comes within two seconds of the top-up; ten are the promise up to the breaker."""
    await BEN.call(cloud, "PATCH", "owners/ben", {"prepaid": True})
    await give(cloud, -5)
    made = (await MANAGER.call(cloud, "POST", "vouchers", {"points": 10})).json["vouchers"]
    headers = {"Authorization": f"Bearer {site.token}"}
    async with cloud.client.ws_connect(f"/v1/sites/{site.site}/ws", headers=headers) as socket:
        assert await heard(socket, 2) == "cut"
        reply = await BEN.call(cloud, "POST", "owners/ben/vouchers", {"code": made[0]["code"]})
        assert reply.status == 201, reply.json
        assert await heard(socket, 2) == "ok"


async def heard(socket: Any, seconds: float) -> str:
    """Wait for the next notice of credit; return how it says Ben stands."""
    async with asyncio.timeout(seconds):
        while True:
            message = await socket.receive()
            assert message.type is WSMsgType.TEXT, message
            notice = parse_notice(compact_parts(message.data)[1])
            if notice.kind == "credit":
                state: str = notice.body["owners"]["ben"]["state"]
                return state


async def test_balances_and_who_pays_ahead_may_change_side_by_side(cloud: Cloud, site: Site) -> None:
    """Nobody waits for somebody who waits for them, and the last word fits how things stand."""
    await give(cloud, 1)
    changes = [MANAGER.call(cloud, "PATCH", "owners/ben", {"prepaid": number % 2 == 0}) for number in range(10)]
    limits = [BEN.call(cloud, "PUT", "owners/ben/credit/limit", {"low_balance_micro": number}) for number in range(5)]
    moves = [give(cloud, -10 - number) for number in range(10)]
    replies = await asyncio.gather(*changes, *limits, *moves)
    assert {reply.status for reply in replies if reply is not None} == {200}
    credit = await credit_of(cloud)
    assert credit["balance_micro"] == -144 * POINT
    assert credit["state"] == ("cut" if credit["prepaid"] else "warning")
    numbers = [item["number"] for item in credit["changes"]]
    assert numbers == list(range(len(numbers), 0, -1))
    assert [notice.body["owners"]["ben"]["state"] for notice in await notices(site)] == [credit["state"]]
