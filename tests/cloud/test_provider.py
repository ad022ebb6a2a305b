"""A power provider tells its readings and its equipment: many at once, again without harm, corrected with history."""

from typing import Any

import pytest

from cloud.hub.wiring.rates.store import demand_rate_table
from cloud.principal import Scope
from cloud.sites.access.clients.store import listed
from cloud.v2g.provider.readings.store import readings_between, supply_reading_table
from cloud.wire import time_text

from .conftest import COMMUNITY, INTERVAL, NOON, Cloud, Reply, Site
from .people import HILLSIDE, MANAGER, OPERATOR, PROVIDER, Caller, made

READINGS = "/v1/provider/readings"
EQUIPMENT = "/v1/provider/equipment"
EVERYWHERE = Caller(Scope.PROVIDER)


def reading(site: Site, number: int = 0, import_wh: int = 500, **others: Any) -> dict[str, Any]:
    """Return a reading of a site's supply point, the how-manieth half hour since noon."""
    start = time_text(NOON + number * INTERVAL)
    return {
        "site": site.site,
        "start": start,
        "seconds": INTERVAL,
        "import_wh": import_wh,
        "export_wh": 0,
    } | others


async def tell(cloud: Cloud, *readings: dict[str, Any], caller: Caller = PROVIDER, **others: Any) -> Reply:
    """Tell readings."""
    return await caller.call(cloud, "POST", READINGS, {"readings": list(readings)} | others)


async def test_the_operator_makes_a_provider(cloud: Cloud, site: Site) -> None:
    """Of one community, with a secret shown once; its token opens its own doors and no others."""
    client_id, secret = await made(cloud, "provider")
    token = await cloud.token(client_id, secret)
    assert (await cloud.call("GET", READINGS, token=token)).json == {"readings": [], "next": None}
    assert (await cloud.call("GET", f"/v1/communities/{COMMUNITY}", token=token)).problem == "forbidden"
    assert [item.scope for item in await cloud.database.read(listed, COMMUNITY)] == [Scope.PROVIDER]
    assert (await OPERATOR.call(cloud, "DELETE", f"clients/{client_id}")).status == 204
    cloud.clock.forward(60)
    assert (await cloud.call("GET", READINGS, token=token)).problem == "not-authorised"
    assert (await MANAGER.call(cloud, "GET", READINGS)).problem == "forbidden"


async def test_readings_are_kept_once_and_corrected_with_history(cloud: Cloud, site: Site) -> None:
    """The same again changes nothing; another value stands beside the first, and is the one that holds."""
    first = await tell(cloud, reading(site), reading(site, 1))
    assert (first.status, first.json) == (201, {"created": 2, "corrected": 0, "existed": 0})
    again = await tell(cloud, reading(site), reading(site, 1))
    assert (again.status, again.json) == (200, {"created": 0, "corrected": 0, "existed": 2})
    cloud.clock.forward(60)
    corrected = await tell(cloud, reading(site, 1, 480), reading(site, 2))
    assert corrected.json == {"created": 1, "corrected": 1, "existed": 0}
    back = await tell(cloud, reading(site, 1))
    assert back.json["corrected"] == 1
    told = (await PROVIDER.call(cloud, "GET", READINGS)).json["readings"]
    assert [(item["start"][11:16], item["revision"], item["import_wh"]) for item in told] == [
        ("12:00", 1, 500),
        ("12:30", 1, 500),
        ("12:30", 2, 480),
        ("12:30", 3, 500),
        ("13:00", 1, 500),
    ]
    holds = await cloud.database.read(readings_between, COMMUNITY, site.site, NOON, NOON + 3 * INTERVAL)
    assert [item.net_wh for item in holds] == [500, 500, 500]


async def test_what_was_told_is_read_by_pages(cloud: Cloud, site: Site) -> None:
    """All sites or one; nothing twice and nothing left out."""
    other = await cloud.join()
    await tell(cloud, *(reading(each, number) for each in (site, other) for number in range(3)))
    await tell(cloud, reading(site, 1, 1))
    found, after = [], ""
    while True:
        page = (await PROVIDER.call(cloud, "GET", f"{READINGS}?limit=2&after={after}")).json
        found += [(item["site"], item["start"], item["revision"]) for item in page["readings"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == sorted(set(found))
    assert len(found) == 7
    mine = (await PROVIDER.call(cloud, "GET", f"{READINGS}?site={other.site}")).json["readings"]
    assert {item["site"] for item in mine} == {other.site}
    assert (await PROVIDER.call(cloud, "GET", f"{READINGS}?after=nonsense")).problem == "malformed"


async def test_all_readings_are_kept_or_none(cloud: Cloud, site: Site) -> None:
    """A site that is not there, or a time that is read in another length, and it is said which."""
    ghost = reading(site, 1) | {"site": "ghost"}
    reply = await tell(cloud, reading(site), ghost)
    assert (reply.problem, "ghost" in reply.json["detail"]) == ("unprocessable", True)
    await tell(cloud, reading(site))
    longer = reading(site) | {"seconds": 3600}
    assert (await tell(cloud, reading(site, 2), longer)).problem == "conflict"
    assert await cloud.count(supply_reading_table) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": 1700},
        {"seconds": 7200},
        {"start": time_text(NOON + 60)},
        {"start": "noon"},
        {"import_wh": -1},
        {"import_wh": 1.5},
        {"import_wh": 2**53},
        {"unknown": 1},
    ],
)
async def test_readings_that_make_no_sense_are_refused(cloud: Cloud, site: Site, wrong: dict[str, Any]) -> None:
    """Each names what is wrong, and nothing is kept."""
    assert (await tell(cloud, reading(site) | wrong)).problem == "malformed"
    assert (await tell(cloud, reading(site), reading(site))).problem == "malformed"
    assert (await tell(cloud)).problem == "malformed"
    assert await cloud.count(supply_reading_table) == 0


