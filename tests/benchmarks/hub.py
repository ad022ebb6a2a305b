"""The hub: readings stored through HTTPS push (without its TLS), beside bare durable inserts of the same run.

`make_hub` gives the parts of the other ways in and out a cloud with registered devices, `insert_limit` what one core
can insert durably at most.
"""

import asyncio
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import json
from pathlib import Path
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

from sqlalchemy import Connection

from cloud import identity, schema
from cloud.database import Database
from cloud.hub.devices.device import Device
from cloud.hub.devices.store import add_device
from cloud.hub.logins.secret import PURPOSE, secret_hmac
from cloud.hub.logins.store import Login, add_login, change_login
from cloud.sites.store import Community, put_community

from .figure import Figure, cpu_rate
from .ingest import CONNECTIONS, Load, load, serving

DEVICES = CONNECTIONS  # as many at once
COMMUNITY = "bench"
PASSWORD = "p" * 43
STEP_MS = 1000  # between two measurements of a device
WARM_UP = 128
MESSAGES_MAX = 4000  # prepared for one load: bounds memory
SIZES = (1, 30, 300)  # readings in a message
GOALS = {1: 0.005, 30: 0.1, 300: 0.25}
MESSAGE_GOALS = {1: 0.1, 30: 0.03, 300: 0.01}
VALUES = ("power_w", "voltage_v", "current_a")  # of one measurement
COMMIT_ROWS = 300  # of the limit

TABLE = """CREATE TABLE bare (bucket INTEGER NOT NULL, community TEXT NOT NULL, measured_ms INTEGER NOT NULL,
    device TEXT NOT NULL, point TEXT NOT NULL, quantity TEXT NOT NULL, seconds INTEGER NOT NULL, value INTEGER NOT NULL,
    timed TEXT NOT NULL, revision INTEGER NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (bucket, community, measured_ms, device, point, quantity)) STRICT"""

BARE = """
from aiohttp import web

async def post(request):
    await request.read()
    return web.Response(status=201)

app = web.Application()
app.router.add_post("/v1/hub/readings", post)
web.run_app(app, host="127.0.0.1", port={port}, print=None, access_log=None)
"""


@dataclass
class BenchDevice:
    """A device that measures once a second, and sends so many readings at a time."""

    device: str
    at_ms: int

    def next(self, readings: int) -> bytes:
        """Return the next message in our own format."""
        rows = []
        for start in range(0, readings, len(VALUES)):
            self.at_ms += STEP_MS
            wobble = self.at_ms // STEP_MS % 97
            values = {"power_w": 1500 + wobble, "voltage_v": 230 + wobble / 10, "current_a": 6.52 + wobble / 100}
            rows.append(
                {"measured_ms": self.at_ms} | {name: round(values[name], 2) for name in VALUES[: readings - start]}
            )
        return json.dumps({"format": "unified", "readings": rows}, separators=(",", ":")).encode()

    def request(self, readings: int) -> bytes:
        """Return the next message as a whole request, ready for the socket."""
        raw = self.next(readings)
        shown = b64encode(f"{self.device}:{PASSWORD}".encode()).decode()
        lines = (
            "POST /v1/hub/readings HTTP/1.1",
            "Host: bench.test",
            f"Authorization: Basic {shown}",
            f"Commonwatt-Sent-Ms: {time.time_ns() // 1_000_000}",
            f"Content-Length: {len(raw)}",
        )
        return "\r\n".join([*lines, "", ""]).encode() + raw


def make_hub(url: str, key_file: Path, devices: int = DEVICES) -> list[BenchDevice]:
    """Make a migrated database with a key, a community and so many registered devices, and return them."""
    database, now = Database(url), int(time.time())
    try:
        with database.engine.begin() as conn:
            schema.migrate(conn)
            key = identity.establish(conn, key_file, now)
            put_community(conn, Community(COMMUNITY, COMMUNITY, "UTC", 1800, 1800, 86_400, None, None), now)
            return [_registered(conn, key.derive(PURPOSE), f"device-{n:04}", now) for n in range(devices)]
    finally:
        database.dispose()


