"""The watch as an upper system meets it: measured data of a real home come in through the hub's own doors."""

from pathlib import Path
from typing import Any

import pytest

from cloud.hub.events.store import hub_event_table
from cloud.hub.watch.job import LATE_MS, LOOK_MS, WITHIN_MS, Watcher
from cloud.hub.wiring.http import REWIRED
from cloud.v2g.permission.store import standing_of
from cloud.wire import time_text
from tests.cloud.conftest import COMMUNITY, Cloud, Reply
from tests.cloud.people import HILLSIDE, MANAGER, OPERATOR, PROVIDER, UPPER, Caller, made

from .ground import listed, registered

EVENING = (Path(__file__).parents[2] / "data" / "watch" / "sceaux_evening.csv").read_text()
WATCH = "/v1/readings/watch"
AT = 1_166_375_820  # 2006-12-17T17:17:00Z, 18:17 in Sceaux
FORMAT: dict[str, Any] = {
    "name": "A home in Sceaux, minute by minute",
    "find": [{"columns": ["Global_active_power", "Global_intensity"]}],
    "parse": {"kind": "csv", "delimiter": ";"},
    "time": {"path": "Date", "then": "Time", "form": "%d/%m/%Y %H:%M:%S", "zone": "Europe/Paris"},
    "values": [
        {"quantity": "power", "path": "Global_active_power", "unit": "kW"},
        {"quantity": "reactive_power", "path": "Global_reactive_power", "unit": "kvar"},
        {"quantity": "voltage", "path": "Voltage", "unit": "V"},
        {"quantity": "current", "path": "Global_intensity", "unit": "A"},
    ],
}
one_store = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


def later(minutes: int) -> bytes:
    """Return the evening as a neighbour's, who does the same so many minutes later: the values move, the times stay."""
    head, *rows = EVENING.splitlines()
    times = [row.split(";", 2)[:2] for row in rows[minutes:]]
    values = [row.split(";", 2)[2] for row in rows]
    moved = [";".join((*time, rest)) for time, rest in zip(times, values, strict=False)]
    return "\n".join([head, *moved]).encode()


async def street(cloud: Cloud) -> None:
    """Let three homes on one feeder push what they measured on that evening, each to the hub's own door."""
    cloud.clock.ms = AT * 1000 - 3_600_000  # it is the seventeenth of December 2006
    await cloud.found()
    assert (await OPERATOR.call(cloud, "PUT", "/v1/hub/formats/sceaux", FORMAT)).status == 201
    logins = [await registered(cloud, f"home-{number}") for number in (1, 2, 3)]
    homes = [login.device for login in logins]
    for name, members in {
        "T1": {"name": "Transformer", "kind": "transformer", "limit_va": 50_000},
        "F1": {"name": "Feeder", "kind": "feeder", "above": "T1", "limit_va": 12_000, "devices": homes},
    }.items():
        assert (await MANAGER.call(cloud, "PUT", f"grid/equipment/{name}", members)).status == 200
    cloud.clock.ms = (AT + 900) * 1000
    for login, minutes in zip(logins, (0, 3, 7), strict=True):
        pushed = await cloud.call("POST", "/v1/hub/readings", data=later(minutes), headers=login.headers)
        assert (pushed.status, pushed.json["stored"]) == (201, 4 * (30 - minutes)), pushed.json


async def look(cloud: Cloud, query: str, caller: Caller = MANAGER) -> Reply:
    """Ask what there is to see."""
    return await caller.call(cloud, "GET", f"{WATCH}?{query}")


