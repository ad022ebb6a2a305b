"""What cables may do at a site, over the wire: set, lifted, told within two seconds, and seen with its history."""

import asyncio
from typing import Any

from aiohttp import ClientWebSocketResponse
import pytest
from sqlalchemy import Connection

from cloud.database import bucket_of
from cloud.ingest.cables.store import cable_period_table
from cloud.principal import Scope
from cloud.v2g.cables.store import cable_table
from cloud.v2g.judgement.store import judged_period_table
from cloud.wire import Notice, PermissionChange, Visit, parse_permission_change, time_text, to_bytes
from cloud.wire.cable import Place

from .conftest import COMMUNITY, INTERVAL, NOON, Cloud, Reply, Site, verified
from .people import ANNA, HILLSIDE, MANAGER, OPERATOR, PROVIDER, UPPER, Caller
from .test_notice import opened, socket_of

HOME: Place = (48_137_154, 11_576_124)
NEXT_DOOR: Place = (48_137_254, 11_576_224)
FAR: Place = (48_180_000, 11_576_124)  # 5 km north
TERMS = f"/v1/communities/{COMMUNITY}/v2g/terms"


@pytest.fixture
def expected_lingering_timers() -> bool:
    """Allow the heartbeat timer aiohttp leaves behind when the server closes a socket first."""
    return True


async def known(cloud: Cloud, cable: str = "C7") -> None:
    """Let the cloud know a cable."""
    values: dict[str, Any] = {"bucket": bucket_of(cable), "cable": cable, "name": cable, "community": COMMUNITY}
    values |= {"owner": "ben", "public_key": cable.encode().hex() * 8, "first_number": 1, "proof": "proof"}
    values |= {"state": "active", "since": NOON, "registered_at": NOON}

    def add(conn: Connection) -> None:
        conn.execute(cable_table.insert().values(values))

    await cloud.database.write(add)


async def plug(site: Site, cable: str = "C7", place: Place | None = None, at: int = NOON) -> Any:
    """Plug a cable in, and return what it may do."""
    raw = to_bytes(Visit(cable, at, "main", place=place))
    reply = await site.send("POST", f"/v1/sites/{site.site}/visits", raw)
    assert reply.status == 200, reply.json
    told = verified(site.cloud, reply)
    return told["permission"], told["cause"]


async def heard(cloud: Cloud, socket: ClientWebSocketResponse) -> PermissionChange:
    """Wait for the next notice about permission; two seconds is the promise."""
    async with asyncio.timeout(2):
        while True:
            notice: Notice = opened(cloud, await socket.receive_str())
            if notice.kind == "permission":
                assert notice.expires_at == notice.issued_at + 86_400
                return parse_permission_change(notice.body)


def of(site: Site, what: str) -> str:
    """Return the path of something of a site, for staff."""
    return f"sites/{site.site}/{what}"


async def put(site: Site, permission: str, caller: Caller = MANAGER, note: str = "so") -> Reply:
    """Set a site's flag."""
    return await caller.call(site.cloud, "PUT", of(site, "permission"), {"permission": permission, "note": note})


async def lift(site: Site, note: str = "wired anew") -> Reply:
    """Lift a site's flag."""
    return await MANAGER.call(site.cloud, "POST", of(site, "permission/lift"), {"note": note})


async def test_a_flag_is_told_at_once_and_refuses_the_next_plugging_in(cloud: Cloud, site: Site) -> None:
    """Set by a person, with a note; lifted again, the cable is told that too. All of it stays in the history."""
    await known(cloud)
    assert await plug(site) == ("allowed", "none")
    async with socket_of(site) as socket:
        reply = await put(site, "denied", note="the meter was bridged")
        assert (reply.status, reply.json["result"]) == (201, "created")
        assert await heard(cloud, socket) == PermissionChange({"C7": ("denied", "operator")}, 30)
        assert await plug(site, at=NOON + 1) == ("denied", "operator")
        assert (await put(site, "denied", note="again")).json["result"] == "exists"
        assert (await lift(site)).status == 201
        assert await heard(cloud, socket) == PermissionChange({"C7": ("allowed", "none")}, 30)
    assert (await lift(site)).status == 200
    for reply in (await UPPER.call(cloud, "GET", of(site, "permission")), await site.get("permission")):
        assert (reply.json["permission"], reply.json["cause"]) == ("allowed", "none")
        history = [(flag["number"], flag["permission"], flag["note"]) for flag in reply.json["history"]]
        assert history == [(2, "allowed", "wired anew"), (1, "denied", "the meter was bridged")]
        assert {flag["set_by"] for flag in reply.json["history"]} == {"client-manager"}
    page = (await UPPER.call(cloud, "GET", of(site, "permission?limit=1"))).json
    rest = (await UPPER.call(cloud, "GET", of(site, f"permission?before={page['next']}"))).json
    assert [flag["number"] for flag in (*page["history"], *rest["history"])] == [2, 1]


