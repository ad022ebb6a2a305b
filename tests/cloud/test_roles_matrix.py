"""Every endpoint there is, called by every role for what is theirs and for what is another's: nothing leaks.

All of it is made from `ENDPOINTS`. Who adds an endpoint finds it here at once; who gives a path a new name says what
stands there; who opens a door wider than the rules below says why.
"""

from collections.abc import Iterator, Mapping
import re
from typing import Any

import pytest

from cloud.doors import ENDPOINTS
from cloud.endpoint import Endpoint
from cloud.principal import Scope
from cloud.settlement.job import settle

from .cable_ground import SigningCable
from .conftest import COMMUNITY, NOON, OWNERS, Cloud, Reply, Site
from .hub.ground import registered
from .people import ANNA, BEN, FILLERS, HILLSIDE, MANAGER, OPERATOR, PROVIDER, UPPER, Caller, everything, made, texts_of

# the rim decides before any store is asked, so one kind of database is enough
pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)

OPEN = {
    "/healthz": "says nothing of anybody",
    "/openapi.json": "says nothing of anybody",
    "/v1/token": "judges the client's secret itself",
    "/v1/sites": "judges the pairing code and the signature itself",
    "/v1/owners": "judges the invitation's code itself",
    "/v1/hub/devices": "judges the device's initial password itself",
    "/v1/payments/{provider}/webhook": "judges the provider's signature itself",
    "/statement": "judges the link's ticket itself, which is for one statement and one hour",
    "/statement.csv": "judges the link's ticket itself, which is for one statement and one hour",
    "/v1/communities/{community}/roots": "day roots are published; a hash tells nothing of anybody",
}
"""Endpoints that ask for no token, and why they may."""

UPPER_WRITES = {
    "/v1/communities/{community}/roots/{day}/signatures": "who mirrors the ledger countersigns what it has seen",
}
"""Endpoints through which an upper system, which only reads, writes after all, and why."""

WITHOUT_COMMUNITY = {
    "/v1/communities": "the handler lists only those the caller reaches",
    "/v1/hub/formats": "formats are the same for every community",
    "/v1/hub/formats/{format}": "formats are the same for every community",
    "/v1/readings": "the handler takes the client's own community, or the one an unbound client names",
    "/v1/readings/devices": "as /v1/readings",
    "/v1/readings/latest": "as /v1/readings",
    "/v1/readings/watch": "as /v1/readings",
}
"""Endpoints for managers, upper systems or owners that name no community in their path, and why that is enough."""

WITHOUT_OWNER = {
    "/v1/communities/{community}/cables/{cable}/records": "the handler looks whose the cable is",
    "/v1/communities/{community}": "its settings are the same for everybody in it",
    "/v1/communities/{community}/prices": "the handler compares the owner in the query",
    "/v1/communities/{community}/sites/{site}/taps/{tap}/passcode": "the handler looks whose the tap is",
    "/v1/communities/{community}/sites/{site}/taps/{tap}/transfers": "the tap's passcode opens it, whoever knows it",
    "/v1/communities/{community}/tariffs": "the community's own, the same for everybody in it",
    "/v1/communities/{community}/tariffs/{valid_from}/market": "the market that the community's own tariff follows",
    "/v1/communities/{community}/context": "prices, weather and loads are nobody's own",
}
"""Endpoints for owners that name no owner in their path: the handler looks who calls. And why that is enough."""

WITHOUT_SITE = {"/v1/batches": "the site stands in the signed batch, and the handler compares it"}
"""Endpoints for sites that name no site in their path, and why that is enough."""

RIM = re.compile("this endpoint is for scope|this token belongs to another")
PRICES = {"local": "20", "grid_buy": "30", "grid_sell": "8"}
CANARIES = {
    "mail": "canary-mail@example.org",
    "phone": "+4930999888777",
    "address": {"lines": ["Canary Lane 7"], "postal_code": "CNRY1", "city": "Canaryville", "country": "DE"},
    "payment": {"provider": "canarypay", "token": "tok_canary_42"},
}
TRACES = ("canary", "CNRY1", "Canary", "999888777", "y_42")


