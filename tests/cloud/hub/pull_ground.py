"""A maker's cloud that does what a test tells it, and the hub's ways to read it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
import json
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from cloud.config import Config
from cloud.hub.drivers.rest import RestDescription
from cloud.hub.pull.client import Client, Fetch
from cloud.hub.pull.driver import Driver, Pulled, Round
from cloud.hub.readings.store import hub_reading_table
from cloud.hub.sources.http import PULLER
from cloud.hub.sources.rounds.job import Puller
from tests.cloud.conftest import COMMUNITY, NOON, Cloud, Reply, running

type Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]

FORMAT: dict[str, Any] = {
    "name": "Test maker",
    "find": [{"path": "test_maker"}],
    "parse": {"kind": "json", "rows": "rows"},
    "device": {"path": "id", "default": ""},
    "time": {"path": "at", "form": "epoch_s"},
    "values": [{"quantity": "power", "path": "w", "unit": "W"}],
}


def page(*rows: tuple[str, int, int], **more: Any) -> dict[str, Any]:
    """Return an answer of the test maker: (device, seconds after NOON, W) each."""
    listed = [{"id": name, "at": NOON + seconds, "w": watts} for name, seconds, watts in rows]
    return {"test_maker": True, "rows": listed} | more


@dataclass
class Maker:
    """A server whose answers are a function, and the requests it got."""

    answers: Answers
    asked: list[web.Request] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer as told."""
        self.asked.append(request)
        await request.read()
        return await self.answers(request)


@asynccontextmanager
async def making(answers: Answers | Mapping[str, Any]) -> AsyncIterator[Maker]:
    """Run a maker's cloud on loopback; JSON data stands for a server that always answers it."""
    maker = Maker(answers) if callable(answers) else Maker(always(answers))
    app = web.Application(client_max_size=10**7)
    app.router.add_route("*", "/{path:.*}", maker.take)
    async with TestServer(app, host="127.0.0.1") as server:
        maker.url = str(server.make_url("")).rstrip("/")
        yield maker


def always(data: Mapping[str, Any], status: int = 200) -> Answers:
    """Return a server that always answers the same."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(dict(data), status=status)

    return answer


@dataclass
class Kept:
    """What a round keeps durably, and in which order with what it yielded."""

    values: list[Mapping[str, str]] = field(default_factory=list)

    async def __call__(self, values: Mapping[str, str]) -> None:
        """Keep tokens."""
        self.values.append(values)


@asynccontextmanager
async def round_of(
    driver: Driver, description: Mapping[str, Any], *, private: bool = True, **more: Any
) -> AsyncIterator[Round]:
    """Give a round of a driver outside any database."""
    client = Client(lambda: NOON * 1000, private=private)
    fetch = Fetch(client, 10**9)  # a driver's own measure is the hub's to keep
    read = driver.description.model_validate(description)
    values: dict[str, Any] = {"secrets": {}, "kept": {}, "state": {}, "names": (), "store": Kept()} | more
    yield Round(description=read, now_ms=NOON * 1000, ask=fetch, **values)
    await client.close()


async def pulled(driver: Driver, turn: Round) -> list[Pulled]:
    """Run a round to its end."""
    async with aclosing(driver.pull(turn)) as pulls:
        return [item async for item in pulls]


def rest(url: str, **more: Any) -> dict[str, Any]:
    """Return a description of a maker's cloud."""
    assert RestDescription.model_fields
    return {"url": url, "per_minute": 6000} | more


@asynccontextmanager
async def hub(config: Config) -> AsyncIterator[Cloud]:
    """Run a hub that may call loopback, with a community and the test maker's format."""
    async with running(replace(config, private_sources=True)) as cloud:
        await cloud.found(owners=())
        token = await cloud.token("operator", cloud.operator_secret)
        reply = await cloud.call("PUT", "/v1/hub/formats/test-maker", token=token, json=FORMAT)
        assert reply.status in (200, 201), reply.json
        yield cloud


async def put(cloud: Cloud, source: str, description: Mapping[str, Any], **more: Any) -> Reply:
    """Tell the hub of a maker's cloud."""
    body = {"name": source.title(), "driver": "rest", "description": dict(description), "every_seconds": 60}
    return await cloud.operator("PUT", f"{COMMUNITY}/hub/sources/{source}", body | more)


async def turn(cloud: Cloud) -> None:
    """Let everything that is due be read, to its end."""
    puller: Puller = cloud.client.app[PULLER]
    await puller.turn(cloud.clock() // 1000)
    await puller.idle()


async def source(cloud: Cloud, name: str) -> Any:
    """Return how a source stands."""
    reply = await cloud.operator("GET", f"{COMMUNITY}/hub/sources/{name}")
    assert reply.status == 200, reply.json
    return reply.json


async def readings(cloud: Cloud) -> dict[tuple[str, str, int], int]:
    """Return the record: device, quantity and measurement time (s) to value."""
    rows = await cloud.rows(hub_reading_table)
    return {(row.device, row.quantity, row.measured_ms // 1000): row.value for row in rows}


def text(data: Any) -> str:
    """Return JSON data as one text, to look for secrets in."""
    return json.dumps(data)
