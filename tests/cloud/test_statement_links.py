"""A statement in the browser: only by its link, only for an hour, and only this owner's."""

import csv
from decimal import Decimal
from io import StringIO
from urllib.parse import urlsplit

import jwt
import pytest

from cloud.settlement.job import settle
from cloud.settlement.page.ticket import TICKET_SECONDS, TICKET_TYPE, Ticket, issue
from cloud.wire import time_text

from .conftest import COMMUNITY, NOON, Cloud, Site

PRICES = {"local": "20", "grid_buy": "30", "grid_sell": "8"}
LINKS = f"{COMMUNITY}/owners/ben/statement/links"


@pytest.fixture
async def settled(cloud: Cloud, site: Site) -> Cloud:
    """Let three intervals be settled."""
    assert (await cloud.operator("PUT", f"{COMMUNITY}/tariffs/{time_text(0)}", PRICES)).status == 201
    for raw in site.chain(3):
        assert (await site.post(raw)).status == 201
    await settle(cloud.database, NOON)
    return cloud


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


async def link(cloud: Cloud, **body: str) -> dict[str, str]:
    """Make a link."""
    reply = await cloud.operator("POST", LINKS, body)
    assert reply.status == 201, reply.json
    made: dict[str, str] = reply.json
    return made


async def test_a_link_shows_the_statement_as_page_and_table(settled: Cloud) -> None:
    """Without a token; the table's points are the balance."""
    made = await link(settled, language="ja")
    shown = await settled.call("GET", path_of(made["url"]))
    assert shown.status == 200
    assert shown.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "明細書" in shown.raw.decode()
    assert "Ben" in shown.raw.decode()
    assert "Anna" not in shown.raw.decode()
    assert "script" not in shown.raw.decode()
    assert shown.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert shown.headers["Referrer-Policy"] == "no-referrer"
    assert shown.headers["Cache-Control"] == "no-store"
    rows = list(csv.DictReader(StringIO((await settled.call("GET", path_of(made["csv_url"]))).raw.decode())))
    balances = (await settled.operator("GET", f"{COMMUNITY}/balances")).json["balances"]
    [ben] = [item["balance_micro"] for item in balances if item["owner"] == "ben"]
    assert Decimal(rows[-1]["points"]) * 1_000_000 == ben != 0


async def test_a_link_holds_an_hour(settled: Cloud) -> None:
    """Then a new one must be asked for."""
    made = await link(settled)
    settled.clock.forward(TICKET_SECONDS - 1)
    assert (await settled.call("GET", path_of(made["url"]))).status == 200
    settled.clock.forward(1)
    assert (await settled.call("GET", path_of(made["url"]))).problem == "not-authorised"


async def test_no_token_is_a_ticket_and_no_ticket_a_token(cloud: Cloud, site: Site) -> None:
    """The same key signs both; each opens only its own door."""
    operator = await cloud.token("operator", cloud.operator_secret)
    ticket = Ticket(COMMUNITY, "ben", NOON, NOON + 60, "en", NOON + 60)
    text = issue(cloud.key, ticket, "http://cloud.test", NOON)
    for wrong in (operator, site.token, text + "x", "", "é", "a.b.c"):
        reply = await cloud.call("GET", f"/statement?ticket={wrong}")
        assert (reply.status, reply.problem) == (401, "not-authorised"), wrong
    assert (await cloud.call("GET", f"/v1/communities/{COMMUNITY}/balances", token=text)).status == 401
    other = jwt.encode({"sub": "ben"}, cloud.key.private_key, "EdDSA", headers={"typ": TICKET_TYPE})
    assert (await cloud.call("GET", f"/statement?ticket={other}")).problem == "not-authorised"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"from": "2026-11-21T12:00:00Z", "to": "2026-11-21T12:00:00Z"}, "unprocessable"),
        ({"from": "2020-01-01T00:00:00Z", "to": "2026-11-21T12:00:00Z"}, "unprocessable"),
        ({"from": "yesterday"}, "malformed"),
        ({"language": "de"}, "malformed"),
        ({"owner": "anna"}, "malformed"),
    ],
)
async def test_a_link_that_makes_no_sense_is_not_made(
    cloud: Cloud, site: Site, body: dict[str, str], problem: str
) -> None:
    """With words that say what would."""
    assert (await cloud.operator("POST", LINKS, body)).problem == problem


async def test_unknown_owners_have_no_statement(cloud: Cloud, site: Site) -> None:
    """Neither when the link is made nor when it is opened."""
    reply = await cloud.operator("POST", f"{COMMUNITY}/owners/nobody/statement/links", {})
    assert reply.problem == "not-found"
    text = issue(cloud.key, Ticket(COMMUNITY, "gone", 0, 1800, "en", NOON + 60), "http://cloud.test", NOON)
    assert (await cloud.call("GET", f"/statement?ticket={text}")).problem == "not-found"


async def test_all_owners_sums_add_up(settled: Cloud) -> None:
    """A row each: opening, energy and movements make the closing balance, and all energy is somebody's."""
    token = await settled.token("operator", settled.operator_secret)
    reply = await settled.call("GET", f"/v1/communities/{COMMUNITY}/statements.csv", token=token)
    rows = list(csv.DictReader(StringIO(reply.raw.decode())))
    assert [row["owner"] for row in rows] == ["anna", "ben", "sun"]
    for row in rows:
        moved = [Decimal(row[name]) for name in row if name.endswith("_points") and name != "closing_points"]
        assert sum(moved) == Decimal(row["closing_points"])
        assert int(row["used_wh"]) - int(row["supplied_wh"]) == sum(
            int(row[name]) for name in ("community_wh", "neighbour_link_wh", "grid_wh")
        )
    assert sum(int(row["community_wh"]) for row in rows) == 0
