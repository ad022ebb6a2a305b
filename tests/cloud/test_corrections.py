"""Corrections for power providers: asked for page by page, or sent, signed, at least once, never into our network."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given, strategies as st
import pytest

from cloud.config import Config, from_environment
from cloud.database import Database
from cloud.errors import ConfigError
from cloud.principal import CloudKey, Scope
from cloud.sites.access.credentials import Client
from cloud.sites.access.store import add_client
from cloud.v2g.corrections.correction import Supply
from cloud.v2g.corrections.delivery.client import Sender
from cloud.v2g.corrections.delivery.job import Deliverer
from cloud.v2g.corrections.delivery.retry import FIRST_SECONDS, MOST_SECONDS, Delivery, Outcome, after
from cloud.v2g.corrections.delivery.signed import SIGNATURE_HEADER, secret_of, signature
from cloud.v2g.corrections.delivery.store import deliveries_of, subscribe, subscription_of, unsubscribe
from cloud.v2g.corrections.store import corrections_after

from .conftest import COMMUNITY, Cloud, running
from .ground import HALF_HOUR, NOON, OpenDatabase
from .people import Caller
from .reward_ground import DRIVERS, HOSTS, NOW, SITE, ground, measured, turn

KEY = CloudKey(b"7" * 32)
PATH = "/v1/provider/corrections"
PROVIDER = Caller(Scope.PROVIDER, COMMUNITY)
ANYWHERE = Caller(Scope.PROVIDER)


@dataclass
class Receiver:
    """A provider's server, which answers what it is told to."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        """Keep a delivery."""
        self.got.append((request.headers[SIGNATURE_HEADER], await request.read()))
        self.news.set()
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": self.url} if status == 302 else {})

    @property
    def numbers(self) -> list[list[int]]:
        """The numbers of the corrections in each delivery."""
        return [[item["number"] for item in json.loads(raw)["corrections"]] for _, raw in self.got]


@asynccontextmanager
async def receiving(*answers: int) -> AsyncIterator[Receiver]:
    """Run a receiver on loopback."""
    receiver = Receiver([*answers])
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open a database with three corrections."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        cable = ground(conn)
        for number in range(3):
            start = NOON + number * HALF_HOUR
            measured(conn, start, 500, 20)
            cable.gave(conn, start, (-1500, 0, 800)[number])
    assert asyncio.run(turn(opened)) == 6
    yield opened
    opened.dispose()


@asynccontextmanager
async def delivering(database: Database, *, private: bool = True) -> AsyncIterator[Deliverer]:
    """Give what delivers."""
    sender = Sender(private=private)
    yield Deliverer(database, KEY, sender)
    await sender.close()


async def subscribed(database: Database, url: str, client: str = "grid", community: str | None = HOSTS) -> str:
    """Let a provider subscribe; return its secret."""
    made = Client(client, Scope.PROVIDER, community, "hmac")
    await database.write(add_client, made, client, NOON)
    subscription = await database.write(subscribe, client, community, url, NOW)
    return secret_of(KEY, subscription.subscription)


async def stands(database: Database, client: str = "grid") -> Delivery:
    """Return how a delivery stands."""
    found = await database.read(subscription_of, client)
    assert found is not None
    return (await database.read(deliveries_of, found))[HOSTS]


def test_the_host_is_billed_for_the_meter_without_the_cables() -> None:
    """The meter read 500 in and 20 out while the cars took 800 and gave 1500."""
    assert Supply(500, 20, 800, 1500, ("C7",)).host_net_wh == 480 - (800 - 1500)
    assert Supply(None, None, 800, 1500, ("C7",)).host_net_wh is None


async def test_a_correction_carries_meter_and_cable_each_way(database: Database) -> None:
    """In order, with numbers that have no gaps, page by page."""
    first, second, third = [item.plain() for item in await database.read(corrections_after, HOSTS, 0, 10)]
    assert [item["number"] for item in (first, second, third)] == [1, 2, 3]
    assert first == {
        "community": HOSTS,
        "number": 1,
        "site": SITE,
        "start": "2026-11-21T12:00:00Z",
        "seconds": HALF_HOUR,
        "state": "final",
        "revision": 0,
        "meter_import_wh": 500,
        "meter_export_wh": 20,
        "cable_import_wh": 0,
        "cable_export_wh": 1500,
        "host_net_wh": 1980,
        "cables": ["C7"],
        "made_at": "2026-11-21T14:00:00Z",
    }
    assert (third["cable_import_wh"], third["host_net_wh"]) == (800, -320)
    assert [item.number for item in await database.read(corrections_after, HOSTS, 1, 1)] == [2]