async def test_a_provider_of_all_names_the_community(cloud: Cloud, site: Site) -> None:
    """One that is bound to a community speaks of no other one."""
    await cloud.found(HILLSIDE)
    far = await cloud.join(HILLSIDE)
    assert (await tell(cloud, reading(site), caller=EVERYWHERE)).problem == "malformed"
    assert (await tell(cloud, reading(site), caller=EVERYWHERE, community=COMMUNITY)).status == 201
    assert (await tell(cloud, reading(far), caller=EVERYWHERE, community=HILLSIDE)).status == 201
    assert (await tell(cloud, reading(far), caller=EVERYWHERE, community="nowhere")).problem == "not-found"
    assert (await tell(cloud, reading(far), community=HILLSIDE)).problem == "forbidden"
    assert (await tell(cloud, reading(far))).problem == "unprocessable"
    assert (await EVERYWHERE.call(cloud, "GET", READINGS)).problem == "malformed"
    found = (await EVERYWHERE.call(cloud, "GET", f"{READINGS}?community={HILLSIDE}")).json["readings"]
    assert [item["site"] for item in found] == [far.site]
    assert (await PROVIDER.call(cloud, "GET", f"{READINGS}?community={HILLSIDE}")).problem == "forbidden"
    assert (await PROVIDER.call(cloud, "GET", f"{EQUIPMENT}?community={HILLSIDE}")).problem == "forbidden"


def demand(percent: int, since: int = NOON, seconds: int = 300, **others: Any) -> dict[str, Any]:
    """Return a demand rate."""
    times = {"measured_at": time_text(since), "valid_until": time_text(since + seconds)}
    return {"percent": percent} | times | others


async def test_equipment_and_its_newest_demand_rate(cloud: Cloud, site: Site) -> None:
    """Kept for ever; a rate of the same time with another value is refused, an older one is not the newest."""
    wanted = {"name": "Transformer 1", "sites": [site.site]}
    for name in ("T1", "T2"):
        assert (await PROVIDER.call(cloud, "PUT", f"{EQUIPMENT}/{name}", wanted)).status == 200
    path = f"{EQUIPMENT}/T1/demand"
    assert (await PROVIDER.call(cloud, "POST", path, demand(70))).status == 201
    assert (await PROVIDER.call(cloud, "POST", path, demand(70))).status == 200
    assert (await PROVIDER.call(cloud, "POST", path, demand(71))).problem == "conflict"
    assert (await PROVIDER.call(cloud, "POST", path, demand(95, NOON - 600))).status == 201
    told = (await PROVIDER.call(cloud, "GET", EQUIPMENT)).json
    assert [(item["equipment"], item["sites"]) for item in told["equipment"]] == [
        ("T1", [site.site]),
        ("T2", [site.site]),
    ]
    assert [item["demand"] and item["demand"]["percent"] for item in told["equipment"]] == [70, None]
    page = (await PROVIDER.call(cloud, "GET", f"{EQUIPMENT}?limit=1")).json
    rest = (await PROVIDER.call(cloud, "GET", f"{EQUIPMENT}?limit=1&after={page['next']}")).json
    assert [item["equipment"] for item in (*page["equipment"], *rest["equipment"])] == ["T1", "T2"]
    assert await cloud.count(demand_rate_table) == 2


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (demand(-1), "malformed"),
        (demand(70.5), "malformed"),  # type: ignore[arg-type]
        (demand(70, seconds=0), "malformed"),
        (demand(70, seconds=86_401), "malformed"),
        (demand(70, measured_at="now"), "malformed"),
        (demand(70, NOON + 301), "unprocessable"),
    ],
)
async def test_a_demand_rate_that_makes_no_sense_is_refused(
    cloud: Cloud, site: Site, body: dict[str, Any], problem: str
) -> None:
    """It would forbid or allow what nobody has measured."""
    await PROVIDER.call(cloud, "PUT", f"{EQUIPMENT}/T1", {"name": "T", "sites": []})
    assert (await PROVIDER.call(cloud, "POST", f"{EQUIPMENT}/T1/demand", body)).problem == problem
    assert (await PROVIDER.call(cloud, "POST", f"{EQUIPMENT}/T9/demand", demand(70))).problem == "not-found"
    assert await cloud.count(demand_rate_table) == 0


async def test_equipment_feeds_sites_that_are_there(cloud: Cloud, site: Site) -> None:
    """Of its own community."""
    await cloud.found(HILLSIDE)
    far = await cloud.join(HILLSIDE)
    body = {"name": "T", "sites": [site.site, far.site]}
    reply = await PROVIDER.call(cloud, "PUT", f"{EQUIPMENT}/T1", body)
    assert (reply.problem, far.site in reply.json["detail"]) == ("unprocessable", True)
    nowhere = body | {"community": "nowhere"}
    assert (await EVERYWHERE.call(cloud, "PUT", f"{EQUIPMENT}/T1", nowhere)).problem == "not-found"
    assert (await PROVIDER.call(cloud, "GET", EQUIPMENT)).json["equipment"] == []
