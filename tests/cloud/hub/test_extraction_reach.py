"""How far an upper system sees is said by staff, and what lies beyond looks as if it were not there."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from cloud.hub.events.store import hub_event_table
from cloud.hub.reach.area import area_text, box_of, circle_of
from cloud.principal import Scope
from cloud.sites.access.credentials import Client
from cloud.sites.access.store import add_client
from tests.cloud.conftest import COMMUNITY, INTERVAL, NOON, Cloud, Reply
from tests.cloud.people import ANNA, HILLSIDE, MANAGER, OPERATOR, UPPER, Caller

from .extraction_ground import NOON_MS, add_measured, add_message, add_system

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)

HERE = Caller(Scope.UPPER, COMMUNITY)
WAYS = ("readings", "latest", "known")
SPAN = {"from": "2026-11-21T11:00:00Z", "to": "2026-11-21T13:00:00Z"}
BERLIN: dict[str, Any] = {"latitude_e6": 52_520_000, "longitude_e6": 13_405_000}


@pytest.fixture
async def ground(cloud: Cloud) -> Cloud:
    """Two communities; in one a site with taps, three systems, and the clients whose tokens the tests show."""
    await cloud.found()
    await cloud.found(HILLSIDE)
    site = await cloud.join()
    assert (await site.put_tree()).status == 201
    assert (await site.post(site.batch(start=NOON - INTERVAL))).status == 201

    def fill(conn: Any) -> None:
        for name, scope, community in (
            ("client-upper", Scope.UPPER, COMMUNITY),
            ("client-upper-all", Scope.UPPER, None),
            ("client-upper-far", Scope.UPPER, HILLSIDE),
            ("client-manager", Scope.MANAGER, COMMUNITY),
        ):
            add_client(conn, Client(name, scope, community, ""), name, NOON)
        add_message(conn, COMMUNITY)
        add_system(conn, "meter-1", community=COMMUNITY, maker="Acme", **BERLIN)
        add_system(conn, "meter-2", community=COMMUNITY, site=site.site)
        add_system(conn, "car", "charger", community=COMMUNITY)
        names = ("meter-1", "meter-2", "car")
        rows = [(NOON_MS - n, name, "", q, 0, n) for n in (1, 2) for name in names for q in ("power", "voltage")]
        add_measured(conn, rows, COMMUNITY)

    await cloud.database.write(fill)
    return cloud


def path_of(client: str = "client-upper", community: str = COMMUNITY) -> str:
    """Return the path of a reach."""
    return f"/v1/communities/{community}/clients/{client}/reach"


async def put(cloud: Cloud, caller: Caller = MANAGER, path: str = path_of(), **reach: Any) -> Reply:
    """Say how far a client sees."""
    return await caller.call(cloud, "PUT", path, reach)


async def seen(cloud: Cloud, caller: Caller = HERE, **query: str) -> dict[str, set[tuple[str, str]]]:
    """Return device and quantity of all a client is told, by each of the three ways."""
    named = query if caller.community else {"community": COMMUNITY} | query
    rows = (await caller.call(cloud, "GET", f"/v1/readings?{urlencode(SPAN | named)}")).json["readings"]
    latest = (await caller.call(cloud, "GET", f"/v1/readings/latest?{urlencode(named)}")).json["readings"]
    known = (await caller.call(cloud, "GET", f"/v1/readings/devices?{urlencode(named)}")).json["devices"]
    return {
        "readings": {(row["device"], row["quantity"]) for row in rows},
        "latest": {(row["device"], row["quantity"]) for row in latest},
        "known": {(row["device"], quantity) for row in known for quantity in row["quantities"]},
    }


def of(*names: str, quantities: tuple[str, ...] = ("power", "voltage")) -> set[tuple[str, str]]:
    """Return what these systems measure."""
    return {(name, quantity) for name in names for quantity in quantities}


TAPS = of("main", "ev", "pv", quantities=("import", "export", "import_register", "export_register"))
ALL = of("meter-1", "meter-2", "car") | TAPS

MATRIX: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
    ({}, ALL),
    ({"kinds": ["charger"]}, of("car")),
    ({"kinds": ["tap"]}, TAPS),
    ({"kinds": []}, set()),
    ({"quantities": ["voltage", "import"]}, {item for item in ALL if item[1] in ("voltage", "import")}),
    ({"sites": ["own"]}, of("meter-2") | TAPS),
    ({"sites": ["own"], "kinds": ["meter"]}, of("meter-2")),
    ({"sites": ["nowhere"]}, set()),
    ({"boxes": ["52,13,53,14"]}, of("meter-1")),
    ({"circles": ["52.52,13.405,10"]}, of("meter-1")),
    ({"boxes": ["0,0,1,1"], "circles": ["52.52,13.405,10"]}, of("meter-1")),
    ({"boxes": ["0,0,1,1"]}, set()),
    ({"boxes": []}, set()),
]


async def test_each_reach_shows_what_it_names_and_nothing_else(ground: Cloud) -> None:
    """By readings, the newest and the list alike; naming what is out of reach shows as little as a name nobody has."""
    site = (await ground.rows(hub_event_table), (await ground.operator("GET", f"{COMMUNITY}/sites")).json["sites"])[1]
    for reach, expected in MATRIX:
        said = json.loads(json.dumps(reach).replace('"own"', json.dumps(site[0]["site"])))
        assert (await put(ground, **said)).status == 200
        assert await seen(ground) == dict.fromkeys(WAYS, expected), reach
        hidden = {device for device, _ in ALL - expected} - {device for device, _ in expected}
        for name in sorted(hidden)[:2]:
            there, nowhere = await seen(ground, device=name), await seen(ground, device="nobody")
            assert there == nowhere == {way: set() for way in WAYS}
    assert (await MANAGER.call(ground, "DELETE", path_of())).status == 204
    assert (await seen(ground))["readings"] == ALL
    assert (await seen(ground, MANAGER))["known"] == ALL


async def test_a_cursor_holds_no_longer_when_the_reach_has_changed(ground: Cloud) -> None:
    """What was seen by it is not gone on with."""
    after = (await HERE.call(ground, "GET", f"/v1/readings?{urlencode(SPAN | {'limit': 2})}")).json["next"]
    assert (await put(ground, kinds=["charger"])).status == 200
    query = urlencode(SPAN | {"limit": 2, "after": after})
    assert (await HERE.call(ground, "GET", f"/v1/readings?{query}")).problem == "cursor-refused"


async def test_no_page_ends_with_a_name_that_is_out_of_reach(ground: Cloud) -> None:
    """Where the next one begins is told in a word that people can read."""
    assert (await put(ground, kinds=["meter"])).status == 200
    for what in ("devices", "latest"):
        told, after = set[str](), ""
        while True:
            page = (await HERE.call(ground, "GET", f"/v1/readings/{what}?limit=1&after={after}")).json
            if page["next"] is None:
                break
            told.add(after := page["next"])
        assert told == {"0/meter-1", "0/meter-2"}


async def test_staff_says_it_of_its_own_clients_only(ground: Cloud) -> None:
    """Of a client bound to no community only the operator; another's client looks as if there were none."""
    everywhere, far = path_of("client-upper-all"), path_of("client-upper-far")
    for caller, path, status in (
        (MANAGER, path_of(), 200),
        (OPERATOR, path_of(), 200),
        (MANAGER, everywhere, 404),
        (OPERATOR, everywhere, 200),
        (OPERATOR, path_of("client-upper-all", HILLSIDE), 200),
        (OPERATOR, path_of("client-upper-all", "nowhere"), 404),
        (MANAGER, far, 404),
        (OPERATOR, far, 404),
        (OPERATOR, path_of("nobody"), 404),
        (OPERATOR, path_of("client-manager"), 422),
        (MANAGER, path_of("client-upper-far", HILLSIDE), 403),
        (UPPER, path_of(), 403),
        (HERE, path_of(), 403),
        (ANNA, path_of(), 403),
    ):
        assert (await put(ground, caller, path, kinds=["meter"])).status == status, (caller, path)
    told = (await MANAGER.call(ground, "GET", path_of())).json
    assert (told["kinds"], told["quantities"], told["boxes"], told["set_by"]) == (
        ["meter"],
        None,
        None,
        "client-operator",
    )
    assert (await MANAGER.call(ground, "GET", everywhere)).problem == "not-found"
    changed = [row for row in await ground.rows(hub_event_table, kind="reach-changed") if row.community == COMMUNITY]
    assert [json.loads(row.detail)["client"] for row in changed] == ["client-upper", "client-upper", "client-upper-all"]