def names_of(endpoint: Endpoint) -> set[str]:
    """Return the names in an endpoint's path."""
    return set(re.findall(r"\{(\w+)\}", endpoint.path))


def ids(endpoint: Endpoint) -> str:
    """Name an endpoint in a test's name."""
    return f"{endpoint.method} {endpoint.path}"


def test_every_door_has_its_own_place(store: str) -> None:
    """Of two endpoints with one method and path the second would never be reached."""
    places = [ids(endpoint) for endpoint in ENDPOINTS]
    assert [place for place in places if places.count(place) > 1] == []


every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=ids)


@every_endpoint
def test_every_name_in_a_path_is_known_here(endpoint: Endpoint, store: str) -> None:
    """A new one would otherwise be walked past."""
    assert names_of(endpoint) <= {"community", "owner", "site", *FILLERS}


@every_endpoint
def test_every_door_is_as_narrow_as_its_role(endpoint: Endpoint, store: str) -> None:
    """What binds a role stands in the path, so that the rim can hold it; what does not is listed with its reason."""
    scopes, names = set(endpoint.scopes), names_of(endpoint)
    assert bool(scopes) != (endpoint.path in OPEN)
    if scopes & {Scope.MANAGER, Scope.UPPER, Scope.OWNER}:
        assert ("community" in names) != (endpoint.path in WITHOUT_COMMUNITY)
    if Scope.OWNER in scopes:
        assert ("owner" in names) != (endpoint.path in WITHOUT_OWNER)
    if Scope.SITE in scopes:
        assert scopes == {Scope.SITE}
        assert "community" not in names
        assert ("site" in names) != (endpoint.path in WITHOUT_SITE)
    if Scope.UPPER in scopes:
        assert (endpoint.method == "GET") != (endpoint.path in UPPER_WRITES)
    if Scope.MANAGER in scopes:
        assert Scope.OPERATOR in scopes
    if Scope.DEVICE in scopes:
        assert scopes == {Scope.DEVICE}
        assert not names


class World:
    """Two communities with the same owners, two sites in one and one in the other."""

    def __init__(self, cloud: Cloud, sites: Mapping[str, Site], device: Caller) -> None:
        """Keep the cloud, the sites and a device."""
        self.cloud, self.sites = cloud, sites
        self.callers = [
            *(OPERATOR, MANAGER, UPPER, ANNA, BEN),
            Caller(Scope.MANAGER, HILLSIDE),
            Caller(Scope.UPPER, COMMUNITY),
            Caller(Scope.UPPER, HILLSIDE),
            Caller(Scope.OWNER, HILLSIDE, "anna"),
            *(PROVIDER, Caller(Scope.PROVIDER), Caller(Scope.PROVIDER, HILLSIDE)),
            device,
            *(Caller(Scope.SITE, HILLSIDE if name == "far" else COMMUNITY, site=at.site) for name, at in sites.items()),
        ]
        own = {"community": COMMUNITY, "owner": "anna", "site": sites["own"].site}
        self.targets = {
            "own": own,
            "another owner": own | {"owner": "ben"},
            "no such owner": own | {"owner": "nobody"},
            "another site": own | {"site": sites["near"].site},
            "a site elsewhere": own | {"site": sites["far"].site},
            "no such site": own | {"site": "nowhere"},
            "another community": {"community": HILLSIDE, "owner": "anna", "site": sites["far"].site},
            "no such community": own | {"community": "nowhere"},
        }

    def calls(self) -> Iterator[tuple[Endpoint, Caller, str, bool]]:
        """Yield every endpoint that asks for a token, each caller, each target, and whether the door shall open."""
        for endpoint in ENDPOINTS:
            for caller in self.callers if endpoint.scopes else ():
                # whose scope does not open it is shut out before anything in the path is looked at
                targets = self.targets if caller.scope in endpoint.scopes else ("own", "no such community")
                for target in targets:
                    yield endpoint, caller, target, opens(endpoint, caller, self.targets[target])

    async def knock(self, endpoint: Endpoint, caller: Caller, target: str, **others: str) -> Reply:
        """Call an endpoint about a target, with a body that says nothing."""
        path = endpoint.path.format_map(FILLERS | self.targets[target] | others)
        return await caller.call(self.cloud, endpoint.method, path, None if endpoint.method == "GET" else {})


