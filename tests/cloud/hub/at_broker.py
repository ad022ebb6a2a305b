"""A hub at a real broker, and devices that log in there as their makers' firmware would."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
import json
import secrets
from typing import Any

import aiomqtt
from aiomqtt import ProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy import Connection, Table, func, select

from cloud.database import Database
from cloud.hub.broker.address import Address, with_session
from cloud.hub.broker.job import PURPOSE, BrokerWork
from cloud.hub.broker.store import hub_broker_change_table, teller
from cloud.hub.devices.device import Device
from cloud.hub.devices.store import add_device
from cloud.hub.events.store import hub_event_table
from cloud.hub.logins.secret import PURPOSE as LOGIN_PURPOSE, secret_hmac, secret_text
from cloud.hub.logins.store import Login, add_login, change_login, replace_secret, revoke
from cloud.hub.messages.job import Intake
from cloud.principal import CloudKey
from tests.cloud.ground import NOON, found

from .mosquitto import HUB_PASSWORD, HUB_USER, Broker

COMMUNITY = "lane"
PATIENCE_S = 20.0
NOON_MS = NOON * 1000


def reading(power_w: int, minutes: int = 0) -> bytes:
    """Return a message in our own format: one power, measured so many minutes before noon."""
    at_ms = NOON_MS - minutes * 60_000
    return json.dumps({"format": "unified", "readings": [{"measured_ms": at_ms, "power_w": power_w}]}).encode()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110 - it becomes true in a database or a broker, which tell nobody
            await asyncio.sleep(0.02)


@dataclass
class Hub:
    """One hub's process at the broker, on a database that outlives it."""

    database: Database
    broker: Broker
    key: CloudKey = field(default_factory=lambda: CloudKey(secrets.token_bytes(32)))
    client: str = HUB_USER
    user: str = HUB_USER
    password: str = HUB_PASSWORD
    task: asyncio.Task[None] | None = None

    @property
    def address(self) -> Address:
        """Where the broker is."""
        port, ca_file = self.broker.port, str(self.broker.ca_file)
        return Address("127.0.0.1", port, True, self.user, self.password, self.client, ca_file)

    def start(self, intake: Intake | None = None) -> BrokerWork:
        """Go to the broker."""
        work = BrokerWork(self.database, intake or Intake(self.database), self.key, self.address, lambda: NOON_MS)
        self.task = asyncio.create_task(work.run())
        return work

    async def stop(self) -> None:
        """Leave the broker; whatever was under way is dropped where it stands."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None

    async def add(self, *devices: str) -> dict[str, str]:
        """Register devices and wait until the broker knows them; return their passwords."""
        passwords = {device: secret_text(secrets.token_bytes(32)) for device in devices}
        await self.database.write(self._register, passwords)
        await self.handed_over()
        return passwords

    def _register(self, conn: Connection, passwords: dict[str, str]) -> None:
        for device, password in passwords.items():
            assert add_device(conn, Device(COMMUNITY, device, "meter", device.title(), state="active"), NOON)
            assert add_login(conn, Login(device, COMMUNITY), NOON)
            change_login(conn, device, secret_hmac=self._hash(device, password))
            teller(self.key.derive(PURPOSE))(conn, device, password, NOON)

    def _hash(self, device: str, password: str) -> str:
        return secret_hmac(self.key.derive(LOGIN_PURPOSE), device, password)

    async def renew(self, device: str) -> str:
        """Give a device another password, as staff does; return it."""
        password = secret_text(secrets.token_bytes(32))
        secret = password, self._hash(device, password)
        tell = teller(self.key.derive(PURPOSE))
        await self.database.write(replace_secret, COMMUNITY, device, secret, by="staff", tell=tell, now_ms=NOON_MS)
        return password

    async def revoke(self, device: str) -> None:
        """Let a device in no more."""
        tell = teller(self.key.derive(PURPOSE))
        assert await self.database.write(revoke, COMMUNITY, device, by="staff", tell=tell, now_ms=NOON_MS)

    async def handed_over(self) -> None:
        """Wait until the broker was told everything."""

        async def done() -> bool:
            return await self.count(hub_broker_change_table) == 0

        await until(done)

    async def count(self, table: Table, **where: Any) -> int:
        """Count rows."""

        def counted(conn: Connection) -> int:
            return conn.execute(select(func.count()).select_from(table).filter_by(**where)).scalar_one()

        return await self.database.read(counted)

    async def rows(self, table: Table, **where: Any) -> list[Any]:
        """Return rows."""
        return await self.database.read(lambda conn: list(conn.execute(select(table).filter_by(**where))))

    async def comes(self, table: Table, count: int, **where: Any) -> None:
        """Wait until there are so many rows."""

        async def here() -> bool:
            return await self.count(table, **where) == count

        await until(here)


def properties(correlation: bytes | None = None, **user: str) -> Properties:
    """Return what a device says with a message."""
    said = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if correlation is not None:
        said.CorrelationData = correlation
    if user:
        said.UserProperty = list(user.items())
    return said


@asynccontextmanager
async def device(
    broker: Broker,
    name: str,
    password: str,
    *,
    version: ProtocolVersion = ProtocolVersion.V5,
    will: aiomqtt.Will | None = None,
    identifier: str | None = None,
) -> AsyncIterator[aiomqtt.Client]:
    """Log a device in."""
    client = aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        username=name,
        password=password,
        identifier=identifier or f"firmware of {name}",
        protocol=version,
        will=will,
        tls_context=broker.trust(),
        timeout=5,
    )
    async with client:
        yield client


async def heard(client: aiomqtt.Client) -> tuple[str, dict[str, Any]]:
    """Return the next thing a device hears: the last part of its topic, and what is said."""
    async with asyncio.timeout(PATIENCE_S):
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            return message.topic.value.rpartition("/")[2], json.loads(message.payload)
    raise AssertionError


async def forget_session(hub: Hub) -> None:
    """End the session that the broker keeps for a hub, with what waits in it."""
    with suppress(aiomqtt.MqttError):
        async with aiomqtt.Client(
            "127.0.0.1",
            hub.broker.port,
            username=hub.user,
            password=hub.password,
            identifier=with_session(hub.address, hub.key).client,
            protocol=ProtocolVersion.V5,
            clean_start=True,
            tls_context=hub.broker.trust(),
        ):
            pass


async def founded(database: Database) -> None:
    """Found the community the devices belong to."""
    await database.write(found, COMMUNITY)


async def counted(hub: Hub, kind: str, count: int) -> bool:
    """Tell whether so much of a kind is in the event log."""
    found: int = sum(row.count for row in await hub.rows(hub_event_table, kind=kind))
    return found == count


async def written(hub: Hub, users: set[str]) -> bool:
    """Tell whether the broker has written these users down."""
    return users <= hub.broker.users()


async def tried(hub: Hub, name: str, password: str) -> None:
    """Log in once, and leave."""
    async with device(hub.broker, name, password):
        pass