async def test_three_homes_of_one_evening_are_compared_at_one_instant(cloud: Cloud) -> None:
    """What each measured at 18:17, what follows from it, who is out of tolerance, and how full their feeder is."""
    await street(cloud)
    limits = {"limits": [{"quantity": "voltage", "nominal": 230_000, "below_percent": 10, "above_percent": 3}]}
    assert (await MANAGER.call(cloud, "PUT", "grid/limits", limits)).status == 200
    seen = (await look(cloud, f"at={time_text(AT + 20)}&below=T1")).json
    assert (seen["systems"], seen["silent"]) == (3, 0)
    told = {item["device"]: {name: value["value"] for name, value in item["values"].items()} for item in seen["points"]}
    assert {name: (told[name]["power"], told[name]["voltage"], told[name]["current"]) for name in told} == {
        "home-1": (6_254_000, 233_690, 26_600),  # 18:17
        "home-2": (3_308_000, 237_390, 14_000),  # as home-1 at 18:14
        "home-3": (3_216_000, 235_000, 13_600),  # as home-1 at 18:10
    }
    values = next(item["values"] for item in seen["points"] if item["device"] == "home-1")
    assert values["voltage"] == {
        "value": 233_690,
        "unit": "mV",
        "measured_at": "2006-12-17T17:17:00.000Z",
        "distance_ms": -20_000,
        "derived": False,
        "sign_known": True,
    }
    assert {name for name, value in values.items() if value["derived"]} == {"apparent_power", "power_factor"}
    assert values["apparent_power"]["value"] == 6_216_154  # 233.69 V x 26.6 A; the meter rounds currents to 0.2 A
    assert values["power_factor"]["value"] == 1000  # 6254 W of 6216 VA: within that rounding
    (out,) = seen["out"]
    assert (out["device"], out["quantity"], out["highest"], out["by"]) == ("home-2", "voltage", 236_900, 490)
    assert (out["limit_of"], out["limit_name"]) == ("community", None)
    feeder, transformer = seen["equipment"]
    assert (feeder["equipment"], feeder["counted"], feeder["missing"]) == ("F1", 3, 0)
    assert (feeder["power_mw"], feeder["reactive_mvar"]) == (12_778_000, 194_000)
    assert (feeder["apparent_mva"], feeder["load_percent"], feeder["overloaded"]) == (12_779_473, 107, True)
    assert (transformer["apparent_mva"], transformer["load_percent"]) == (12_779_473, 26)
    assert feeder["voltage_mv"] == 235_360