async def test_a_delivery_is_signed_and_comes_once_it_is_received(database: Database) -> None:
    """The receiver can tell that it is ours, and when it was sent; then there is nothing more to send."""
    async with receiving() as receiver, delivering(database) as deliverer:
        secret = await subscribed(database, receiver.url)
        assert await deliverer.turn(NOW) == 1
        assert await deliverer.turn(NOW + 9) == 0
        ((header, raw),) = receiver.got
        mark = hmac.new(secret.encode(), f"{NOW}.".encode() + raw, hashlib.sha256).hexdigest()
        assert header == f"t={NOW},v1={mark}" == signature(secret, raw, NOW)
        assert receiver.numbers == [[1, 2, 3]]
        assert (await stands(database)).through == 3


async def test_what_was_not_received_is_sent_again_with_the_same_id(database: Database) -> None:
    """After a pause that grows; how it went can be seen."""
    async with receiving(500, 302, 404) as receiver, delivering(database) as deliverer:
        await subscribed(database, receiver.url)
        assert await deliverer.turn(NOW) == 0
        assert await deliverer.turn(NOW + FIRST_SECONDS - 1) == 0
        assert len(receiver.got) == 1
        assert (await stands(database)).problem == "answered 500"
        assert await deliverer.turn(NOW + FIRST_SECONDS) == 0
        assert (await stands(database)).problem == "answered 302", "a redirect is not followed"
        await deliverer.turn(NOW + 100)
        assert (await stands(database)).failures == 3
        assert await deliverer.turn(NOW + 1000) == 1
        assert len({json.loads(raw)["id"] for _, raw in receiver.got}) == 1
        delivery = await stands(database)
        assert (delivery.through, delivery.failures, delivery.problem) == (3, 0, None)


async def test_a_dead_receiver_keeps_nobody_waiting(database: Database) -> None:
    """Another one gets its delivery in the same turn."""
    async with receiving() as receiver, delivering(database) as deliverer:
        await subscribed(database, "http://127.0.0.1:1/hook", "dead")
        await subscribed(database, receiver.url, "alive")
        assert await deliverer.turn(NOW) == 1
        assert (await stands(database, "alive")).through == 3
        assert (await stands(database, "dead")).failures == 1


async def test_another_url_gets_everything_under_another_secret(database: Database) -> None:
    """Whoever changed it knows what to expect; the one before gets nothing more."""
    async with receiving() as old, receiving() as new, delivering(database) as deliverer:
        secret = await subscribed(database, old.url)
        await deliverer.turn(NOW)
        made = await database.write(subscribe, "grid", HOSTS, new.url, NOW + 1)
        assert secret_of(KEY, made.subscription) != secret
        assert await deliverer.turn(NOW + 2) == 1
        assert (old.numbers, new.numbers) == ([[1, 2, 3]], [[1, 2, 3]])
        assert await database.write(unsubscribe, "grid")
        assert not await database.write(unsubscribe, "grid")
        assert await deliverer.turn(NOW + 9) == 0


async def test_a_provider_of_every_community_is_told_of_each(database: Database) -> None:
    """Each community has its own numbers, and its own place to go on from."""
    async with receiving() as receiver, delivering(database) as deliverer:
        await subscribed(database, receiver.url, community=None)
        assert await deliverer.turn(NOW) == 1
        found = await database.read(subscription_of, "grid")
        assert found is not None
        deliveries = await database.read(deliveries_of, found)
        assert {name: item.through for name, item in deliveries.items()} == {HOSTS: 3, DRIVERS: 0}


