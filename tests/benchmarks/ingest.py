"""Ingest through a real process: HTTP in, signature, durable, acknowledged; beside what verifying alone costs."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import os
from pathlib import Path
from random import Random
import socket
import subprocess
import sys
import tempfile
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
import orjson

from cloud.wire import detached_parts, from_base64url

from .figure import Figure, cpu_rate
from .sites import URL, BenchSite, make_cloud

ROOT = Path(__file__).parents[2]
SITES = 64
CONNECTIONS = 64  # as many sites at once
BATCHES_MAX = 6000  # prepared for one load: bounds memory
WARM_UP = 256
P99_MS_MAX = 50
FLEXMEASURES = {30: 881, 300: 7800}  # values/s per core, measured beside these limits on the same machine
GOALS = {30: 0.5, 300: 0.4}
TICKS = os.sysconf("SC_CLK_TCK")

type Signed = tuple[bytes, str]


@dataclass(frozen=True, slots=True)
class Load:
    """What became of a load: batches acknowledged, wall and processor seconds, and the 99th percentile's wait."""

    batches: int
    wall_s: float
    cpu_s: float
    p50_ms: float
    p99_ms: float


def verify_only(made: Sequence[Signed], site: BenchSite) -> Callable[[], int]:
    """Return the least there is to do: verify one signature over one body."""
    key = Ed25519PublicKey.from_public_bytes(from_base64url(site.public_key, "key"))
    parts = [detached_parts(signature, raw)[1:] for raw, signature in made]

    def work() -> int:
        for signed, mark in parts:
            key.verify(mark, signed)
        return len(parts)

    return work


def verify_and_parse(made: Sequence[Signed], site: BenchSite) -> Callable[[], int]:
    """Return verifying and the fastest reading there is of JSON, with its columns' lengths looked at."""
    verify = verify_only(made, site)

    def work() -> int:
        for raw, _ in made:
            intervals = orjson.loads(raw)["intervals"]
            for tap in intervals["taps"].values():
                assert len(tap["import_wh"]) == len(tap["export_wh"]) == len(tap["register_wh"]) == intervals["count"]
        return verify()

    return work


@contextmanager
def serving(folder: Path, database_url: str, more: Mapping[str, str] | None = None) -> Iterator[tuple[int, int]]:
    """Run `python -m cloud serve`, with more settings than it needs, and yield its process id and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    named = {"DATABASE_URL": database_url, "KEY_FILE": f"{folder}/cloud.key", "PORT": str(port), "PUBLIC_URL": URL}
    named |= {"HOST": "127.0.0.1", "LOG_LEVEL": "WARNING"}
    settings = {f"COMMONWATT_{name}": value for name, value in (named | dict(more or {})).items()}
    command = [sys.executable, "-m", "cloud", "serve"]
    process = subprocess.Popen(command, env=settings | {"PYTHONPATH": str(ROOT), "PATH": os.defpath}, cwd=folder)
    try:
        end = time.monotonic() + 30
        while True:
            assert process.poll() is None, "the cloud did not start"
            try:
                with socket.create_connection(("127.0.0.1", port), 0.2):
                    break
            except OSError:
                assert time.monotonic() < end, "the cloud did not answer"
                time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def cpu_s(pid: int) -> float:
    """Return the processor time a process has had, in seconds."""
    members = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(members[11]) + int(members[12])) / TICKS


def peak_mib_of(pid: int) -> float:
    """Return the most memory another process has had, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


class Sender:
    """Sends prepared batches over keep-alive connections, each site's in order, and times every answer."""

    def __init__(self, port: int, sites: Sequence[object]) -> None:
        """Know where to send, and for whom."""
        self._port = port
        self._sites = sites
        self.waits_ms: list[float] = []

    async def send(self, made: Sequence[Sequence[bytes]], per_second: float | None) -> None:
        """Send the requests of every site: as fast as they are answered, or so many a second in all."""
        pause = None if per_second is None else len(made) / per_second
        await asyncio.gather(*(self._one(number, requests, pause) for number, requests in enumerate(made)))

    async def _one(self, number: int, requests: Sequence[bytes], pause: float | None) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        due = time.perf_counter() + (number / len(self._sites)) * (pause or 0)
        for request in requests:
            begun = time.perf_counter()
            if pause is not None:
                await asyncio.sleep(max(0.0, due - begun))
                begun, due = due, due + pause  # what came late because of the one before waited too
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            self.waits_ms.append((time.perf_counter() - begun) * 1000)
            assert head.startswith(b"HTTP/1.1 201"), head + body
        writer.close()
        await writer.wait_closed()


