"""Roles: who may make whose client, what each may change, and that a stopped client is stopped."""

import asyncio
from typing import Any

import pytest

from cloud.config import Config
from cloud.principal import Scope
from cloud.sites.access.clients.role import may_grant
from cloud.sites.access.clients.store import remove, stopped_since
from cloud.sites.access.credentials import TOKEN_SECONDS, Client, reach_fits, secret_hmac
from cloud.sites.access.http import secret_key
from cloud.sites.access.stopped import STALE_SECONDS, Stopped
from cloud.sites.access.store import add_client, client_table
from cloud.sites.store import community_table

from .conftest import COMMUNITY, NOON, Cloud, Site, running
from .people import ANNA, HILLSIDE, MANAGER, OPERATOR, UPPER, Caller, made

SETTINGS: dict[str, Any] = {
    "name": "Riverside",
    "time_zone": "Europe/Berlin",
    "interval_seconds": 1800,
    "cycle_seconds": 1800,
    "grace_seconds": 86_400,
    "currency": None,
    "points_per_unit": None,
}
BALANCES = f"/v1/communities/{COMMUNITY}/balances"


@pytest.fixture
async def founded(cloud: Cloud) -> Cloud:
    """Found community riverside."""
    await cloud.found()
    return cloud


@pytest.mark.parametrize("scope", ["manager", "upper", "owner"])
async def test_a_client_is_made_once_and_opens_its_own_doors(founded: Cloud, scope: str) -> None:
    """Its token is of its scope and bound to its community; the secret is shown once and stored as HMAC."""
    owner = "anna" if scope == "owner" else None
    client_id, secret = await made(founded, scope, owner=owner)
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    reply = await founded.call("POST", "/v1/token", data=form)
    assert reply.json["scope"] == scope
    path = f"/v1/communities/{COMMUNITY}"
    assert (await founded.call("GET", path, token=reply.json["access_token"])).status == 200
    away = await founded.call("GET", f"/v1/communities/{HILLSIDE}", token=reply.json["access_token"])
    assert away.problem == "forbidden"
    assert secret not in str(await founded.rows(client_table))
    told = (await MANAGER.call(founded, "GET", "clients")).json["clients"]
    assert [(item["client_id"], item["scope"], item["owner"]) for item in told] == [(client_id, scope, owner)]


async def test_a_manager_makes_and_stops_no_staff(founded: Cloud) -> None:
    """Nobody makes its own equal; owners and upper systems it may, in its own community."""
    name = {"name": "x"}
    reply = await MANAGER.call(founded, "POST", "clients", name | {"scope": "manager"})
    assert (reply.status, reply.problem) == (403, "forbidden")
    for body in ({"scope": "upper"}, {"scope": "owner", "owner": "anna"}):
        assert (await MANAGER.call(founded, "POST", "clients", name | body)).status == 201
    assert (await MANAGER.call(founded, "POST", "clients", name | {"scope": "provider"})).problem == "forbidden"
    colleague, _ = await made(founded, "manager")
    assert (await MANAGER.call(founded, "DELETE", f"clients/{colleague}")).problem == "forbidden"
    assert (await OPERATOR.call(founded, "DELETE", f"clients/{colleague}")).status == 204


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"scope": "operator"}, "malformed"),
        ({"scope": "site"}, "malformed"),
        ({"scope": "owner"}, "malformed"),
        ({"scope": "upper", "owner": "anna"}, "malformed"),
        ({"scope": "owner", "owner": "eve"}, "unknown-owner"),
        ({"scope": "manager", "name": "a\nb"}, "malformed"),
    ],
)
async def test_a_client_that_makes_no_sense_is_refused(founded: Cloud, body: dict[str, Any], problem: str) -> None:
    """And not kept; nor one of a community that is not there."""
    assert (await OPERATOR.call(founded, "POST", "clients", {"name": "x"} | body)).problem == problem
    nowhere = await OPERATOR.call(founded, "POST", "/v1/communities/nowhere/clients", {"name": "x", "scope": "upper"})
    assert nowhere.problem == "not-found"
    assert await founded.count(client_table) == 1


