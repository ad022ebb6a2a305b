"""The hub by MQTT: readings in messages of QoS 1, stored by way of a real broker, beside bare durable inserts."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
import sqlite3
import sys
import tempfile
import time

import aiomqtt
from aiomqtt import ProtocolVersion

from cloud import identity
from cloud.database import Database
from cloud.hub.broker.job import PURPOSE
from cloud.hub.broker.store import teller
from tests.cloud.hub import mosquitto
from tests.cloud.hub.mosquitto import HUB_PASSWORD, Broker

from .figure import Figure
from .hub import PASSWORD, WARM_UP, BenchDevice, insert_limit, make_hub
from .ingest import cpu_s, serving

DEVICES = 64
SIZES = (30, 300)  # readings in a message
GOALS = {30: 0.1, 300: 0.25}
UNCONFIRMED = 16  # messages of a device that the broker has not confirmed yet
MESSAGES_MAX = 4000
PATIENCE_S = 120
MESSAGES = "SELECT count(*) FROM hub_message"


def measure(seconds: float) -> list[Figure]:
    """Measure messages of 30 and of 300 readings on SQLite; nothing where there is no broker."""
    programs, why_not = mosquitto.find()
    if programs is None:
        print(f"mqtt: {why_not}", file=sys.stderr)  # noqa: T201
        return []
    with (
        tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder,
        mosquitto.running(*programs) as broker,
    ):
        return _measure(Path(folder), broker, seconds)


def _measure(folder: Path, broker: Broker, seconds: float) -> list[Figure]:
    inserts = insert_limit(folder, seconds / 5)
    url = f"sqlite:///{folder}/cloud.db"
    devices = make_hub(url, folder / "cloud.key", DEVICES)
    _tell(url, folder / "cloud.key", devices)
    settings = {"MQTT_URL": f"mqtts://localhost:{broker.port}", "MQTT_PASSWORD": HUB_PASSWORD}
    settings["MQTT_CA_FILE"] = str(broker.ca_file)
    figures = []
    with serving(folder, url, settings) as (pid, _), closing(_reader(folder)) as db:
        _wait_for(db, "SELECT count(*) FROM hub_broker_change", 0)
        bench = Bench(pid, db, broker, devices)
        for readings in SIZES:
            asyncio.run(bench.load(readings, WARM_UP))
            wall_s, _, sent = asyncio.run(bench.load(readings, 4 * WARM_UP))
            messages = min(MESSAGES_MAX, max(WARM_UP, int(seconds / 2 * sent / wall_s)))
            wall_s, spent_s, sent = asyncio.run(bench.load(readings, messages))
            name = f"hub MQTT, messages of {readings}"
            rate, wall = sent * readings / spent_s, sent * readings / wall_s
            limit = "bare durable inserts"
            figures += [
                Figure(name, "readings/CPU s", limit, inserts, rate, GOALS[readings]),
                Figure(f"{name}, wall", "readings/s", limit, inserts, wall, GOALS[readings] / 2),
            ]
    return figures


def _reader(folder: Path) -> sqlite3.Connection:
    """Look into the cloud's database from any thread; it is asked by one at a time."""
    return sqlite3.connect(f"file:{folder}/cloud.db?mode=ro", uri=True, check_same_thread=False)


def _tell(url: str, key_file: Path, devices: Sequence[BenchDevice]) -> None:
    """Have the devices' passwords handed to the broker."""
    tell = teller(identity.load(key_file).derive(PURPOSE))
    database = Database(url)
    with database.engine.begin() as conn:
        for device in devices:
            tell(conn, device.device, PASSWORD, int(time.time()))
    database.dispose()


@dataclass(frozen=True)
class Bench:
    """What is measured: the cloud's process, its database to look into, the broker and the devices."""

    pid: int
    db: sqlite3.Connection
    broker: Broker
    devices: Sequence[BenchDevice]

    async def load(self, readings: int, messages: int) -> tuple[float, float, int]:
        """Publish so many messages, wait until they are stored; return the seconds, the processor's, and how many."""
        each = max(1, messages // len(self.devices))
        made = [[device.next(readings) for _ in range(each)] for device in self.devices]
        sent = each * len(self.devices)
        [(before,)] = self.db.execute(MESSAGES)
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(_client(self.broker, one.device)) for one in self.devices]
            begun, spent_s = time.perf_counter(), cpu_s(self.pid)
            own = zip(clients, self.devices, made, strict=True)
            publishing = asyncio.gather(*(_publish(client, device.device, raws) for client, device, raws in own))
            await asyncio.to_thread(_wait_for, self.db, MESSAGES, before + sent)
            wall_s, spent_s = time.perf_counter() - begun, cpu_s(self.pid) - spent_s
            await publishing
        return wall_s, spent_s, sent


def _client(broker: Broker, device: str) -> aiomqtt.Client:
    client = aiomqtt.Client(
        "localhost",
        broker.port,
        username=device,
        password=PASSWORD,
        identifier=device,
        protocol=ProtocolVersion.V5,
        tls_context=broker.trust(),
        max_inflight_messages=UNCONFIRMED,
    )
    client.pending_calls_threshold = 2 * UNCONFIRMED
    return client


async def _publish(client: aiomqtt.Client, device: str, made: Sequence[bytes]) -> None:
    for start in range(0, len(made), UNCONFIRMED):
        few = made[start : start + UNCONFIRMED]
        await asyncio.gather(*(client.publish(f"hub/{device}/readings", raw, qos=1) for raw in few))


def _wait_for(db: sqlite3.Connection, query: str, count: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while db.execute(query).fetchone()[0] != count:
        assert time.monotonic() < end, query
        time.sleep(0.02)
