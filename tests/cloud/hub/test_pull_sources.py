"""Makers' clouds through the hub: every reading lands once, and what breaks is named and disturbs nothing else."""

import asyncio
from collections.abc import AsyncIterator
import json
import logging
from typing import Any

from aiohttp import web
import pytest

from cloud.config import Config
from cloud.hub.devices.store import hub_device_table
from cloud.hub.drivers import rest as driver
from cloud.hub.events.store import hub_event_table
from cloud.hub.events.table import moment_text
from cloud.hub.messages.store import hub_message_table
from cloud.hub.pull.client import Client
from cloud.hub.pull.driver import Driver, Pulled, Round
from cloud.hub.pull.registry import Found, known
from cloud.hub.sources.http import PULLER, SECRETS_PURPOSE
from cloud.hub.sources.rounds import job as rounds, store
from cloud.hub.sources.rounds.job import Puller
from cloud.hub.sources.source import Outcome, after
from cloud.hub.sources.store import hub_source_table
from tests.cloud.conftest import COMMUNITY, NOON, Cloud, running
from tests.cloud.people import MANAGER, everything

from .pull_ground import hub, making, page, put, readings, rest, source, text, turn


@pytest.fixture
async def cloud(config: Config) -> AsyncIterator[Cloud]:
    """Run a hub that may call loopback; its own schedule leaves the sources to the tests."""
    async with hub(config) as cloud:
        yield cloud


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "TURN_SECONDS", 3600)


async def kinds(cloud: Cloud, *wanted: str) -> list[tuple[str, str]]:
    """Return the events of these kinds: kind and who."""
    rows = sorted(await cloud.rows(hub_event_table), key=lambda row: row.event)
    return [(row.kind, row.who) for row in rows if row.kind in wanted]


async def test_a_makers_devices_and_readings_land_in_the_record(cloud: Cloud) -> None:
    """Devices are made for names that are new, each reading stands once, whatever is pulled twice."""
    rows = [("inverter-1", -60, 5), ("inverter-1", 0, 7), ("roof east", 0, 9)]
    async with making(page(*rows)) as maker:
        reply = await put(cloud, "acme", rest(maker.url, format="test-maker"), new_devices="solar")
        assert reply.status == 201, reply.json
        await turn(cloud)
        found = await source(cloud, "acme")
        assert (found["state"], found["problem"], found["last_at"]) == ("active", None, "2026-11-21T12:00:00Z")
        east = found["devices"]["roof east"]
        assert found["devices"] == {"inverter-1": "acme-inverter-1", "roof east": east}
        landed = await readings(cloud)
        assert landed == {
            ("acme-inverter-1", "power", NOON - 60): 5000,
            ("acme-inverter-1", "power", NOON): 7000,
            (east, "power", NOON): 9000,
        }
        cloud.clock.forward(60)
        await turn(cloud)
        assert len(maker.asked) == 2
        assert await readings(cloud) == landed
    [device] = await cloud.rows(hub_device_table, device=east)
    assert (device.kind, device.name, device.source, device.state) == ("solar", "roof east", "acme", "active")
    assert await kinds(cloud, "registered", "request", "save")
    assert {row.way for row in await cloud.rows(hub_message_table)} == {"pull"}


async def test_an_id_that_another_community_has_is_not_taken_from_it(cloud: Cloud) -> None:
    """Devices are unique in the whole hub; the second gets one that is only its own."""
    await cloud.found("hillside", owners=())
    reply = await cloud.operator("POST", "hillside/devices", {"device": "acme-A", "kind": "meter"})
    assert reply.status == 201, reply.json
    async with making(page(("A", 0, 1))) as maker:
        await put(cloud, "acme", rest(maker.url), new_devices="meter")
        await turn(cloud)
    [(device, _, _)] = await readings(cloud)
    assert device.startswith("acme-A-")
    assert len(await cloud.rows(hub_device_table, community="hillside")) == 1


