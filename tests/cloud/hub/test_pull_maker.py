"""The worked example: the demo's maker's cloud, with OAuth2, pages, waits, a clock that is off and late data."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
import http.client
import json
from pathlib import Path
import socket
import sys
import time
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler
import pytest

from cloud.config import Config
from cloud.hub.clocks.http import CLOCKS
from cloud.hub.clocks.store import hub_clock_table
from cloud.hub.events.store import hub_event_table
from cloud.hub.pull import client as pull_client
from cloud.hub.sources.rounds import job as rounds
from demo.maker import FORMAT, Maker, Row, rows, source as described
from tests.cloud.conftest import COMMUNITY, NOON, Cloud
from tests.cloud.test_process_killed import serving, stored

from .pull_ground import hub, readings, source, turn

HALF_HOUR = 1800
BEGIN = NOON - 12 * 3600
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def cloud(config: Config, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cloud]:
    """Run a hub that reads when the test says so."""
    monkeypatch.setattr(rounds, "TURN_SECONDS", 3600)
    async with hub(config) as cloud:
        token = await cloud.token("operator", cloud.operator_secret)
        assert (await cloud.call("PUT", "/v1/hub/formats/demo-maker", token=token, json=FORMAT)).status == 201
        yield cloud


def expected(known_at: int) -> dict[tuple[str, str, int], int]:
    """Return the record as it must be once everything the maker knew by a time was pulled; it is 4 s ahead."""
    told = [row for row in rows(BEGIN) if row.known_at <= known_at + 4 and row.at < known_at]
    return {key: value for row in told for key, value in _both(row)}


def _both(row: Row) -> list[tuple[tuple[str, str, int], int]]:
    device = f"house-{row.meter}"
    return [
        ((device, "import_register", row.at), row.import_wh),
        ((device, "export_register", row.at), row.export_wh),
    ]


async def test_every_reading_lands_once_under_its_measurement_time(
    cloud: Cloud, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a day is caught up, then each half hour as it comes, late meters too; and the maker's clock is seen."""
    auth = "client_credentials" if store == "sqlite" else "refresh_token"
    monkeypatch.setattr(pull_client, "WAIT_SECONDS_MAX", 0)  # what the maker asks to wait for is waited for outside
    maker = Maker(BEGIN, clock=lambda: cloud.clock() / 1000, offset_seconds=4, page=50)
    async with TestServer(maker.app(), host="127.0.0.1") as server:
        body = described(str(server.make_url("")).rstrip("/"), auth)
        body["description"]["per_minute"] = 6000
        reply = await cloud.operator("PUT", f"{COMMUNITY}/hub/sources/house", body)
        assert reply.status == 201, reply.json
        for number in range(40):  # 5 h
            await turn(cloud)
            if number > 30 and (await source(cloud, "house"))["problem"] is None:
                break
            cloud.clock.forward(450)
    assert (await source(cloud, "house"))["problem"] is None
    assert maker.pages > 20
    found = await readings(cloud)
    assert len(found) > 450
    assert found == expected(cloud.clock() // 1000)
    revised = [row for row in await cloud.rows(hub_event_table, kind="save") if json.loads(row.detail)["revised"]]
    assert revised == []
    await cloud.client.app[CLOCKS].turn()
    [clock] = await cloud.rows(hub_clock_table, system="house")
    assert clock.kind == "source"
    assert abs(clock.offset_ms - 4000) <= 500


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_the_makers_process_is_read_as_it_says_of_itself(cloud: Cloud) -> None:
    """`python -m demo maker` prints the source to tell a hub of, and what it answers lands in the record."""
    begins_at = int(time.time()) // HALF_HOUR * HALF_HOUR - 4 * HALF_HOUR
    arguments = ("--begins-at", str(begins_at), "--offset-seconds", "0", "--page", "9")
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "demo", "maker", *arguments]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe)
    try:
        assert process.stdout is not None
        said = json.loads(await process.stdout.readline())
        assert said["format"] == FORMAT
        cloud.clock.ms = time.time_ns() // 1_000_000
        reply = await cloud.operator("PUT", f"{COMMUNITY}/hub/sources/house", said["source"])
        assert reply.status == 201, reply.json
        await turn(cloud)
    finally:
        process.terminate()
        assert await process.wait() == 0
    assert (await source(cloud, "house"))["problem"] is None
    told = [row for row in rows(begins_at) if row.known_at <= time.time() - 60 and row.at < time.time() - 60]
    assert {key: value for row in told for key, value in _both(row)}.items() <= (await readings(cloud)).items()


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_hub_that_is_killed_goes_on_with_the_refresh_token_it_was_given(tmp_path: Path, config: Config) -> None:
    """Struck in the middle of a pull, after the token was replaced: its successor is let in and misses nothing."""
    assert config.key_file.parent == tmp_path
    begins_at = int(time.time()) // HALF_HOUR * HALF_HOUR - 8 * HALF_HOUR
    maker, struck, dead = Maker(begins_at, offset_seconds=0, page=9, bursts=False), asyncio.Event(), asyncio.Event()

    @web.middleware
    async def hang(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the third page wait until its hub is dead."""
        if request.query.get("cursor") == "18" and not dead.is_set():
            struck.set()
            await dead.wait()
        return await handler(request)

    app = maker.app()
    app.middlewares.append(hang)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with TestServer(app, host="127.0.0.1") as server:
        with serving(tmp_path, port, PRIVATE_SOURCES="1") as process:
            form = "grant_type=client_credentials&client_id=operator&client_secret=operator-secret"
            token = _call(port, "POST", "/v1/token", form)["access_token"]
            _call(port, "PUT", "/v1/communities/lane", {"name": "L", "time_zone": "UTC"}, token)
            _call(port, "PUT", "/v1/hub/formats/demo-maker", FORMAT, token)
            body = described(str(server.make_url("")).rstrip("/"), "refresh_token")
            _call(port, "PUT", "/v1/communities/lane/hub/sources/house", body, token)
            await asyncio.wait_for(struck.wait(), 60)
            process.kill()
            process.wait()
        dead.set()
        [(kept, lease)] = stored(tmp_path, "SELECT kept IS NOT NULL, lease_until FROM hub_source")
        assert (kept, lease > 0) == (1, True)
        assert stored(tmp_path, "SELECT count(*) FROM hub_message") == [(3,)]  # of two days, the first of them empty
        stored(tmp_path, "UPDATE hub_source SET lease_until = 0 RETURNING 1")  # as three minutes later
        with serving(tmp_path, port, PRIVATE_SOURCES="1"):
            async with asyncio.timeout(60):
                while stored(tmp_path, "SELECT last_at IS NOT NULL FROM hub_source") != [(1,)]:  # noqa: ASYNC110 - a file
                    await asyncio.sleep(0.05)
    assert stored(tmp_path, "SELECT state, problem FROM hub_source") == [("active", None)]
    sql = "SELECT device, measured_ms / 1000, value FROM hub_reading WHERE quantity = 'import_register'"
    found = stored(tmp_path, sql)
    told = [row for row in rows(begins_at) if row.known_at <= time.time() - 60 and row.at < time.time() - 60]
    assert {(f"house-{row.meter}", row.at, row.import_wh) for row in told} <= set(found)
    assert len(found) == len(set(found))


def _call(port: int, method: str, path: str, body: Any, token: str = "") -> Any:
    """Send one request to the hub's process."""
    kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
    headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, body if isinstance(body, str) else json.dumps(body), headers)
        reply = connection.getresponse()
        read = reply.read()
        assert reply.status in (200, 201), read
        return json.loads(read)
