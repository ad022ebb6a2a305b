"""Registration: who has a code comes in once, as whom the invitation says, and can be nobody else."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from cloud.sites.access.clients.store import CLIENTS_MAX
from cloud.sites.access.pairing import WINDOW_SECONDS, WRONG_PER_ADDRESS_MAX
from cloud.sites.access.store import client_table, wrong_code_table
from cloud.sites.owners.registration.invitation import INVITATION_SECONDS, Invitation, judge, opens
from cloud.sites.owners.registration.store import invitation_table
from cloud.sites.owners.store import owner_change_table
from cloud.sites.store import owner_table
from cloud.wire.session import OWNERS_MAX

from .conftest import COMMUNITY, NOON, Cloud, Reply, Site
from .people import ANNA, MANAGER, OPERATOR

EVE = {"owner": "eve", "name": "Eve", "mail": "eve@example.org"}


@pytest.fixture
async def founded(cloud: Cloud) -> Cloud:
    """Found community riverside."""
    await cloud.found()
    return cloud


async def invited(cloud: Cloud, owner: str | None = "anna", uses_max: int = 1) -> str:
    """Make an invitation as the community's manager and return its code."""
    if owner is not None:
        reply = await MANAGER.call(cloud, "POST", f"owners/{owner}/invitations")
    else:
        reply = await MANAGER.call(cloud, "POST", "invitations", {"uses_max": uses_max})
    assert reply.status == 201, reply.json
    code: str = reply.json["code"]
    return code


async def register(cloud: Cloud, code: str, **members: Any) -> Reply:
    """Show a code."""
    return await cloud.call("POST", "/v1/owners", json={"code": code} | members)


async def test_an_invited_owner_comes_in_and_is_itself(founded: Cloud) -> None:
    """What it says of itself is kept, its client opens its own doors and no others."""
    reply = await register(founded, await invited(founded), mail="anna@example.org")
    assert (reply.status, reply.json["community"], reply.json["owner"]) == (201, COMMUNITY, "anna")
    token = await founded.token(reply.json["client_id"], reply.json["client_secret"])
    own = await founded.call("GET", f"/v1/communities/{COMMUNITY}/owners/anna", token=token)
    assert (own.status, own.json["name"], own.json["mail"]) == (200, "Anna", "anna@example.org")
    other = await founded.call("GET", f"/v1/communities/{COMMUNITY}/owners/ben", token=token)
    assert other.problem == "forbidden"
    noted = await founded.rows(owner_change_table, owner="anna", role="owner")
    assert [(row.changed_by, row.members) for row in noted] == [
        (reply.json["client_id"], '["mail"]'),
        (reply.json["client_id"], '["client"]'),
    ]


async def test_an_open_invitation_makes_new_owners_up_to_its_limit(founded: Cloud) -> None:
    """Each under the id it wants; sites hear of them; one more than the limit stays out."""
    site = await founded.join()
    code = await invited(founded, None, uses_max=2)
    for owner in ("eve", "fay"):
        assert (await register(founded, code, **EVE | {"owner": owner})).status == 201
    assert (await register(founded, code, **EVE | {"owner": "gus"})).problem == "invitation-refused"
    assert set((await site.get("settings")).json["owners"]) == {"anna", "ben", "sun", "eve", "fay"}


async def test_a_code_may_be_typed_as_people_type(founded: Cloud) -> None:
    """As with pairing codes."""
    code = await invited(founded)
    assert (await register(founded, code.lower().replace("-", " ").replace("1", "l"))).status == 201


async def test_neither_code_nor_secret_is_stored_as_it_is(founded: Cloud) -> None:
    """Who reads the database can be nobody."""
    code = await invited(founded)
    reply = await register(founded, code)
    tables = (owner_table, client_table, owner_change_table, invitation_table)
    stored = str([await founded.rows(table) for table in tables])
    assert code not in stored
    assert code.replace("-", "") not in stored
    assert reply.json["client_secret"] not in stored


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"owner": "eve"}, "unprocessable"),
        ({"name": "Eve"}, "unprocessable"),
        ({}, "unprocessable"),
        (EVE | {"owner": "anna"}, "owner-taken"),
        (EVE | {"owner": "e e"}, "malformed"),
        (EVE | {"owner": "4111111111111111"}, "malformed"),
        (EVE | {"mail": "eve"}, "malformed"),
        (EVE | {"name": "x" * 101}, "malformed"),
        (EVE | {"community": "hillside"}, "malformed"),
        (EVE | {"name": "x" * 20_000}, "body-too-large"),
    ],
)
async def test_a_bad_request_uses_no_code_and_leaves_nothing(
    founded: Cloud, members: dict[str, Any], problem: str
) -> None:
    """Neither an owner nor a client nor a line of history; the code still works."""
    code = await invited(founded, None)
    tables = (owner_table, client_table, owner_change_table, invitation_table)
    before = [await founded.rows(table) for table in tables]
    assert (await register(founded, code, **members)).problem == problem
    assert [await founded.rows(table) for table in tables] == before
    assert (await register(founded, code, **EVE)).status == 201