async def test_a_reach_that_says_nothing_clear_is_refused(ground: Cloud) -> None:
    """A mistyped word would otherwise show everything, or nothing."""
    for wrong in (
        {"kinds": ["wallbox"]},
        {"quantities": ["joy"]},
        {"sites": ["a b"]},
        {"boxes": ["1,2,3"]},
        {"circles": ["1,2,0"]},
        {"kind": ["meter"]},
        {"kinds": "meter"},
        {"sites": ["x"] * 1001},
    ):
        assert (await put(ground, **wrong)).problem == "malformed", wrong
    assert (await MANAGER.call(ground, "GET", path_of())).problem == "not-found"


async def test_what_may_be_read_is_listed_with_its_times(ground: Cloud) -> None:
    """Maker, place, and when it measured first and last; pages join, however short they are."""
    whole = (await HERE.call(ground, "GET", "/v1/readings/devices")).json["devices"]
    first = next(item for item in whole if item["device"] == "meter-1")
    assert first == BERLIN | {
        "device": "meter-1",
        "kind": "meter",
        "site": None,
        "maker": "Acme",
        "model": None,
        "quantities": ["power", "voltage"],
        "first": "2026-11-21T11:59:59.998Z",
        "last": "2026-11-21T11:59:59.999Z",
    }
    tap = next(item for item in whole if item["device"] == "main")
    assert (tap["kind"], tap["first"], tap["last"]) == ("tap", "2026-11-21T11:30:00.000Z", "2026-11-21T12:00:00.000Z")
    for what, key in (("devices", "devices"), ("latest", "readings")):
        got: list[Any] = []
        after: str | None = ""
        while after is not None:
            page = (await HERE.call(ground, "GET", f"/v1/readings/{what}?limit=1&after={after}")).json
            got, after = got + page[key], page["next"]
        assert got == (await HERE.call(ground, "GET", f"/v1/readings/{what}")).json[key]
    latest = [row for row in got if row["device"] == "car"]
    assert [(row["quantity"], row["value"], row["measured_at"]) for row in latest] == [
        ("power", 1, "2026-11-21T11:59:59.999Z"),
        ("voltage", 1, "2026-11-21T11:59:59.999Z"),
    ]
    ground.clock.forward(2 * 3600)
    assert (await HERE.call(ground, "GET", "/v1/readings/latest?hours=1")).json["readings"] == []
    for wrong in (
        "after=x",
        "after=2/a",
        "limit=0",
        "limit=501",
        "hours=0",
        "hours=745",
        "kind=x",
        "community=nowhere",
    ):
        assert (await HERE.call(ground, "GET", f"/v1/readings/latest?{wrong}")).status in (400, 403), wrong
    assert (await UPPER.call(ground, "GET", "/v1/readings/devices?community=nowhere")).problem == "not-found"


def test_an_area_is_written_as_it_is_read(store: str) -> None:
    """To the millionth of a degree."""
    for text in ("-20,175,-10,-170", "52.3,13,52.700001,13.8", "-0.5,-180,90,180"):
        assert area_text(box_of(text)) == text
    assert area_text(circle_of("52.52,-13.405,2000")) == "52.52,-13.405,2000"