async def test_secrets_are_shown_to_no_other_server_than_they_were_set_for(cloud: Cloud) -> None:
    """Else whoever may change a source could have them sent to a server of their own."""
    async with making(page(("A", 0, 1))) as maker, making(page()) as other:
        auth, secrets = {"kind": "bearer"}, {"token": "only-for-acme"}
        assert (await put(cloud, "acme", rest(maker.url, auth=auth), secrets=secrets)).status == 201
        moved = rest(other.url, auth=auth)
        refused = await put(cloud, "acme", moved)
        assert (refused.status, refused.problem) == (422, "unprocessable")
        await turn(cloud)
        assert (len(maker.asked), other.asked) == (1, [])
        assert (await put(cloud, "acme", rest(maker.url + "/v2", auth=auth))).status == 200
        assert (await put(cloud, "acme", moved, secrets={"token": "for-the-other"})).status == 200
        await turn(cloud)
    assert [request.headers["Authorization"] for request in other.asked] == ["Bearer for-the-other"]


async def test_names_that_staff_mapped_are_meant_and_others_are_refused(cloud: Cloud) -> None:
    """A row of an unknown device is a fault of its own; the others are kept."""
    reply = await cloud.operator("POST", f"{COMMUNITY}/devices", {"device": "meter-1", "kind": "meter"})
    assert reply.status == 201, reply.json
    async with making(page(("A", 0, 1), ("B", 0, 2))) as maker:
        assert (await put(cloud, "acme", rest(maker.url), devices={"A": "nobody"})).problem == "unprocessable"
        assert (await put(cloud, "acme", rest(maker.url), devices={"A": "meter-1"})).status == 201
        await turn(cloud)
    assert await readings(cloud) == {("meter-1", "power", NOON): 1000}
    [message] = await cloud.rows(hub_message_table)
    assert "unknown-device" in message.fault
    assert (await source(cloud, "acme"))["problem"] is None


async def test_a_dry_run_shows_what_would_be_kept_and_keeps_nothing(cloud: Cloud) -> None:
    """The readings with their units, the faults by row, or why nothing could be read at all."""
    async with making(page(("A", 0, 1), ("B", 999_999, 2))) as maker:
        assert (await put(cloud, "acme", rest(maker.url), new_devices="meter")).status == 201
        assert (await cloud.operator("POST", f"{COMMUNITY}/hub/sources/acme/pause")).json["state"] == "paused"
        before = await everything(cloud)
        reply = await cloud.operator("POST", f"{COMMUNITY}/hub/sources/acme/try")
        assert reply.status == 200, reply.json
        changed = [name for (name, old), (_, new) in zip(before, await everything(cloud), strict=True) if old != new]
        assert changed == ["hub_source"]  # the lease that was taken for it
        [message] = reply.json["messages"]
        assert (message["readings"], message["faults"], message["format"]) == (1, 1, "test-maker")
        reading = {"device": "acme-A", "point": "", "quantity": "power", "unit": "mW", "value": 1000, "seconds": 0}
        when = {"measured_at": moment_text(NOON * 1000), "measured_ms": NOON * 1000}
        assert message["first_readings"] == [reading | when | {"timed": "given"}]
        assert message["first_faults"][0]["reason"] == "future"
        assert message["new_devices"] == ["acme-A"]
        assert (reply.json["ended"], reply.json["problem"]) == ("whole", None)
    reply = await cloud.operator("POST", f"{COMMUNITY}/hub/sources/acme/try")
    assert (reply.json["ended"], reply.json["reason"]) == ("failed", "unreachable")
    async with making({"unknown": 1}) as maker:
        await put(cloud, "acme", rest(maker.url))
        [message] = (await cloud.operator("POST", f"{COMMUNITY}/hub/sources/acme/try")).json["messages"]
        assert message["first_faults"][0]["reason"] == "unknown-format"
        assert message["begins"] == '{"unknown": 1}'
    assert (await cloud.operator("POST", f"{COMMUNITY}/hub/sources/none/try")).problem == "not-found"