async def test_clients_are_listed_by_pages_and_sites_are_none(site: Site) -> None:
    """Of this community only."""
    cloud = site.cloud
    await cloud.found(HILLSIDE)
    await made(cloud, "upper", community=HILLSIDE)
    ids = [(await made(cloud, scope))[0] for scope in ("manager", "upper", "upper")]
    page = (await MANAGER.call(cloud, "GET", "clients?limit=2")).json
    rest = (await MANAGER.call(cloud, "GET", f"clients?after={page['next']}")).json
    assert [item["client_id"] for item in page["clients"] + rest["clients"]] == sorted(ids)
    assert rest["next"] is None
    assert (await MANAGER.call(cloud, "DELETE", f"clients/{site.site}")).problem == "not-found"
    assert (await MANAGER.call(cloud, "DELETE", "clients/operator")).problem == "not-found"


async def test_a_stopped_client_is_stopped_at_once(founded: Cloud) -> None:
    """Its token, which would hold for an hour, and its secret; a second time there is nothing to stop."""
    client_id, secret = await made(founded, "upper")
    token = await founded.token(client_id, secret)
    assert (await founded.call("GET", BALANCES, token=token)).status == 200
    assert (await MANAGER.call(founded, "DELETE", f"clients/{client_id}")).status == 204
    reply = await founded.call("GET", BALANCES, token=token)
    assert (reply.status, reply.problem) == (401, "not-authorised")
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    assert (await founded.call("POST", "/v1/token", data=form)).problem == "not-authorised"
    assert (await MANAGER.call(founded, "DELETE", f"clients/{client_id}")).problem == "not-found"
    assert (await MANAGER.call(founded, "GET", "clients")).json["clients"] == []


async def test_another_process_learns_of_a_stopped_client_within_seconds(founded: Cloud, config: Config) -> None:
    """Two clouds on one database: what one stops, the other believes for five seconds at most."""
    async with running(config) as other:
        client_id, secret = await made(founded, "upper")
        token = await founded.token(client_id, secret)
        assert (await other.call("GET", BALANCES, token=token)).status == 200
        assert (await MANAGER.call(founded, "DELETE", f"clients/{client_id}")).status == 204
        other.clock.forward(STALE_SECONDS)
        assert (await other.call("GET", BALANCES, token=token)).problem == "not-authorised"


async def test_what_was_stopped_is_known_until_its_last_token_is_over(founded: Cloud) -> None:
    """And no longer, so that what is kept in memory stays small."""
    client_id, secret = await made(founded, "upper")
    token = await founded.token(client_id, secret)
    await MANAGER.call(founded, "DELETE", f"clients/{client_id}")
    assert await founded.database.read(stopped_since, NOON + TOKEN_SECONDS) == {client_id: 1}
    assert await founded.database.read(stopped_since, NOON + 3 * TOKEN_SECONDS) == {}
    founded.clock.forward(TOKEN_SECONDS - 1)
    assert (await founded.call("GET", BALANCES, token=token)).problem == "not-authorised"


async def test_no_look_is_made_while_the_last_is_fresh() -> None:
    """A busy cloud asks its database every few seconds, not at every request."""
    looks: list[int] = []

    async def look(now: int) -> dict[str, int]:
        looks.append(now)
        return {"gone": 1, "renewed": 3}

    stopped = Stopped(look)
    for now in (100, 101, 100 + STALE_SECONDS - 1):
        assert await stopped.holds("x", 0, now)
        assert not await stopped.holds("gone", 0, now)
        assert [await stopped.holds("renewed", generation, now) for generation in (2, 3, 4)] == [False, True, True]
    assert looks == [100]
    await stopped.holds("x", 0, 100 + STALE_SECONDS)
    await stopped.holds("x", 0, 50)  # a clock that was set back
    assert looks == [100, 100 + STALE_SECONDS, 50]


async def test_a_look_that_began_before_a_stop_does_not_hide_it() -> None:
    """The older answer comes last, and is not believed."""
    gate, answers = asyncio.Event(), iter(({}, {"gone": 1}))

    async def look(_now: int) -> dict[str, int]:
        found: dict[str, int] = next(answers)
        if not found:
            await gate.wait()
        return found

    stopped = Stopped(look)
    slow = asyncio.create_task(stopped.holds("gone", 0, 100))
    await asyncio.sleep(0)
    stopped.forget()
    assert not await stopped.holds("gone", 0, 100)
    gate.set()
    assert not await slow
    assert not await stopped.holds("gone", 0, 101)


async def test_a_token_without_its_bounds_opens_nothing(founded: Cloud) -> None:
    """A mistake of ours would otherwise reach everywhere: an owner of no name, a manager of no community."""
    for caller in (Caller(Scope.OWNER, COMMUNITY), Caller(Scope.OWNER, owner="anna"), Caller(Scope.MANAGER)):
        assert (await caller.call(founded, "GET", "owners/anna")).problem == "not-authorised"
    client = Client("c", Scope.MANAGER, None, secret_hmac(secret_key(founded.key), "s"))
    with pytest.raises(AssertionError):
        await founded.database.write(add_client, client, "c", NOON)