def request_of(site: BenchSite, made: Signed) -> bytes:
    """Return a whole request, ready for the socket."""
    raw, signature = made
    lines = (
        "POST /v1/batches HTTP/1.1",
        "Host: bench.test",
        f"Authorization: Bearer {site.token}",
        f"Commonwatt-Signature: {signature}",
        f"Commonwatt-Sent-Ms: {time.time_ns() // 1_000_000}",
        "Content-Type: application/json",
        f"Content-Length: {len(raw)}",
    )
    return "\r\n".join([*lines, "", ""]).encode() + raw


def prepared(sites: Sequence[BenchSite], batches: int, readings: int, random: Random) -> list[list[bytes]]:
    """Return so many requests in all, by site."""
    each = max(1, batches // len(sites))
    return [[request_of(site, site.next(readings, random)) for _ in range(each)] for site in sites]


async def load(
    pid: int, port: int, sites: Sequence[object], made: Sequence[Sequence[bytes]], per_second: float | None = None
) -> Load:
    """Send what is prepared and measure."""
    sender, before, begun = Sender(port, sites), cpu_s(pid), time.perf_counter()
    await sender.send(made, per_second)
    wall_s, spent_s, waits = time.perf_counter() - begun, cpu_s(pid) - before, sorted(sender.waits_ms)
    return Load(len(waits), wall_s, spent_s, waits[len(waits) // 2], waits[len(waits) * 99 // 100])


def measure(seconds: float, seed: int) -> list[Figure]:
    """Measure batches of 30 and of 300 on SQLite: rates per core, and the wait at half load."""
    figures = []
    for readings in (30, 300):
        with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
            figures += _measure(Path(folder), readings, seconds, Random(seed))
    return figures


def _measure(folder: Path, readings: int, seconds: float, random: Random) -> list[Figure]:
    url = f"sqlite:///{folder}/cloud.db"
    sites = make_cloud(url, folder / "cloud.key", SITES, random, int(time.time()))
    alone = BenchSite("alone", "alone", sites[0].key, "")
    sample = [alone.next(readings, random) for _ in range(20)]
    verify = cpu_rate(verify_only(sample, alone), seconds / 4)
    parse = cpu_rate(verify_and_parse(sample, alone), seconds / 4)
    with serving(folder, url) as (pid, port):
        for _ in range(2):  # the first load opens chains and fills caches
            warm = asyncio.run(load(pid, port, sites, prepared(sites, WARM_UP, readings, random)))
        batches = min(BATCHES_MAX, max(WARM_UP, int(seconds / 2 * warm.batches / warm.wall_s)))
        full = asyncio.run(load(pid, port, sites, prepared(sites, batches, readings, random)))
        rate = full.batches / full.wall_s / 2
        half = asyncio.run(load(pid, port, sites, prepared(sites, batches // 2, readings, random), rate))
        memory = peak_mib_of(pid)
    ours = full.batches / full.cpu_s
    name = f"ingest, batches of {readings}"
    limit, limit_name = (verify, "verify only") if readings == 30 else (parse, "verify and parse")
    return [
        Figure(f"{name}, per core", "batches/CPU s", limit_name, limit, ours, GOALS[readings]),
        Figure(f"{name}, as values", "values/CPU s", "FlexMeasures", FLEXMEASURES[readings], ours * readings, 250),
        Figure(f"{name}, wall", "batches/s", limit_name, limit, full.batches / full.wall_s, GOALS[readings]),
        Figure(f"{name}, p99 at half load", "ms", "bound", P99_MS_MAX, half.p99_ms, 1, more_is_better=False),
        Figure(f"{name}, the cloud's memory", "MiB", "bound", 512, memory, 1, more_is_better=False),
    ]