def _registered(conn: Connection, key: bytes, device: str, now: int) -> BenchDevice:
    add_device(conn, Device(COMMUNITY, device, "meter", device, state="active"), now)
    add_login(conn, Login(device, COMMUNITY), now)
    change_login(conn, device, secret_hmac=secret_hmac(key, device, PASSWORD))
    return BenchDevice(device, (now - 86_400 * 30) * 1000)


def insert_limit(folder: Path, seconds: float) -> float:
    """Return how many readings a second of processor time can be inserted durably, and nothing else done."""
    conn = sqlite3.connect(folder / "bare.db", isolation_level=None)
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("PRAGMA synchronous=FULL")
    conn.execute(TABLE)
    at_ms = 0

    def work() -> int:
        nonlocal at_ms
        rows = []
        for n in range(COMMIT_ROWS):
            device = f"device-{n // len(VALUES) % DEVICES:04}"
            at_ms += STEP_MS * (n % (DEVICES * len(VALUES)) == 0)
            message = f"{at_ms:036}"
            rows.append((7, COMMUNITY, at_ms, device, str(n // 192), VALUES[n % 3], 0, n, "given", 0, message))
        conn.execute("BEGIN")
        conn.executemany(f"INSERT INTO bare VALUES ({', '.join('?' * 11)})", rows)
        conn.execute("COMMIT")
        return len(rows)

    try:
        return cpu_rate(work, seconds)
    finally:
        conn.close()


@contextmanager
def bare_server() -> Iterator[tuple[int, int]]:
    """Run a server that reads bodies and does nothing with them; yield its process id and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", BARE.format(port=port)])
    try:
        end = time.monotonic() + 30
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 0.2):
                    break
            except OSError:
                assert time.monotonic() < end, "the bare server did not answer"
                time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def pushed(pid: int, port: int, devices: Sequence[BenchDevice], readings: int, seconds: float) -> Load:
    """Push messages over keep-alive connections as fast as they are answered, for about so long."""
    warm = asyncio.run(load(pid, port, devices, prepared(devices, WARM_UP, readings)))
    messages = min(MESSAGES_MAX, max(WARM_UP, int(seconds * warm.batches / warm.wall_s)))
    return asyncio.run(load(pid, port, devices, prepared(devices, messages, readings)))


def prepared(devices: Sequence[BenchDevice], messages: int, readings: int) -> list[list[bytes]]:
    """Return so many requests in all, by device."""
    return [[device.request(readings) for _ in range(max(1, messages // len(devices)))] for device in devices]


def push(folder: Path, seconds: float) -> list[Figure]:
    """Measure push on SQLite, with messages of every size."""
    figures = []
    inserts = insert_limit(folder, seconds / 10)
    url = f"sqlite:///{folder}/cloud.db"
    devices = make_hub(url, folder / "cloud.key")
    with serving(folder, url) as (pid, port):
        loads = {readings: pushed(pid, port, devices, readings, seconds / 6) for readings in SIZES}
    others = [BenchDevice(device.device, 0) for device in devices]
    with bare_server() as (pid, port):
        posts = {readings: pushed(pid, port, others, readings, seconds / 20) for readings in SIZES}
    for readings in SIZES:
        ours, post = loads[readings], posts[readings]
        rate, name = ours.batches / ours.cpu_s, f"hub push, messages of {readings}"
        figures += [
            Figure(name, "readings/CPU s", "bare durable inserts", inserts, rate * readings, GOALS[readings]),
            Figure(
                f"{name}, as messages",
                "messages/CPU s",
                "bare POST",
                post.batches / post.cpu_s,
                rate,
                MESSAGE_GOALS[readings],
            ),
        ]
    return figures


def measure(seconds: float) -> list[Figure]:
    """Measure push on a cloud of its own."""
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
        return push(Path(folder), seconds)