async def test_a_client_that_was_removed_gets_nothing(database: Database) -> None:
    """Its subscription is dead with it."""
    async with receiving() as receiver, delivering(database) as deliverer:
        await subscribed(database, receiver.url)
        with database.engine.begin() as conn:
            conn.exec_driver_sql("UPDATE client SET revoked_at = 1")
        assert await deliverer.turn(NOW) == 0
        assert receiver.got == []


async def test_an_address_of_our_own_network_is_never_connected_to(database: Database) -> None:
    """Also if a name that once was outside leads there by now."""
    async with receiving() as receiver, delivering(database, private=False) as deliverer:
        await subscribed(database, receiver.url)
        assert await deliverer.turn(NOW) == 0
        assert receiver.got == []
        assert (await stands(database)).problem == "only https is called"


def test_the_operator_says_so_in_the_environment() -> None:
    """Off unless it is 1; anything else is refused by name."""
    assert not from_environment({}).private_webhooks
    assert from_environment({"COMMONWATT_PRIVATE_WEBHOOKS": "1"}).private_webhooks
    with pytest.raises(ConfigError, match="PRIVATE_WEBHOOKS"):
        from_environment({"COMMONWATT_PRIVATE_WEBHOOKS": "yes"})


@given(st.lists(st.booleans(), max_size=40))
def test_retries_never_stop_and_never_take_back(received: list[bool]) -> None:
    """However tries end: the pause stays bounded, and what was received stays received."""
    delivery, now = Delivery(), 0
    for number, good in enumerate(received, 1):
        before = delivery
        delivery = after(before, Outcome(through=number) if good else Outcome(problem="no"), now)
        assert now <= delivery.next_at <= now + MOST_SECONDS
        assert delivery.through == (number if good else before.through)
        now = delivery.next_at


@pytest.fixture
async def cloud(config: Config) -> AsyncIterator[Cloud]:
    """Start a cloud that may send into its own network."""
    async with running(replace(config, private_webhooks=True)) as cloud:
        await cloud.found()
        yield cloud


async def test_a_provider_subscribes_and_sees_how_it_goes(cloud: Cloud) -> None:
    """The secret is shown once and is another each time."""
    assert (await PROVIDER.call(cloud, "GET", f"{PATH}/subscription")).problem == "not-found"
    made = await PROVIDER.call(cloud, "PUT", f"{PATH}/subscription", {"url": "http://127.0.0.1:1/hook"})
    again = await PROVIDER.call(cloud, "PUT", f"{PATH}/subscription", {"url": "http://127.0.0.1:1/hook"})
    assert (made.status, again.status) == (201, 201)
    assert made.json["secret"] != again.json["secret"]
    seen = await PROVIDER.call(cloud, "GET", f"{PATH}/subscription")
    assert "secret" not in seen.json
    (delivery,) = seen.json["deliveries"]
    assert (delivery["community"], delivery["through"], delivery["problem"]) == (COMMUNITY, 0, None)
    assert (await PROVIDER.call(cloud, "DELETE", f"{PATH}/subscription")).status == 204
    assert (await PROVIDER.call(cloud, "DELETE", f"{PATH}/subscription")).problem == "not-found"


async def test_a_provider_asks_for_its_communities_only(cloud: Cloud) -> None:
    """One that may read all says which."""
    assert (await PROVIDER.call(cloud, "GET", PATH)).json == {"corrections": [], "next": None}
    assert (await PROVIDER.call(cloud, "GET", f"{PATH}?community=elsewhere")).problem == "forbidden"
    assert (await ANYWHERE.call(cloud, "GET", PATH)).problem == "unprocessable"
    assert (await ANYWHERE.call(cloud, "GET", f"{PATH}?community={COMMUNITY}")).status == 200
    assert (await ANYWHERE.call(cloud, "GET", f"{PATH}?community=nowhere")).problem == "not-found"


async def test_what_cannot_be_sent_to_is_refused_at_once(config: Config) -> None:
    """With the reason, and nothing is kept."""
    async with running(config) as cloud:
        await cloud.found()
        refused: Any = await PROVIDER.call(cloud, "PUT", f"{PATH}/subscription", {"url": "https://10.0.0.1/"})
        assert refused.problem == "unprocessable"
        assert "private network" in refused.json["detail"]
        assert (await PROVIDER.call(cloud, "GET", f"{PATH}/subscription")).problem == "not-found"
