"""The hub read out: rows a second in every form beside a bare SELECT of the same rows, and pushing meanwhile."""

from collections.abc import Callable
import http.client
from pathlib import Path
import sqlite3
import tempfile
import threading
import time

from cloud import identity
from cloud.bulk import insert_many
from cloud.database import Database, bucket_of
from cloud.hub.messages.store import hub_message_table
from cloud.hub.readings.store import MEMBERS, hub_reading_table
from cloud.principal import Scope
from cloud.sites.access.credentials import Client, issue
from cloud.sites.access.store import add_client
from cloud.wire import time_text

from .figure import Figure, cpu_rate
from .hub import COMMUNITY, DEVICES, make_hub, pushed
from .ingest import cpu_s, serving
from .sites import URL

START_MS = 1_795_262_400_000
INSTANTS = 3000  # a second apart
QUANTITIES = ("current", "power", "voltage")
ROWS = INSTANTS * DEVICES * len(QUANTITIES)
ASKED = f"from={time_text(START_MS // 1000)}&to={time_text(START_MS // 1000 + INSTANTS)}&community={COMMUNITY}"
GOALS = {"ndjson": 0.3, "csv": 0.3, "parquet": 0.3, "csv&resample=15": 0.3}
PUSH_READINGS = 30  # in a message
BARE = """SELECT measured_ms, device, point, quantity, seconds, value, timed, revision FROM hub_reading
    WHERE bucket = ? AND community = ? AND measured_ms >= ? ORDER BY measured_ms, device, point, quantity"""


def fill(database: Database, key_file: Path) -> str:
    """Put three quantities of every device into the record, and return a token that may read them."""
    bucket = bucket_of(COMMUNITY)
    with database.engine.begin() as conn:
        owned = {"bucket": bucket, "community": COMMUNITY, "message": "m", "who": "w", "way": "push"}
        counts = {"stored": 0, "existed": 0, "revised": 0, "faults": 0, "bytes": 0, "received_ms": 0, "hash": ""}
        conn.execute(hub_message_table.insert().values(owned | counts))
        for first in range(0, INSTANTS, 100):
            rows = [
                (bucket, COMMUNITY, START_MS + at * 1000, f"device-{n:04}", "", name, 0, at + n, "given", 0, "m")
                for at in range(first, first + 100)
                for n in range(DEVICES)
                for name in QUANTITIES
            ]
            insert_many(conn, hub_reading_table, MEMBERS, rows)
        client = Client("reader", Scope.UPPER, None, "")
        add_client(conn, client, "reader", int(time.time()))
    return issue(identity.load(key_file), client, URL, int(time.time()))


def select_limit(folder: Path, seconds: float) -> float:
    """Return how many of these rows a second of processor time SQLite hands to Python, and nothing else done."""
    conn = sqlite3.connect(folder / "cloud.db")
    named = (bucket_of(COMMUNITY), COMMUNITY, START_MS)

    def work() -> int:
        cursor, count = conn.execute(BARE, named), 0
        while rows := cursor.fetchmany(5000):
            count += len(rows)
        return count

    try:
        assert work() == ROWS
        return cpu_rate(work, seconds)
    finally:
        conn.close()


def taken(port: int, token: str, form: str) -> int:
    """Take an extraction whole, and return its length."""
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    conn.request("GET", f"/v1/readings?{ASKED}&as={form}", headers={"Authorization": f"Bearer {token}"})
    response = conn.getresponse()
    assert response.status == 200, response.read()
    length = 0
    while part := response.read(1 << 20):
        length += len(part)
    conn.close()
    return length


def while_running(work: Callable[[], int]) -> Callable[[], None]:
    """Do some work again and again in a thread; call what is returned to end it."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            work()

    thread = threading.Thread(target=run)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join()

    return end


def measure(seconds: float) -> list[Figure]:
    """Measure every form on SQLite, through a real process."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as name:
        folder = Path(name)
        url, key_file = f"sqlite:///{folder}/cloud.db", folder / "cloud.key"
        devices = make_hub(url, key_file)
        database = Database(url)
        token = fill(database, key_file)
        database.dispose()
        limit = select_limit(folder, seconds / 10)
        with serving(folder, url) as (pid, port):
            for form, goal in GOALS.items():
                taken(port, token, form)
                begun, spent = time.perf_counter(), cpu_s(pid)
                taken(port, token, form)
                spent, wall = cpu_s(pid) - spent, time.perf_counter() - begun
                named = f"extract {form.replace('&', ', ')}"
                figures.append(Figure(named, "rows/CPU s", "bare SELECT of the same", limit, ROWS / spent, goal))
                figures.append(Figure(f"{named}, wall", "rows/s", "bare SELECT of the same", limit, ROWS / wall, 0.1))
            alone = pushed(pid, port, devices, PUSH_READINGS, seconds / 6)
            end = while_running(lambda: taken(port, token, "ndjson"))
            beside = pushed(pid, port, devices, PUSH_READINGS, seconds / 6)
            end()
        rates = [load.batches * PUSH_READINGS / load.wall_s for load in (alone, beside)]
        figures.append(Figure("push beside an extraction", "readings/s", "push alone", rates[0], rates[1], 0.3))
    return figures