async def test_charge_only_is_a_flag_too(cloud: Cloud, site: Site) -> None:
    """The operator's to set; a second one replaces it."""
    await known(cloud)
    assert (await put(site, "charge_only", OPERATOR)).status == 201
    assert await plug(site) == ("charge_only", "operator")
    assert (await put(site, "denied")).status == 201
    assert await plug(site) == ("denied", "operator")


async def test_what_cannot_be_flagged_is_said(cloud: Cloud, site: Site) -> None:
    """A site that is not there, one that was never flagged, a flag without a reason."""
    assert (await MANAGER.call(cloud, "PUT", "sites/nowhere/permission", FLAG)).problem == "not-found"
    assert (await MANAGER.call(cloud, "POST", "sites/nowhere/permission/lift", {"note": "so"})).problem == "not-found"
    assert (await MANAGER.call(cloud, "GET", "sites/nowhere/permission")).problem == "not-found"
    assert (await lift(site)).problem == "not-flagged"
    for body in ({"permission": "denied"}, {"permission": "some", "note": "x"}, FLAG | {"note": ""}):
        assert (await MANAGER.call(cloud, "PUT", of(site, "permission"), body)).problem == "malformed"


FLAG = {"permission": "denied", "note": "so"}


async def test_a_cable_that_nobody_knows_may_do_nothing(cloud: Cloud, site: Site) -> None:
    """Whatever the site allows; of two reasons, its own is told."""
    assert await plug(site) == ("denied", "unknown-cable")
    assert (await put(site, "denied")).status == 201
    assert await plug(site) == ("denied", "unknown-cable")


async def test_a_cable_that_says_to_be_elsewhere_is_denied_while_it_does(cloud: Cloud, site: Site) -> None:
    """Farther than 200 m from the place that staff registered; where that is unknown, nothing follows."""
    await known(cloud)
    assert await plug(site, place=FAR) == ("allowed", "none")
    async with socket_of(site) as socket:
        body = {"latitude_e6": HOME[0], "longitude_e6": HOME[1]}
        reply = await MANAGER.call(cloud, "PUT", of(site, "place"), body)
        assert (reply.status, reply.json["set_by"]) == (201, "client-manager")
        assert (await heard(cloud, socket)).cables == {"C7": ("denied", "place")}
        assert (await MANAGER.call(cloud, "PUT", of(site, "place"), body)).json["result"] == "exists"
        assert await plug(site, place=NEXT_DOOR, at=NOON + 60) == ("allowed", "none")
        body = {"latitude_e6": FAR[0], "longitude_e6": FAR[1]}
        assert (await MANAGER.call(cloud, "PUT", of(site, "place"), body)).status == 201
        assert (await heard(cloud, socket)).cables == {"C7": ("denied", "place")}
    told = await UPPER.call(cloud, "GET", of(site, "place"))
    assert (told.json["latitude_e6"], told.json["longitude_e6"]) == FAR
    assert (await MANAGER.call(cloud, "PUT", "sites/nowhere/place", body)).problem == "not-found"
    for wrong in ({"latitude_e6": 90_000_001, "longitude_e6": 0}, {"latitude_e6": 0}):
        assert (await MANAGER.call(cloud, "PUT", of(site, "place"), wrong)).problem == "malformed"


async def test_what_a_site_said_at_pairing_is_its_place(cloud: Cloud) -> None:
    """Until staff says otherwise; a site that said nothing has none."""
    await cloud.found()
    await known(cloud)
    site = Site(cloud)
    reply = await site.pair(await cloud.code(), latitude_e6=HOME[0], longitude_e6=HOME[1])
    assert reply.status == 201
    site.token = await cloud.token(site.site, site.secret)
    assert await plug(site, place=FAR) == ("denied", "place")
    told = (await UPPER.call(cloud, "GET", of(site, "place"))).json
    assert (told["latitude_e6"], told["set_by"]) == (HOME[0], site.site)
    other = await cloud.join()
    assert (await UPPER.call(cloud, "GET", of(other, "place"))).problem == "not-found"


