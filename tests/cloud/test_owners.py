"""Owners' records: made by staff, changed by whom they are about, and every change remembered."""

import asyncio
import io
import json
import logging
from typing import Any

import pytest
from sqlalchemy import Connection

from cloud import logs
from cloud.database import bucket_of
from cloud.notice.store import notice_table
from cloud.sites.owners.store import owner_change_table
from cloud.sites.store import owner_table
from cloud.sites.trees.store import tree_table
from cloud.wire import GENESIS, Tree, TreeTap, parse_settings, time_text, to_bytes

from .conftest import COMMUNITY, INTERVAL, NOON, Cloud, Site
from .credit_ground import give
from .people import ANNA, BEN, HILLSIDE, MANAGER, OPERATOR, UPPER

FULL: dict[str, Any] = {
    "name": "Anna Berg",
    "mail": "anna@berg.example",
    "phone": "+4930123456",
    "language": "ja",
    "address": {"lines": ["Elm Street 1", "c/o Ben"], "postal_code": "10115", "city": "Berlin", "country": "DE"},
    "payment": {"provider": "stripe", "token": "pm_1NxyzABCdef"},
    "prepaid": True,
}
CARD = "4111 1111 1111 1111"


@pytest.fixture
async def founded(cloud: Cloud) -> Cloud:
    """Found community riverside."""
    await cloud.found()
    return cloud


async def test_a_record_is_kept_whole_and_a_token_is_not_shown_again(founded: Cloud) -> None:
    """What was put is what is read, by staff and by its owner; of the means of payment only the end is told."""
    put = await MANAGER.call(founded, "PUT", "owners/anna", FULL)
    assert put.status == 200
    shown = {"community": COMMUNITY, "owner": "anna", "payment": {"provider": "stripe", "ends": "Cdef"}}
    shown |= {"created_at": time_text(NOON), "changed_at": time_text(NOON)}
    assert put.json == FULL | shown
    for caller in (OPERATOR, MANAGER, ANNA):
        assert (await caller.call(founded, "GET", "owners/anna")).json == put.json
    assert [row.payment_token for row in await founded.rows(owner_table, owner="anna")] == ["pm_1NxyzABCdef"]


async def test_what_is_not_sent_stays(founded: Cloud) -> None:
    """A name alone changes the name alone, by PUT as by PATCH; null takes a member away."""
    await OPERATOR.call(founded, "PUT", "owners/anna", FULL)
    for method in ("PUT", "PATCH"):
        assert (await OPERATOR.call(founded, method, "owners/anna", {"name": method})).json["mail"] == FULL["mail"]
    cleared = {"mail": None, "phone": None, "language": None, "address": None, "payment": None}
    reply = await ANNA.call(founded, "PATCH", "owners/anna", cleared)
    assert {name: reply.json[name] for name in cleared} == cleared
    assert (reply.json["name"], reply.json["prepaid"]) == ("PATCH", True)
    row = (await founded.rows(owner_table, owner="anna"))[0]
    assert {row.address_lines, row.postal_code, row.city, row.country, row.payment_provider, row.payment_token} == {
        None
    }


async def test_owners_are_listed_by_pages(founded: Cloud) -> None:
    """For staff; each page says where the next begins."""
    names, after = [], ""
    while True:
        page = (await MANAGER.call(founded, "GET", f"owners?limit=2&after={after}")).json
        names += [owner["owner"] for owner in page["owners"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert names == ["anna", "ben", "sun"]
    assert (await OPERATOR.call(founded, "GET", "/v1/communities/nowhere/owners")).problem == "not-found"


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        *(("mail", text, "is not a mail address") for text in ("anna", "anna@", "@b.de", "a@b", "a b@c.de", "a@b..de")),
        ("mail", f"{'a' * 65}@example.org", "is not a mail address"),
        ("mail", f"a@{'b' * 260}.org", "at most 254"),
        *(("phone", text, "E.164") for text in ("030123456", "+0301234567", "+49 30 123456", "+12345", "+٤٩٣٠١٢٣٤٥٦")),
        ("phone", "+378282246310005", "card"),
        ("language", "de", "'en' or 'ja'"),
        ("address", {"lines": ["x"], "city": "Y", "country": "UK"}, "ISO 3166-1"),
        ("address", {"lines": ["x"], "city": "Y", "country": "de"}, "ISO 3166-1"),
        ("address", {"lines": [], "city": "Y", "country": "DE"}, "at least 1"),
        ("address", {"lines": ["x"] * 5, "city": "Y", "country": "DE"}, "at most 4"),
        ("address", {"lines": ["a\nb"], "city": "Y", "country": "DE"}, "cannot be printed"),
        ("address", {"lines": ["x"], "country": "DE"}, "address.city"),
        ("payment", {"provider": "stripe", "token": "pm 1"}, "is not a token"),
        ("payment", {"provider": "stripe", "token": "x"}, "at least 4"),
        ("payment", {"token": "pm_1Nxyz"}, "payment.provider"),
        ("prepaid", 1, "boolean"),
        ("prepaid", None, "cannot be taken away"),
        ("name", None, "name"),
        ("shoe_size", 43, "not permitted"),
    ],
)
async def test_a_wrong_member_is_named_in_clear_words(founded: Cloud, member: str, value: Any, words: str) -> None:
    """The record stays as it was, and nothing is remembered as a change."""
    for method, body in (("PATCH", {member: value}), ("PUT", {"name": "Another"} | {member: value})):
        reply = await OPERATOR.call(founded, method, "owners/anna", body)
        assert reply.problem == "malformed"
        assert words in reply.json["detail"]
    assert (await ANNA.call(founded, "GET", "owners/anna")).json["name"] == "Anna"
    assert await founded.count(owner_change_table, owner="anna") == 1