@one_store
async def test_an_overload_that_the_hub_counts_stops_v2g_without_a_utility(cloud: Cloud) -> None:
    """Two looks at the real evening find the feeder too full; cables behind it are denied while that holds."""
    await street(cloud)
    site = await cloud.join()
    body = {"name": "Feeder", "sites": [site.site]}
    assert (await MANAGER.call(cloud, "PUT", "grid/equipment/F1", body)).status == 200
    assert (await MANAGER.call(cloud, "PUT", "grid/watch", {"tells_demand": True})).json == {"tells_demand": True}
    watcher = Watcher(cloud.database, cloud.client.app[REWIRED])
    standings = []
    for minute in (AT - 120, AT, AT + 60):
        now_ms = minute * 1000 + WITHIN_MS + LATE_MS
        await watcher.turn(now_ms)
        standing = await cloud.database.read(standing_of, COMMUNITY, site.site, now_ms // 1000)
        standings.append((standing.permission, standing.cause))
    assert standings == [("allowed", "none"), ("denied", "overload"), ("denied", "overload")]
    (finding,) = (await UPPER.call(cloud, "GET", f"/v1/communities/{COMMUNITY}/grid/findings?open=true")).json[
        "findings"
    ]
    assert (finding["about"], finding["name"], finding["quantity"], finding["until"]) == (
        "equipment",
        "F1",
        "load",
        None,
    )
    assert (finding["since"], finding["highest"]) == ("2006-12-17T17:17:00.000Z", 100)
    first = f"?from={time_text(AT - 300)}&to={time_text(AT)}"
    assert (await MANAGER.call(cloud, "GET", f"grid/findings{first}")).json["findings"] == []


@one_store
async def test_an_upper_system_sees_as_far_as_it_reaches(cloud: Cloud) -> None:
    """Its findings too; and that it asked is in the event log."""
    await street(cloud)
    await listed(cloud, "stand-1", kind="charger")
    limits = {"limits": [{"quantity": "voltage", "highest": 230_000}]}
    assert (await MANAGER.call(cloud, "PUT", "grid/limits", limits)).status == 200
    watcher = Watcher(cloud.database, cloud.client.app[REWIRED])
    for minute in (AT, AT + 60):
        await watcher.turn(minute * 1000 + WITHIN_MS + LATE_MS)
    client, secret = await made(cloud, "upper")
    token, at = await cloud.token(client, secret), time_text(AT)
    findings = f"/v1/communities/{COMMUNITY}/grid/findings"

    async def seen() -> tuple[list[str], int, int, int]:
        watch = (await cloud.call("GET", f"{WATCH}?at={at}", token=token)).json
        found = (await cloud.call("GET", findings, token=token)).json["findings"]
        return (
            sorted({item["device"] for item in watch["points"]}),
            watch["systems"],
            len(watch["equipment"]),
            len(found),
        )

    assert await seen() == (["home-1", "home-2", "home-3"], 4, 2, 4)
    reach = f"{COMMUNITY}/clients/{client}/reach"
    assert (await cloud.operator("PUT", reach, {"kinds": ["charger"]})).status == 200
    assert await seen() == ([], 1, 0, 0)
    assert (await cloud.call("GET", f"{WATCH}?at={at}&below=F1", token=token)).problem == "not-found"
    assert (await cloud.operator("PUT", reach, {"kinds": ["meter"]})).status == 200
    assert await seen() == (["home-1", "home-2", "home-3"], 3, 0, 3)
    rows = await cloud.rows(hub_event_table, who=client)
    assert sorted({row.kind for row in rows} & {"request", "extract", "send"}) == ["extract", "request", "send"]
    assert (await cloud.call("GET", f"{WATCH}?community={HILLSIDE}", token=token)).problem == "forbidden"


@one_store
@pytest.mark.parametrize(
    "query",
    [
        *("at=yesterday", "at=2026-11-21T12:00:00", "within_s=0", "within_s=901", "below=../x", "kind=dragon"),
        *("box=1,2,3", "radius=1,2", "box=1,2,3,4&radius=1,2,3", "device=a,,b", "points=some", "colour=red"),
        *("device=" + ",".join(["a"] * 201), "at=2026-02-30T00:00:00Z"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(cloud: Cloud, query: str) -> None:
    """Naming the member."""
    await cloud.found()
    reply = await look(cloud, query)
    assert (reply.status, reply.problem) == (400, "malformed")
    assert query.split("=", maxsplit=1)[0] in reply.json["detail"] or "body" in reply.json["detail"]


@one_store
async def test_what_is_not_there_is_said_and_much_is_asked_in_parts(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a community, equipment, and of more points than one answer has."""
    await street(cloud)
    assert (await look(cloud, "community=nowhere", OPERATOR)).problem == "not-found"
    assert (await look(cloud, "", OPERATOR)).problem == "malformed"
    assert (await look(cloud, "below=X9")).problem == "not-found"
    at = f"at={time_text(AT)}"
    monkeypatch.setattr("cloud.hub.watch.http.POINTS_MAX", 2)
    refused = await look(cloud, at)
    assert (refused.problem, "points=out" in refused.json["detail"]) == ("unprocessable", True)
    assert len((await look(cloud, f"{at}&device=home-1,home-2")).json["points"]) == 2
    assert (await look(cloud, f"{at}&points=none")).json["points"] == []
    limits = {"limits": [{"quantity": "current", "highest": 20_000}]}
    assert (await MANAGER.call(cloud, "PUT", "grid/limits/devices/home-1", limits)).status == 200
    assert [item["device"] for item in (await look(cloud, f"{at}&points=out")).json["points"]] == ["home-1"]


@one_store
async def test_limits_are_set_read_and_taken_away(cloud: Cloud) -> None:
    """By staff; a provider's only of equipment, and of nothing that is not there."""
    await cloud.found()
    await listed(cloud, "home-1")
    assert (await PROVIDER.call(cloud, "PUT", "/v1/provider/equipment/F1", {"name": "F", "sites": []})).status == 200
    percent = {"quantity": "voltage", "nominal": 230_000, "below_percent": 10, "above_percent": 10}
    point = {"quantity": "current", "point": "l1", "highest": 16_000}
    ways = {
        "grid/limits": (MANAGER, percent),
        "grid/limits/equipment/F1": (PROVIDER, percent),
        "grid/limits/devices/home-1": (MANAGER, point),
    }
    for path, (caller, limit) in ways.items():
        put = await caller.call(cloud, "PUT", path, {"limits": [limit]})
        assert put.status == 200, put.json
        told = (await MANAGER.call(cloud, "GET", path)).json
        assert [{name: told["limits"][0][name] for name in limit}] == [limit]
    every = (await MANAGER.call(cloud, "GET", "grid/limits/all")).json["limits"]
    assert [(item["about"], item["name"]) for item in every] == [
        ("community", None),
        ("device", "home-1"),
        ("equipment", "F1"),
    ]
    for path in ways:
        assert (await MANAGER.call(cloud, "DELETE", path)).status == 204
    assert (await MANAGER.call(cloud, "GET", "grid/limits/all")).json == {"limits": []}
    assert (await PROVIDER.call(cloud, "PUT", "grid/limits", {"limits": []})).problem == "forbidden"
    for path in ("grid/limits/equipment/X", "grid/limits/devices/nobody"):
        assert (await MANAGER.call(cloud, "PUT", path, {"limits": [percent]})).problem == "not-found"


@one_store
@pytest.mark.parametrize(
    "limit",
    [
        {"quantity": "voltage"},
        {"quantity": "price", "highest": 1},
        {"quantity": "voltage", "below_percent": 10},
        {"quantity": "voltage", "nominal": 1},
        {"quantity": "voltage", "nominal": 1, "above_percent": 1, "highest": 5},
        {"quantity": "voltage", "lowest": 2, "highest": 1},
        {"quantity": "voltage", "highest": 2**53},
        {"quantity": "voltage", "highest": 1, "point": "*"},
    ],
)
async def test_a_limit_that_makes_no_sense_is_refused(cloud: Cloud, limit: dict[str, Any]) -> None:
    """And one thing is limited once."""
    await cloud.found()
    assert (await MANAGER.call(cloud, "PUT", "grid/limits", {"limits": [limit]})).problem == "malformed"
    twice = {"limits": [{"quantity": "voltage", "highest": 1}] * 2}
    assert (await MANAGER.call(cloud, "PUT", "grid/limits", twice)).problem == "malformed"


@one_store
async def test_findings_are_read_by_pages(cloud: Cloud) -> None:
    """Each once, in the order in which they began."""
    await street(cloud)
    limits = {"limits": [{"quantity": name, "highest": 1} for name in ("voltage", "current", "power")]}
    assert (await MANAGER.call(cloud, "PUT", "grid/limits", limits)).status == 200
    watcher = Watcher(cloud.database, cloud.client.app[REWIRED])
    for number in (0, 1):
        await watcher.turn(AT * 1000 + number * LOOK_MS + WITHIN_MS + LATE_MS)
    found, after = [], ""
    while True:
        page = (await MANAGER.call(cloud, "GET", f"grid/findings?limit=3&after={after}")).json
        found += [item["finding"] for item in page["findings"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert len(found) == len(set(found)) == 10
    assert (await MANAGER.call(cloud, "GET", "grid/findings?after=junk")).problem == "malformed"