async def test_overloaded_equipment_forbids_while_it_is(cloud: Cloud, site: Site) -> None:
    """At 90 % of what it carries; off again when it falls, and when nobody has said anything for too long."""
    await known(cloud)
    assert await plug(site) == ("allowed", "none")
    async with socket_of(site) as socket:
        await feeds(cloud, "T1", site)
        for percent, forbidden in ((89, False), (90, True), (91, True), (40, False), (120, True)):
            cloud.clock.forward(1)
            assert (await load(cloud, percent)).status == 201
            if percent in (90, 120):
                assert (await heard(cloud, socket)).cables == {"C7": ("denied", "overload")}
            if percent == 40:
                assert (await heard(cloud, socket)).cables == {"C7": ("allowed", "none")}
            told = (await UPPER.call(cloud, "GET", of(site, "permission"))).json
            assert (told["cause"] == "overload") is forbidden
        cloud.clock.forward(301)
        assert (await heard(cloud, socket)).cables == {"C7": ("allowed", "none")}


async def feeds(cloud: Cloud, equipment: str, *sites: Site) -> None:
    """Let the provider say which sites a piece of equipment feeds."""
    body = {"name": "Transformer", "sites": [site.site for site in sites]}
    assert (await PROVIDER.call(cloud, "PUT", f"/v1/provider/equipment/{equipment}", body)).status == 200


async def load(cloud: Cloud, percent: int, equipment: str = "T1") -> Reply:
    """Let the provider say how loaded its equipment is, for five minutes."""
    at = cloud.clock() // 1000
    body = {"percent": percent, "measured_at": time_text(at), "valid_until": time_text(at + 300)}
    return await PROVIDER.call(cloud, "POST", f"/v1/provider/equipment/{equipment}/demand", body)


async def test_a_site_that_hangs_elsewhere_is_told(cloud: Cloud, site: Site) -> None:
    """Equipment that no longer feeds it forbids it nothing; of several pieces the most loaded counts."""
    await known(cloud)
    await plug(site)
    async with socket_of(site) as socket:
        await feeds(cloud, "T1", site)
        await feeds(cloud, "T2", site)
        await load(cloud, 95)
        await load(cloud, 10, "T2")
        assert (await heard(cloud, socket)).cables == {"C7": ("denied", "overload")}
        await feeds(cloud, "T1")
        assert (await heard(cloud, socket)).cables == {"C7": ("allowed", "none")}


async def test_terms_are_set_from_the_next_boundary_on(cloud: Cloud, site: Site) -> None:
    """By staff alone; readers see who set what before, a site what holds."""
    assert (await UPPER.call(cloud, "GET", TERMS)).json["terms"] == DEFAULTS | NOBODY
    cloud.clock.forward(1)
    reply = await MANAGER.call(cloud, "PUT", TERMS, {"base_micro": 1_000_000, "price_micro_per_wh": 20_000})
    assert (reply.status, reply.json["terms"]["valid_from"]) == (201, time_text(NOON + INTERVAL))
    again = await MANAGER.call(cloud, "PUT", TERMS, {"base_micro": 1_000_000, "price_micro_per_wh": 20_000})
    assert (again.status, again.json["result"]) == (200, "exists")
    assert (await OPERATOR.call(cloud, "PUT", TERMS, {"soc_floor_percent": 40})).status == 201
    told = (await UPPER.call(cloud, "GET", TERMS)).json
    assert (told["terms"]["soc_floor_percent"], told["terms"]["set_by"]) == (40, "client-operator")
    assert [item["base_micro"] for item in told["history"]] == [1_000_000]
    assert (await site.get("v2g/terms")).json["terms"]["soc_floor_percent"] == 40
    nowhere = Caller(Scope.MANAGER, "nowhere")
    assert (await nowhere.call(cloud, "PUT", "v2g/terms", {})).problem == "not-found"
    assert (await nowhere.call(cloud, "GET", "v2g/terms")).problem == "not-found"


NOBODY = {"valid_from": None, "set_by": None, "set_at": None}
DEFAULTS = {
    "base_micro": 0,
    "price_micro_per_wh": 0,
    "tolerance_wh": 100,
    "tolerance_percent": 10,
    "look_back": 4,
    "mismatches": 2,
    "soc_floor_percent": 30,
    "distance_m": 200,
    "demand_percent": 90,
    "pending_cap_micro": 50_000_000,
    "flag_permission": "denied",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_micro": -1},
        {"price_micro_per_wh": 10**8},
        {"tolerance_percent": 101},
        {"look_back": 0},
        {"look_back": 2, "mismatches": 3},
        {"flag_permission": "allowed"},
        {"soc_floor_percent": 30.0},
        {"unknown": 1},
    ],
)
async def test_terms_that_make_no_sense_are_refused(cloud: Cloud, site: Site, wrong: dict[str, Any]) -> None:
    """And change nothing."""
    assert (await MANAGER.call(cloud, "PUT", TERMS, wrong)).problem == "malformed"
    assert (await UPPER.call(cloud, "GET", TERMS)).json["terms"] == DEFAULTS | NOBODY