async def test_an_invitation_for_one_is_for_no_other(founded: Cloud) -> None:
    """Naming oneself is fine, naming another is not, and a debt is not escaped through this door."""
    code = await invited(founded)
    assert (await register(founded, code, owner="ben")).problem == "invitation-refused"
    assert (await register(founded, code, prepaid=False)).problem == "forbidden"
    assert (await register(founded, code, owner="anna")).status == 201


async def test_a_used_expired_or_withdrawn_code_is_refused_alike(founded: Cloud) -> None:
    """And one that never was: who guesses does not learn how near it came."""
    used, expired, withdrawn = await invited(founded), await invited(founded), await invited(founded, None)
    assert (await register(founded, used)).status == 201
    listed = (await MANAGER.call(founded, "GET", "invitations")).json["invitations"]
    gone = listed[-1]["invitation"]
    assert (await MANAGER.call(founded, "DELETE", f"invitations/{gone}")).status == 204
    assert (await MANAGER.call(founded, "DELETE", f"invitations/{gone}")).status == 204
    assert (await MANAGER.call(founded, "DELETE", "invitations/none")).problem == "not-found"
    told = {(await register(founded, code, **EVE)).json["detail"] for code in (used, withdrawn, "0000", "\0", "Ω")}
    founded.clock.forward(INVITATION_SECONDS)
    last = await register(founded, expired)
    assert (last.problem, told) == ("invitation-refused", {last.json["detail"]})


async def test_invitations_are_listed_without_their_codes(founded: Cloud) -> None:
    """Who made them, how often they were used; by pages."""
    codes = [await invited(founded), await invited(founded, None, uses_max=3)]
    await register(founded, codes[1], **EVE)
    reply = await MANAGER.call(founded, "GET", "invitations")
    told = [(item["owner"], item["uses"], item["uses_max"], item["made_by"]) for item in reply.json["invitations"]]
    assert told == [("anna", 0, 1, "client-manager"), (None, 1, 3, "client-manager")]
    assert not [code for code in codes if code in reply.raw.decode()]
    page = (await MANAGER.call(founded, "GET", "invitations?limit=1")).json
    rest = (await MANAGER.call(founded, "GET", f"invitations?after={page['next']}")).json
    assert [*page["invitations"], *rest["invitations"]] == reply.json["invitations"]


async def test_guessing_is_stopped_for_a_while(founded: Cloud) -> None:
    """Wrong codes of both kinds count together, and so do ids that are tried out with a good code."""
    good, site = await invited(founded, None), Site(founded)
    for _ in range(WRONG_PER_ADDRESS_MAX - 2):
        assert (await register(founded, "0000-0000-0000-0000")).status == 403
    assert (await register(founded, good, **EVE | {"owner": "ben"})).problem == "owner-taken"
    assert (await site.pair("0000-0000-0000-0000")).status == 403
    reply = await register(founded, good, **EVE)
    assert (reply.status, reply.problem) == (429, "too-many-tries")
    assert 0 < int(reply.headers["Retry-After"]) <= WINDOW_SECONDS
    assert (await site.pair(await founded.code())).problem == "too-many-tries"
    founded.clock.forward(int(reply.headers["Retry-After"]))
    assert (await register(founded, good, **EVE)).status == 201
    assert {row.tries for row in await founded.rows(wrong_code_table)} == {WRONG_PER_ADDRESS_MAX}