async def test_what_nobody_can_read_is_kept_and_not_gone_past(cloud: Cloud) -> None:
    """A maintenance page today does not lose today's readings: the same time is asked for again."""
    answers: list[Any] = ["<html>", json.dumps(page(("A", -10, 1)))]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=answers.pop(0))

    async with making(answer) as maker:
        spec = rest(maker.url, query={"a": "{since}"}, overlap_seconds=0)
        await put(cloud, "acme", spec, new_devices="meter")
        await turn(cloud)
        failing = await source(cloud, "acme")
        assert (failing["reason"], failing["failing_since"]) == ("unreadable", "2026-11-21T12:00:00Z")
        assert "unknown-format" in failing["problem"]
        cloud.clock.forward(60)
        await turn(cloud)
        assert (await source(cloud, "acme"))["problem"] is None
        assert len({request.query["a"] for request in maker.asked}) == 2  # a first round looks back from its own time
    assert await readings(cloud) == {("acme-A", "power", NOON - 10): 1000}
    assert {row.raw for row in await cloud.rows(hub_message_table)} >= {b"<html>"}


async def test_a_failing_source_is_told_once_and_asked_less_and_less(cloud: Cloud) -> None:
    """Until it works again; meanwhile another one goes on."""
    status = 500

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(page(("A", 0, 1)), status=status)

    async with making(answer) as broken, making(page(("B", 0, 2))) as fine:
        await put(cloud, "broken", rest(broken.url), new_devices="meter")
        await put(cloud, "fine", rest(fine.url), new_devices="meter")
        for _ in range(30):
            await turn(cloud)
            cloud.clock.forward(60)
        assert len(fine.asked) == 30
        assert 3 <= len(broken.asked) <= 8
        assert await kinds(cloud, "pull-failed") == [("pull-failed", "broken")]
        assert (await source(cloud, "broken"))["problem"] == "answered 500"
        status = 200
        cloud.clock.forward(3600)
        await turn(cloud)
        assert (await source(cloud, "broken"))["failing_since"] is None


async def test_who_is_refused_knocks_no_more_until_somebody_has_looked(cloud: Cloud) -> None:
    """A token that was revoked, by anybody: the source says so, and no secret does."""
    allowed = "hunter2-secret"

    async def answer(request: web.Request) -> web.Response:
        known = request.headers.get("Authorization") == f"Bearer {allowed}"
        return web.json_response(page(("A", 0, 1)), status=200 if known else 401)

    async with making(answer) as maker:
        spec = rest(maker.url, auth={"kind": "bearer"})
        reply = await put(cloud, "acme", spec, secrets={"token": "wrong-secret"}, new_devices="meter")
        assert reply.json["secrets"] == ["token"]
        for _ in range(3):
            await turn(cloud)
            cloud.clock.forward(7200)
        assert len(maker.asked) == 1
        refused = await source(cloud, "acme")
        assert (refused["state"], refused["reason"], refused["next_at"]) == ("refused", "refused", None)
        await put(cloud, "acme", spec, secrets={"token": allowed}, new_devices="meter")
        await turn(cloud)
        assert (await source(cloud, "acme"))["state"] == "active"
        await put(cloud, "acme", spec, new_devices="meter")  # without secrets: those that are set stay
        await turn(cloud)
        assert (await source(cloud, "acme"))["problem"] is None
    said = text([await source(cloud, "acme"), [str(row) for row in await cloud.rows(hub_event_table)]])
    stored = text([str(row) for row in await cloud.rows(hub_source_table)])
    assert not any(secret in said + stored for secret in (allowed, "wrong-secret"))