def opens(endpoint: Endpoint, caller: Caller, values: Mapping[str, str]) -> bool:
    """Tell whether a door shall open: the scope is named, and what binds the caller is what the path names."""
    own = {"community": caller.community, "owner": caller.owner, "site": caller.site}
    return caller.scope in endpoint.scopes and all(
        own[name] in (None, values[name]) for name in names_of(endpoint) & own.keys()
    )


@pytest.fixture
async def world(cloud: Cloud) -> World:
    """Found the two communities and settle what their sites measured; in one ben's record is full of canaries."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    for community in (COMMUNITY, HILLSIDE):
        assert (await cloud.operator("PUT", f"{community}/tariffs/2026-11-01T00:00:00Z", PRICES)).status < 300
    sites = {"own": await cloud.join(), "near": await cloud.join(), "far": await cloud.join(HILLSIDE)}
    for site in sites.values():
        assert (await site.put_tree()).status == 201
        assert (await site.post(site.batch(count=2))).status == 201
    assert (await cloud.operator("PATCH", f"{COMMUNITY}/owners/ben", CANARIES)).status == 200
    await settle(cloud.database, NOON)
    statement = await ANNA.call(cloud, "GET", "owners/anna/statement")
    assert statement.json["lines"], "else there would be little to leak"
    login = await registered(cloud, "own-meter")
    return World(cloud, sites, Caller(Scope.DEVICE, COMMUNITY, device=f"{login.device}.{login.password}"))


async def test_every_shut_door_stays_shut_and_looks_the_same(world: World) -> None:
    """Another community, owner or site, or one that does not exist: the same words, and not one row is another."""
    before, shut = await everything(world.cloud), 0
    for endpoint, caller, target, opened in world.calls():
        if not opened:
            reply = await world.knock(endpoint, caller, target)
            if Scope.DEVICE in (*endpoint.scopes, caller.scope):  # a token is no password, nor the reverse
                assert (reply.status, reply.problem) == (401, "not-authorised"), (ids(endpoint), str(caller), target)
            else:
                assert (reply.status, reply.problem) == (403, "forbidden"), (ids(endpoint), str(caller), target)
                assert RIM.match(reply.json["detail"]), (ids(endpoint), str(caller), target)
            assert not [value for value in texts_of_problem(reply) if "ben" in value or "nobody" in value]
            shut += 1
    assert shut > len(ENDPOINTS) * len(world.targets)
    assert await everything(world.cloud) == before


def texts_of_problem(reply: Reply) -> list[str]:
    """Return the texts of a problem but for its reference, which is drawn."""
    return [value for name, value in reply.json.items() if name != "reference" and isinstance(value, str)]


async def test_every_door_opens_for_whom_it_is(world: World) -> None:
    """The control of the walk above: with the right token the rim lets every caller through to every handler."""
    entered: dict[str, set[Scope]] = {}
    for endpoint, caller, target, opened in world.calls():
        if opened and target == "own":
            reply = await world.knock(endpoint, caller, target)
            assert reply.status != 401, (ids(endpoint), str(caller))
            assert reply.status < 400 or not RIM.match(reply.json["detail"]), (ids(endpoint), str(caller))
            entered.setdefault(ids(endpoint), set()).add(caller.scope)
    assert entered == {ids(endpoint): set(endpoint.scopes) for endpoint in ENDPOINTS if endpoint.scopes}


async def test_nobody_without_need_reads_an_owners_data(world: World) -> None:
    """Every answer anybody but staff and ben himself can get is free of what is in ben's record."""
    read = 0
    for endpoint, caller, target, opened in world.calls():
        if (
            endpoint.method == "GET"
            and opened
            and caller.scope not in (Scope.OPERATOR, Scope.MANAGER)
            and caller != BEN
        ):
            raw = (await world.knock(endpoint, caller, target)).raw.decode()
            assert not [trace for trace in TRACES if trace in raw], (ids(endpoint), str(caller), target)
            read += 1
    assert read > 50
    assert "canary" in (await BEN.call(world.cloud, "GET", "owners/ben")).raw.decode()