@pytest.mark.parametrize(
    "body",
    [
        {"name": CARD},
        {"mail": "4111111111111111@example.org"},
        {"phone": CARD},
        {"address": {"lines": ["Elm Street 1", CARD], "city": "Berlin", "country": "DE"}},
        {"address": {"lines": ["x"], "city": "Berlin", "country": "DE", "postal_code": "4111111111111111"}},
        {"payment": {"provider": "stripe", "token": "4111111111111111"}},
        {"card": 4111111111111111},
        {"4111111111111111": "x"},
    ],
)
async def test_a_card_number_is_refused_and_never_repeated(
    founded: Cloud, body: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """In whatever member it stands: not in the answer, not in a log, not in the database."""
    caplog.set_level(logging.DEBUG)
    for method in ("PATCH", "PUT"):
        reply = await OPERATOR.call(founded, method, "owners/anna", {"name": "Anna"} | body)
        assert (reply.status, reply.problem) == (400, "malformed")
        assert "card" in reply.json["detail"]
        assert "1111" not in reply.raw.decode()
    assert "1111 1111" not in caplog.text
    assert "1111111" not in caplog.text
    assert "1111" not in str(await founded.rows(owner_table))


async def test_an_owners_id_is_no_card_number_either(founded: Cloud) -> None:
    """It would stand in every statement."""
    reply = await OPERATOR.call(founded, "PUT", "owners/4111111111111111", {"name": "Eve"})
    assert (reply.problem, await founded.count(owner_table)) == ("malformed", 3)


async def test_too_much_is_refused(founded: Cloud) -> None:
    """Each text is looked through, so there is a bound to how much."""
    reply = await ANNA.call(founded, "PATCH", "owners/anna", {"name": "1 " * 10_000})
    assert (reply.status, reply.problem) == (413, "body-too-large")


async def test_unknown_owners_and_communities_are_told(founded: Cloud) -> None:
    """For staff, who may know; PATCH creates nobody."""
    for method, path in (
        ("GET", "owners/eve"),
        ("PATCH", "owners/eve"),
        ("GET", "owners/eve/changes"),
        ("GET", "owners/eve/taps"),
        ("POST", "owners/eve/invitations"),
        ("PUT", "/v1/communities/nowhere/owners/eve"),
    ):
        body = None if method == "GET" else {"name": "Eve"}
        assert (await OPERATOR.call(founded, method, path, body)).problem == "not-found", path
    assert await founded.count(owner_table) == 3


async def test_every_change_is_remembered_by_its_members(founded: Cloud) -> None:
    """Who, when, in which role, and which members; not what they held, and not what changed nothing."""
    founded.clock.forward(60)
    await ANNA.call(founded, "PATCH", "owners/anna", {"mail": FULL["mail"], "phone": FULL["phone"], "name": "Anna"})
    await ANNA.call(founded, "PATCH", "owners/anna", {"mail": FULL["mail"], "prepaid": False, "language": None})
    founded.clock.forward(60)
    await MANAGER.call(founded, "PUT", "owners/anna", {"name": "Anna B.", "address": FULL["address"]})
    reply = await MANAGER.call(founded, "GET", "owners/anna/changes")
    told = [(item["changed_at"], item["role"], item["members"]) for item in reply.json["changes"]]
    assert told == [
        (time_text(NOON), "operator", ["name"]),
        (time_text(NOON + 60), "owner", ["mail", "phone"]),
        (time_text(NOON + 120), "manager", ["address", "name"]),
    ]
    assert [item["changed_by"] for item in reply.json["changes"]] == ["operator", "client-owner", "client-manager"]
    assert "berg.example" not in str(await founded.rows(owner_change_table))
    page = (await MANAGER.call(founded, "GET", "owners/anna/changes?limit=1")).json
    rest = (await MANAGER.call(founded, "GET", f"owners/anna/changes?after={page['next']}")).json
    assert page["changes"] + rest["changes"] == reply.json["changes"]
    assert (await ANNA.call(founded, "GET", "owners/anna/changes")).problem == "forbidden"


async def test_changes_made_at_once_are_all_there(founded: Cloud) -> None:
    """Each of another member: none is lost, and each is remembered."""
    members = [{name: value} for name, value in FULL.items()]
    replies = await asyncio.gather(*(ANNA.call(founded, "PATCH", "owners/anna", member) for member in members))
    assert {reply.status for reply in replies} == {200}
    stands = (await ANNA.call(founded, "GET", "owners/anna")).json
    assert {name: stands[name] for name in FULL if name != "payment"} == {
        name: value for name, value in FULL.items() if name != "payment"
    }
    noted = [json.loads(row.members) for row in await founded.rows(owner_change_table, owner="anna")]
    assert sorted(noted) == sorted([["name"], *([name] for name in FULL)])


async def test_prepaid_is_chosen_by_the_owner_and_ended_by_staff(founded: Cloud) -> None:
    """The way back would be the way out of a debt."""
    assert (await ANNA.call(founded, "GET", "owners/anna")).json["prepaid"] is False
    assert (await ANNA.call(founded, "PATCH", "owners/anna", {"prepaid": True})).json["prepaid"] is True
    reply = await ANNA.call(founded, "PATCH", "owners/anna", {"prepaid": False, "name": "Else"})
    assert (reply.status, reply.problem) == (403, "forbidden")
    assert (await ANNA.call(founded, "GET", "owners/anna")).json["name"] == "Anna"
    assert (await MANAGER.call(founded, "PATCH", "owners/anna", {"prepaid": False})).json["prepaid"] is False


async def test_two_owners_may_share_a_mailbox(founded: Cloud) -> None:
    """A couple does, and a landlord of two flats; nobody comes in by a mail address."""
    for owner in ("anna", "ben"):
        assert (await MANAGER.call(founded, "PATCH", f"owners/{owner}", {"mail": FULL["mail"]})).status == 200


async def test_sites_are_told_names_and_nothing_else(site: Site) -> None:
    """A new name reaches the site's settings; the rest of a record stays in the cloud."""
    before = await site.cloud.count(notice_table, kind="settings")
    full = {name: value for name, value in FULL.items() if name not in ("name", "prepaid")}
    await ANNA.call(site.cloud, "PATCH", "owners/anna", full)
    assert await site.cloud.count(notice_table, kind="settings") == before
    await ANNA.call(site.cloud, "PATCH", "owners/anna", {"name": "Anna Berg"})
    assert await site.cloud.count(notice_table, kind="settings") == before + 1
    settings = await site.get("settings")
    assert parse_settings(settings.raw).owners["anna"] == "Anna Berg"
    assert "berg.example" not in settings.raw.decode()
    assert "Elm Street" not in settings.raw.decode()


async def test_no_record_is_ever_logged(founded: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the noisiest level, also where the cloud makes a mistake with the record in its hands."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Formatter())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    try:
        assert (await ANNA.call(founded, "PATCH", "owners/anna", FULL)).status == 200
        assert (await ANNA.call(founded, "PATCH", "owners/anna", FULL | {"mail": "no mail"})).status == 400
        monkeypatch.setattr("cloud.sites.owners.store.note_change", broken)
        assert (await ANNA.call(founded, "PATCH", "owners/anna", FULL | {"name": "Anna C."})).status == 500
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    log = stream.getvalue()
    assert "ZeroDivisionError" in log
    assert "UPDATE owner" in log
    for secret in ("Anna Berg", "Anna C.", "berg.example", "no mail", "+4930", "Elm Street", "10115", "pm_1Nxyz"):
        assert secret not in log
    assert (await ANNA.call(founded, "GET", "owners/anna")).json["name"] == "Anna Berg"  # the last one was undone


async def test_an_owner_sees_its_taps_and_since_when(site: Site) -> None:
    """Over revisions: a tap that came back counts from its return, a planned tree not yet, another's tap never."""
    cloud = site.cloud
    start = NOON + INTERVAL
    second = {"main": TreeTap("anna", None), "ev": TreeTap("anna", "main", "Wallbox"), "pv": TreeTap("sun", "main")}
    third = second | {"ev": TreeTap("ben", "main", "Charger")}
    assert [item["tap"] for item in (await BEN.call(cloud, "GET", "owners/ben/taps")).json["taps"]] == ["ev"]
    for rev, taps in ((2, second), (3, third)):
        await cloud.database.write(keep_tree, site.site, rev, start + (rev - 2) * INTERVAL, taps)
    held = {"site": site.site, "site_name": "Home", "tap": "ev", "name": None, "since": time_text(0)}
    assert (await BEN.call(cloud, "GET", "owners/ben/taps")).json == {"taps": [held], "next": None}
    cloud.clock.forward(INTERVAL)
    assert (await BEN.call(cloud, "GET", "owners/ben/taps")).json["taps"] == []
    anna = (await ANNA.call(cloud, "GET", "owners/anna/taps")).json["taps"]
    assert [(item["tap"], item["since"]) for item in anna] == [("ev", time_text(start)), ("main", time_text(0))]
    cloud.clock.forward(INTERVAL)
    again = held | {"name": "Charger", "since": time_text(start + INTERVAL)}
    assert (await BEN.call(cloud, "GET", "owners/ben/taps")).json["taps"] == [again]


def keep_tree(conn: Connection, site: str, rev: int, valid_from: int, taps: dict[str, TreeTap]) -> None:
    """Keep a tree in which a tap has another owner, as a transfer ends."""
    tree = Tree(site, rev, valid_from, taps)
    key = {"bucket": bucket_of(COMMUNITY), "community": COMMUNITY, "site": site, "rev": rev}
    values = {"valid_from": valid_from, "hash": GENESIS, "raw": to_bytes(tree), "signature": "", "received_at": NOON}
    conn.execute(tree_table.insert().values(key | values))


async def test_taps_are_listed_by_pages_of_an_owners_own_sites(site: Site) -> None:
    """No page begins or ends at somebody else's site."""
    cloud = site.cloud
    sites = [site.site]
    for taps in ({"main": TreeTap("sun", None)}, {"main": TreeTap("anna", None)}, {"main": TreeTap("anna", None)}):
        other = await cloud.join()
        assert (await other.put_tree(taps=taps)).status == 201
        sites += [other.site] if taps["main"].owner == "anna" else []
    found, after, pages = [], "", 0
    while True:
        page = (await ANNA.call(cloud, "GET", f"owners/anna/taps?limit=1&after={after}")).json
        found += [item["site"] for item in page["taps"]]
        pages += 1
        if page["next"] is None:
            break
        assert page["next"] in sites
        after = page["next"]
    assert (found, pages) == (sorted(sites), 4)


async def test_an_upper_system_knows_no_person(founded: Cloud) -> None:
    """It reads what was measured and settled, not who lives there."""
    for path in ("owners", "owners/anna", "owners/anna/taps", "owners/anna/changes"):
        assert (await UPPER.call(founded, "GET", path)).problem == "forbidden"


async def test_the_same_id_elsewhere_is_somebody_else(founded: Cloud) -> None:
    """Owners of two communities share an id and nothing more."""
    await founded.found(HILLSIDE)
    await ANNA.call(founded, "PATCH", "owners/anna", FULL)
    elsewhere = await founded.operator("GET", f"{HILLSIDE}/owners/anna")
    assert (elsewhere.json["name"], elsewhere.json["mail"]) == ("Anna", None)


async def test_who_becomes_prepaid_without_points_is_cut_and_restored_when_not(founded: Cloud) -> None:
    """Credit is judged in the same step, whoever changes it; of the rest of a record it knows nothing."""
    await founded.database.write(give, "anna", -5, NOON, community=COMMUNITY)
    states = []
    for caller, members in (
        (ANNA, {"mail": FULL["mail"]}),
        (ANNA, {"prepaid": True}),
        (MANAGER, {"prepaid": False}),
    ):
        assert (await caller.call(founded, "PATCH", "owners/anna", members)).status == 200
        states.append((await ANNA.call(founded, "GET", "owners/anna/credit")).json["state"])
    assert states == ["warning", "cut", "warning"]