async def test_of_many_who_show_one_code_one_wins(founded: Cloud) -> None:
    """At the same moment; the others leave nothing behind."""
    code = await invited(founded)
    replies = await asyncio.gather(*(register(founded, code, mail=f"a{number}@b.example") for number in range(6)))
    assert Counter(reply.status for reply in replies) == {201: 1, 403: 5}
    (winner,) = (reply for reply in replies if reply.status == 201)
    assert [row.client_id for row in await founded.rows(client_table, scope="owner")] == [winner.json["client_id"]]
    assert await founded.count(owner_change_table, owner="anna", role="owner") == 2


async def test_of_many_who_want_one_id_one_gets_it(founded: Cloud) -> None:
    """Through two open invitations at the same moment."""
    codes = [await invited(founded, None, uses_max=4) for _ in range(2)]
    names = [f"Eve {number}" for number in range(6)]
    replies = await asyncio.gather(
        *(register(founded, codes[number % 2], owner="eve", name=name) for number, name in enumerate(names))
    )
    assert Counter(reply.status for reply in replies) == {201: 1, 409: 5}
    (row,) = await founded.rows(owner_table, owner="eve")
    assert row.name == names[[reply.status for reply in replies].index(201)]
    assert sum(row.uses for row in await founded.rows(invitation_table)) == 1


async def test_a_full_community_takes_nobody_more(founded: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither owners nor clients, and the code is not used up by trying."""
    assert (OWNERS_MAX, CLIENTS_MAX) == (1000, 10_000)
    code = await invited(founded, None)
    monkeypatch.setattr("cloud.sites.owners.store.OWNERS_MAX", 3)
    assert (await register(founded, code, **EVE)).problem == "unprocessable"
    assert (await OPERATOR.call(founded, "PUT", "owners/eve", {"name": "Eve"})).problem == "unprocessable"
    monkeypatch.setattr("cloud.sites.owners.store.OWNERS_MAX", 4)
    monkeypatch.setattr("cloud.sites.access.clients.store.CLIENTS_MAX", 0)
    assert (await register(founded, code, **EVE)).problem == "unprocessable"
    assert await founded.count(owner_table) == 3
    monkeypatch.undo()
    assert (await register(founded, code, **EVE)).status == 201


async def test_an_owner_renews_its_own_secret(founded: Cloud) -> None:
    """At once neither the old secret nor a token from before opens anything; the new one does; it is remembered."""
    first = (await register(founded, await invited(founded))).json
    token = await founded.token(first["client_id"], first["client_secret"])
    path = f"/v1/communities/{COMMUNITY}/owners/anna"
    renewed = await founded.call("POST", f"{path}/secret", token=token)
    assert (renewed.status, renewed.json["client_id"]) == (200, first["client_id"])
    assert (await founded.call("GET", path, token=token)).problem == "not-authorised"
    form = {"grant_type": "client_credentials", "client_id": first["client_id"]}
    old = await founded.call("POST", "/v1/token", data=form | {"client_secret": first["client_secret"]})
    assert old.problem == "not-authorised"
    again = await founded.token(first["client_id"], renewed.json["client_secret"])
    assert (await founded.call("GET", path, token=again)).status == 200
    changes = (await MANAGER.call(founded, "GET", "owners/anna/changes")).json["changes"]
    assert changes[-1]["members"] == ["secret"]
    assert (await ANNA.call(founded, "POST", "owners/anna/secret")).problem == "conflict"  # of no client


async def test_one_token_renews_one_secret(founded: Cloud) -> None:
    """Of many at once with the same token one is answered, and what it was told opens."""
    first = (await register(founded, await invited(founded))).json
    token = await founded.token(first["client_id"], first["client_secret"])
    path = f"/v1/communities/{COMMUNITY}/owners/anna/secret"
    replies = await asyncio.gather(*(founded.call("POST", path, token=token) for _ in range(4)))
    counted = Counter(reply.status for reply in replies)
    assert (counted[200], counted[401] + counted[409]) == (1, 3)
    (told,) = (reply.json for reply in replies if reply.status == 200)
    assert await founded.token(told["client_id"], told["client_secret"])


INVITATION = Invitation("i", COMMUNITY, None, 2, 1, "m", NOON - 10, NOON + 10, None)


def test_an_invitation_opens_within_its_time_and_limit() -> None:
    """Judged without a database."""
    assert opens(INVITATION, NOON)
    assert opens(INVITATION, NOON + 9)
    assert not opens(INVITATION, NOON + 10)
    assert not opens(None, NOON)
    assert judge(INVITATION, "eve", {"name": "Eve"}, taken=False) is None