async def test_an_owners_answers_name_no_other_owner(world: World) -> None:
    """Neither by id nor by name, whatever endpoint anna asks."""
    others = [name for name in OWNERS if name != "anna"]
    for endpoint, caller, target, opened in world.calls():
        if endpoint.method == "GET" and opened and caller == ANNA and target == "own":
            texts = set(texts_of((await world.knock(endpoint, caller, target)).json))
            assert not texts & {*others, *(name.title() for name in others)}, ids(endpoint)


async def test_who_names_another_owner_in_a_query_is_refused(world: World) -> None:
    """An owner another one, a site one who has no tap there."""
    assert (await world.cloud.operator("PUT", f"{COMMUNITY}/owners/dave", {"name": "Dave"})).status == 200
    own = next(caller for caller in world.callers if caller.site == world.sites["own"].site)
    for endpoint in ENDPOINTS:
        if endpoint.query is not None and "owner" in endpoint.query.model_fields:
            for caller, owner in ((ANNA, "ben"), (own, "dave")):
                if caller.scope in endpoint.scopes:
                    path = endpoint.path.format_map(FILLERS | world.targets["own"])
                    reply = await caller.call(world.cloud, "GET", f"{path}?owner={owner}")
                    assert reply.problem in ("forbidden", "not-found"), ids(endpoint)


async def test_what_lies_in_another_community_is_not_there(world: World) -> None:
    """A manager, and the operator in the wrong community, ask for a site, client, invitation or key from elsewhere."""
    far, cloud = world.sites["far"], world.cloud
    invited = await cloud.operator("POST", f"{HILLSIDE}/invitations", {"uses_max": 1})
    cable = SigningCable("CWC-FAR")
    assert (await cable.register(cloud, HILLSIDE)).status == 201
    foreign = {
        "site": far.site,
        "client": (await made(cloud, "upper", community=HILLSIDE))[0],
        "invitation": invited.json["invitation"],
        "kid": far.kid,
        "cable": cable.serial,
        "device": (await registered(cloud, "far-meter", community=HILLSIDE)).device,
    }
    before, asked = await everything(cloud), 0
    for endpoint in ENDPOINTS:
        for name in sorted(names_of(endpoint) & foreign.keys()):
            for caller in (MANAGER, OPERATOR):
                if "community" in names_of(endpoint) and caller.scope in endpoint.scopes:
                    values: dict[str, Any] = {name: foreign[name]}
                    reply = await world.knock(endpoint, caller, "own", **values)
                    expected = (400, 404, 422) if asks_more(endpoint) else (404,)
                    assert reply.status in expected or empty(reply), (ids(endpoint), name)
                    asked += 1
    assert asked >= 10
    assert await everything(cloud) == before


def empty(reply: Reply) -> bool:
    """Tell whether an answer is a list of nothing."""
    lists = [value for value in (reply.json or {}).values() if isinstance(value, list)]
    return reply.status == 200 and len(lists) == 1 and not lists[0]


def asks_more(endpoint: Endpoint) -> bool:
    """Tell whether a call that says nothing beyond its path may be refused for that, before anything is looked up."""
    query = endpoint.query.model_fields.values() if endpoint.query is not None else ()
    return endpoint.body is not None or any(field.is_required() for field in query)
