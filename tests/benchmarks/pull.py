"""The hub by pulling: readings stored from makers' clouds that are read side by side, beside bare durable inserts."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import socket
import subprocess
import sys
import tempfile
import time

from sqlalchemy import Connection

from cloud.database import Database
from cloud.hub.messages.job import Intake
from cloud.hub.pull.client import Client
from cloud.hub.pull.registry import known
from cloud.hub.readings.store import hub_reading_table
from cloud.hub.sources.rounds import store as rounds
from cloud.hub.sources.rounds.job import Puller
from cloud.hub.sources.store import Wanted, put_source

from .figure import Figure
from .hub import COMMUNITY, insert_limit, make_hub

SOURCES = 16  # makers' clouds read at once
SIZES = (30, 300)  # readings in an answer
GOALS = {30: 0.05, 300: 0.15}
PAGES_MAX = 150  # of one round
PAGES_FIRST = 10

MAKER = """
from aiohttp import web

async def get(request):
    at, size = int(request.query["p"]), int(request.query["size"])
    if at >= int(request.query["pages"]):
        return web.Response(text='{{"format":"unified","readings":[]}}')
    begin = 1_700_000_000_000 + int(request.query["round"]) * 10**9 + at * 10**6
    rows = ",".join(
        '{{"measured_ms":%d,"power_w":%d,"voltage_v":230,"current_a":3}}' % (begin + n * 1000, n)
        for n in range(size // 3)
    )
    return web.Response(text='{{"format":"unified","readings":[' + rows + "]}}")

app = web.Application()
app.router.add_get("/", get)
web.run_app(app, host="127.0.0.1", port={port}, print=None, access_log=None)
"""


def measure(seconds: float) -> list[Figure]:
    """Measure answers of 30 and of 300 readings on SQLite."""
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as name, maker() as url:
        folder = Path(name)
        limit = insert_limit(folder, seconds / 10)
        rates = asyncio.run(pulled(folder, url, seconds))
        return [
            Figure(f"hub pull, answers of {size}", "readings/CPU s", "bare durable inserts", limit, rate, GOALS[size])
            for size, rate in rates.items()
        ]


async def pulled(folder: Path, url: str, seconds: float) -> dict[int, float]:
    """Return how many readings are stored in a second of processor time, by the size of the answers."""
    database = Database(f"sqlite:///{folder}/cloud.db")
    devices = make_hub(f"sqlite:///{folder}/cloud.db", folder / "cloud.key", SOURCES)
    client = Client(lambda: time.time_ns() // 10**6, private=True)
    puller = Puller(database, b"k" * 32, client, Intake(database), known())
    rates, turn = {}, 0
    try:
        for size in SIZES:
            pages, spent_s = PAGES_FIRST, 0.0
            while spent_s < seconds / 4:
                turn += 1
                names = [device.device for device in devices]
                await database.write(told, url, names, {"size": size, "pages": pages, "round": turn})
                before, began = await database.read(stored), time.process_time()
                await puller.turn(int(time.time()) + 1)
                await puller.idle()
                spent_s = time.process_time() - began
                rates[size] = (await database.read(stored) - before) / spent_s
                if pages == PAGES_MAX:
                    break
                pages = PAGES_MAX
    finally:
        await puller.close()
        database.dispose()
    return rates


def told(conn: Connection, url: str, devices: list[str], query: dict[str, int]) -> None:
    """Tell the hub of the makers' clouds, one for each device."""
    asked = {"p": "{page}"} | {name: str(value) for name, value in query.items()}
    paging = {"kind": "page", "first": 0, "items": "readings"}
    description = {"url": url, "query": asked, "paging": paging, "per_minute": 6000}
    for device in devices:
        wanted = Wanted(
            COMMUNITY, f"of-{device}", "rest", device, description, 60, None, {device: device}, restart=True
        )
        assert put_source(conn, wanted, by="bench", now_ms=time.time_ns() // 10**6) in ("created", "changed")
        assert rounds.due(conn, int(time.time()) + 1, 1)


def stored(conn: Connection) -> int:
    """Count the record."""
    return int(conn.exec_driver_sql(f"SELECT count(*) FROM {hub_reading_table.name}").scalar_one())


@contextmanager
def maker() -> Iterator[str]:
    """Run a maker's cloud in a process of its own, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", MAKER.format(port=port)])
    try:
        end = time.monotonic() + 30
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 0.2):
                    break
            except OSError:
                assert time.monotonic() < end, "the maker's cloud did not answer"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()