@pytest.mark.parametrize(
    ("scope", "reaches"),
    [
        (Scope.OPERATOR, [True, False, False, False]),
        (Scope.UPPER, [True, True, False, False]),
        (Scope.PROVIDER, [True, True, False, False]),
        (Scope.MANAGER, [False, True, False, False]),
        (Scope.SITE, [False, True, False, False]),
        (Scope.OWNER, [False, False, False, True]),
    ],
)
def test_how_far_each_role_reaches(scope: Scope, reaches: list[bool]) -> None:
    """Everywhere, one community, an owner of none, an owner of one."""
    bounds = [(None, None), ("c", None), (None, "o"), ("c", "o")]
    assert [reach_fits(scope, community, owner) for community, owner in bounds] == reaches


def test_only_staff_grants() -> None:
    """And a manager neither staff nor what reaches beyond its community, nor whose word overrules meters."""
    granted = {(role, scope) for role in Scope for scope in Scope if may_grant(role, scope)}
    below = {(role, scope) for role in (Scope.OPERATOR, Scope.MANAGER) for scope in (Scope.UPPER, Scope.OWNER)}
    assert granted == below | {(Scope.OPERATOR, Scope.MANAGER), (Scope.OPERATOR, Scope.PROVIDER)}


async def test_a_manager_changes_what_touches_nobodys_money(founded: Cloud) -> None:
    """Name, cycle and grace are its own to set; it founds no community."""
    mine = SETTINGS | {"name": "River", "cycle_seconds": 3600, "grace_seconds": 3600}
    assert (await MANAGER.call(founded, "PUT", "", mine)).status == 200
    for caller in (MANAGER, UPPER, ANNA):
        assert (await caller.call(founded, "GET", "")).json == mine | {"community": COMMUNITY}
    nowhere = Caller(Scope.MANAGER, "nowhere")
    assert (await nowhere.call(founded, "PUT", "", SETTINGS)).problem == "forbidden"
    assert (await nowhere.call(founded, "GET", "")).problem == "not-found"


async def test_each_sees_the_communities_it_reaches(founded: Cloud) -> None:
    """By pages; of the others not even that they are there."""
    await founded.found(HILLSIDE)
    bound = Caller(Scope.UPPER, HILLSIDE)
    everywhere, here, there = [HILLSIDE, COMMUNITY], [COMMUNITY], [HILLSIDE]
    for caller, reached in ((OPERATOR, everywhere), (UPPER, everywhere), (MANAGER, here), (bound, there)):
        reply = await caller.call(founded, "GET", "/v1/communities")
        assert [item["community"] for item in reply.json["communities"]] == reached
        page = (await caller.call(founded, "GET", "/v1/communities?limit=1")).json
        assert [item["community"] for item in page["communities"]] == reached[:1]
        rest = (await caller.call(founded, "GET", f"/v1/communities?after={page['next']}")).json
        assert [item["community"] for item in rest["communities"]] == reached[1:]
    assert (await ANNA.call(founded, "GET", "/v1/communities")).problem == "forbidden"


@pytest.mark.parametrize(
    ("member", "value"),
    [("currency", "EUR"), ("points_per_unit", 100), ("interval_seconds", 900), ("time_zone", "Asia/Tokyo")],
)
async def test_what_touches_money_and_measuring_is_the_operators(founded: Cloud, member: str, value: Any) -> None:
    """A manager is told so and nothing of its request is done, not even the rest; the operator may."""
    before = await founded.rows(community_table)
    changed = SETTINGS | {"name": "River", member: value}
    reply = await MANAGER.call(founded, "PUT", "", changed)
    assert (reply.problem, await founded.rows(community_table)) == ("forbidden", before)
    assert (await OPERATOR.call(founded, "PUT", "", changed)).status == 200


async def test_a_stop_survives_a_restart(founded: Cloud, config: Config) -> None:
    """It stands in the database, not in the process that was told."""
    client_id, secret = await made(founded, "upper")
    token = await founded.token(client_id, secret)
    assert await founded.database.write(remove, client_id, NOON)
    async with running(config) as again:
        assert (await again.call("GET", BALANCES, token=token)).problem == "not-authorised"