async def test_judged_periods_are_seen_by_whom_they_concern(cloud: Cloud, site: Site) -> None:
    """Readers see all, the host its site's, the driver its cables' wherever they were, without the host's meters."""
    await known(cloud)
    assert (await site.post(site.batch(count=1, start=NOON - INTERVAL))).status == 201
    await reported(cloud, site)
    path = f"/v1/communities/{COMMUNITY}/v2g/periods"
    everything = (await UPPER.call(cloud, "GET", path)).json
    assert [(item["site"], item["cable"], item["state"]) for item in everything["periods"]] == [
        (site.site, "C7", "pending"),
        (site.site, "C8", "pending"),
    ]
    assert everything["periods"][0]["meter_wh"] == 500
    for query, count in (("cable=C7", 1), ("state=final", 0), (f"site={site.site}", 2), ("site=other", 0)):
        assert len((await UPPER.call(cloud, "GET", f"{path}?{query}")).json["periods"]) == count
    page = (await UPPER.call(cloud, "GET", f"{path}?limit=1")).json
    rest = (await UPPER.call(cloud, "GET", f"{path}?after={page['next']}")).json
    assert [item["cable"] for item in (*page["periods"], *rest["periods"])] == ["C7", "C8"]
    assert len((await site.get("v2g/periods")).json["periods"]) == 2
    ben = Caller(Scope.OWNER, COMMUNITY, "ben")
    own = (await ben.call(cloud, "GET", "owners/ben/v2g/periods")).json["periods"]
    assert [(item["cable"], item["meter_wh"]) for item in own] == [("C7", None)]
    assert (await ANNA.call(cloud, "GET", "owners/anna/v2g/periods")).json["periods"] == []
    other = await cloud.join()
    assert (await other.get("v2g/periods")).json["periods"] == []
    assert (await UPPER.call(cloud, "GET", f"/v1/communities/{HILLSIDE}/v2g/periods")).json["periods"] == []


async def test_staff_decides_what_waits(cloud: Cloud, site: Site) -> None:
    """Once, with a note."""
    await known(cloud)
    assert (await site.post(site.batch(count=1, start=NOON - INTERVAL))).status == 201
    await reported(cloud, site)
    path = f"/v1/communities/{COMMUNITY}/v2g/periods/{site.site}/{time_text(NOON)}"
    body = {"decision": "release", "note": "seen myself"}
    first = await MANAGER.call(cloud, "POST", f"{path}/C7", body)
    assert (first.status, first.json["period"]["state"], first.json["period"]["decided_by"]) == (
        201,
        "final",
        "client-manager",
    )
    assert (await MANAGER.call(cloud, "POST", f"{path}/C7", body)).status == 200
    assert (await MANAGER.call(cloud, "POST", f"{path}/C7", body | {"decision": "void"})).problem == "conflict"
    assert (await MANAGER.call(cloud, "POST", f"{path}/C9", body)).problem == "not-found"
    assert (await MANAGER.call(cloud, "POST", f"{path}/C8", {"decision": "release"})).problem == "malformed"


async def reported(cloud: Cloud, site: Site) -> None:
    """Let the site report two cables, and wait until the job has admitted them."""
    common = {"bucket": bucket_of(COMMUNITY), "community": COMMUNITY, "site": site.site, "start": NOON}
    common |= {"seconds": INTERVAL, "tap": "main", "energy_wh": -1500, "connected": 1, "agreement": "match"}
    common |= {"meter_wh": 500, "consumption_wh": 2000, "epoch": 1, "seq": 1, "derived_at": NOON}

    def add(conn: Connection) -> None:
        conn.execute(cable_period_table.insert(), [common | {"cable": cable} for cable in ("C7", "C8")])

    await cloud.database.write(add)
    async with asyncio.timeout(5):
        while await cloud.count(judged_period_table) < 2:  # noqa: ASYNC110 - a database rings no bell
            await asyncio.sleep(0.05)