async def test_no_source_delays_another(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hangs, one answers 100 MB, one never ends, one crashes, one's driver is gone: the sixth is read meanwhile."""
    hanging = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await hanging.wait()
        return web.Response()

    async def huge(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1600):
            await response.write(b" " * 65_536)
        return response

    async def endless(request: web.Request) -> web.Response:
        return web.json_response(page() | {"next": int(request.query.get("p") or 0) + 1})

    async def crash(turn: Round) -> AsyncIterator[Pulled]:
        if turn.now_ms:
            raise RuntimeError(f"with {turn.secret('token')}")
        yield Pulled(b"", 0)

    puller = cloud.client.app[PULLER]
    broken = Driver("broken", "b", known().drivers["rest"].description, crash)  # type: ignore[arg-type]
    monkeypatch.setattr(puller, "found", Found({**known().drivers, "broken": broken}, {}))
    monkeypatch.setattr(driver, "PAGES_MAX", 10)
    paging = {"paging": {"kind": "cursor", "next": "next"}, "query": {"p": "{cursor}"}}
    async with making(hang) as a, making(huge) as b, making(endless) as c, making(page(("F", 0, 1))) as fine:
        await put(cloud, "a-hangs", rest(a.url))
        await put(cloud, "b-huge", rest(b.url))
        await put(cloud, "c-endless", rest(c.url, **paging, format="test-maker"))
        await put(cloud, "d-crashes", rest(fine.url), driver="broken", secrets={"token": "hunter2"})
        await put(cloud, "e-gone", rest(fine.url), driver="broken")
        await cloud.database.write(
            lambda conn: conn.execute(hub_source_table.update().filter_by(source="e-gone").values(driver="gone"))
        )
        await put(cloud, "f-fine", rest(fine.url), new_devices="meter")
        with monkeypatch.context() as quick:
            quick.setattr(rounds, "FAILING_AT_ONCE", 0)
            assert await puller.turn(cloud.clock() // 1000) == 6
        async with asyncio.timeout(20):
            while not await readings(cloud):  # noqa: ASYNC110 - what is waited for lies in the database
                await asyncio.sleep(0.01)
        assert (await source(cloud, "a-hangs"))["last_at"] is None
        hanging.set()
        await puller.idle()
        found = {name: (await source(cloud, name))["reason"] for name in ("b-huge", "c-endless", "d-crashes", "e-gone")}
        assert found == {"b-huge": "too-large", "c-endless": "too-many", "d-crashes": "broken", "e-gone": "broken"}
        crashed = await source(cloud, "d-crashes")
        assert "hunter2" not in text(crashed)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_crash_tells_where_it_was_and_no_secret(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """The words of somebody else's error may hold one."""

    async def crash(turn: Round) -> AsyncIterator[Pulled]:
        yield Pulled(json.dumps(page()).encode(), turn.now_ms, "test-maker")
        raise RuntimeError("hunter2")

    puller = cloud.client.app[PULLER]
    broken = Driver("broken", "b", known().drivers["rest"].description, crash)  # type: ignore[arg-type]
    puller.found = Found({"broken": broken}, {})
    await put(cloud, "acme", rest("http://127.0.0.1:1/", format="test-maker"), driver="broken")
    caplog.clear()
    await turn(cloud)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "test_pull_sources.py" in record.where  # type: ignore[attr-defined]
    assert "hunter2" not in text([str(record.__dict__) for record in caplog.records])
    caplog.clear()


async def test_of_two_hubs_one_reads_a_source(config: Config, cloud: Cloud) -> None:
    """Both find it due at the same moment, again and again; nothing is pulled twice, nothing is left out."""
    async with making(page(("A", 0, 1))) as maker, running(cloud.config) as second:
        await put(cloud, "acme", rest(maker.url), new_devices="meter")
        for _ in range(10):
            await asyncio.gather(turn(cloud), turn(second))
            cloud.clock.forward(60)
            second.clock.ms = cloud.clock.ms
        assert len(maker.asked) == 10
    assert config.key_file == cloud.config.key_file


async def test_a_hub_that_dies_in_a_round_is_followed_by_another(cloud: Cloud) -> None:
    """Its lease ends by itself; what it says after that is not heard."""
    async with making(page(("A", 0, 1))) as maker:
        await put(cloud, "acme", rest(maker.url), new_devices="meter")
        database, now = cloud.database, cloud.clock() // 1000
        dead = await database.write(store.lease, COMMUNITY, "acme", now, rounds.LEASE_SECONDS)
        assert dead is not None
        await turn(cloud)
        assert maker.asked == []
        cloud.clock.forward(rounds.LEASE_SECONDS)
        await turn(cloud)
        assert len(maker.asked) == 1
        late = Outcome({}, 1, 1, reason="broken", problem="late")
        assert not await database.write(store.done, dead, late, after(dead, late, now), cloud.clock())
        assert (await source(cloud, "acme"))["problem"] is None


async def test_a_round_that_is_stopped_gives_its_source_back(cloud: Cloud) -> None:
    """A hub that is restarted leaves nothing behind that another would wait for."""
    began = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        began.set()
        await asyncio.sleep(60)
        raise AssertionError

    async with making(hang) as maker:
        await put(cloud, "acme", rest(maker.url))
        found = cloud.client.app[PULLER]
        client = Client(cloud.clock, private=True)
        puller = Puller(cloud.database, cloud.key.derive(SECRETS_PURPOSE), client, found.intake, known())
        assert await puller.turn(cloud.clock() // 1000) == 1
        await began.wait()
        await puller.close()
        [row] = await cloud.rows(hub_source_table)
        assert (row.lease_until, row.failing_since) == (0, None)


async def test_what_staff_changes_meanwhile_holds(cloud: Cloud) -> None:
    """A round that began before ends without a word; the next one reads as staff said."""
    began, go = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/old":
            began.set()
            await go.wait()
        return web.json_response(page(("A", 0, 1)), status=500 if request.path == "/old" else 200)

    async with making(answer) as maker:
        await put(cloud, "acme", rest(maker.url + "/old"), new_devices="meter")
        task = asyncio.create_task(turn(cloud))
        await began.wait()
        assert (await cloud.operator("POST", f"{COMMUNITY}/hub/sources/acme/try")).problem == "conflict"
        await put(cloud, "acme", rest(maker.url + "/new"), new_devices="meter")
        go.set()
        await task
        assert (await source(cloud, "acme"))["problem"] is None
        await turn(cloud)
        assert maker.asked[-1].path == "/new"
    assert (await cloud.operator("DELETE", f"{COMMUNITY}/hub/sources/acme")).status == 204
    assert (await cloud.operator("GET", f"{COMMUNITY}/hub/sources/acme")).problem == "not-found"
    assert len(await readings(cloud)) == 1


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_what_makes_no_sense_is_refused_by_name(cloud: Cloud) -> None:
    """A driver, a description, a place to call, a schedule."""
    good = rest("https://api.example.org/")
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"driver": "magic"}, "driver"),
        ({"description": {"url": "https://api.example.org/", "paging": {"kind": "turn"}}}, "description: paging"),
        ({"description": rest("https://api.example.org/{places}")}, "no place"),
        ({"description": {}}, "url"),
        ({"description": good | {"auth": {"kind": "bearer"}}, "secrets": {"tokn": "x"}}, "tokn is not used"),
    )
    for more, words in cases:
        body = {"name": "A", "driver": "rest", "description": good} | more
        reply = await cloud.operator("PUT", f"{COMMUNITY}/hub/sources/acme", body)
        assert (reply.problem, words in reply.json["detail"]) == ("unprocessable", True), reply.json
    for wrong in ({"every_seconds": 59}, {"secrets": {"token": "a\nb"}}, {"new_devices": "spaceship"}, {"more": 1}):
        assert (await put(cloud, "acme", good, **wrong)).problem == "malformed"
    body = {"name": "A", "driver": "rest", "description": good}
    assert (await cloud.operator("PUT", "nowhere/hub/sources/acme", body)).problem == "not-found"
    for method, path in (("DELETE", "acme"), ("POST", "acme/pause"), ("POST", "acme/resume"), ("GET", "acme")):
        assert (await cloud.operator(method, f"{COMMUNITY}/hub/sources/{path}")).problem == "not-found"
    listed = await MANAGER.call(cloud, "GET", "hub/drivers")
    assert [item["driver"] for item in listed.json["drivers"]] == ["csv_url", "rest"]
    assert "properties" in listed.json["drivers"][1]["description"]


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_makers_clouds_are_listed_page_by_page(cloud: Cloud) -> None:
    """Without what would make a list long."""
    for name in ("a", "b", "c"):
        assert (await put(cloud, name, rest("https://api.example.org/"))).status == 201
    first = await cloud.operator("GET", f"{COMMUNITY}/hub/sources?limit=2")
    assert ([item["source"] for item in first.json["sources"]], first.json["next"]) == (["a", "b"], "b")
    second = await cloud.operator("GET", f"{COMMUNITY}/hub/sources?limit=2&after=b")
    assert ([item["source"] for item in second.json["sources"]], second.json["next"]) == (["c"], None)
