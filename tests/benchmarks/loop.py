"""The event loop under a site of 200 taps: how long it is held at a time, what a poll costs, whether memory grows."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import gc
import os
from pathlib import Path
import struct
import tempfile
from time import perf_counter, process_time, thread_time
from types import MappingProxyType
from typing import Any, Self
from unittest.mock import patch

from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_test_home_assistant

import custom_components.commonwatt  # noqa: F401
from custom_components.commonwatt.const import DOMAIN, FOLDER
from custom_components.commonwatt.link import SiteKey
from tests.site.meter_device import WORDS

from .figure import Figure
from .loop_devices import Unit, devices

TAPS, LINES = 200, 4
POLL_S, INTERVAL_S = 10, 60
POLLS_OF_AN_HOUR = 3600 // POLL_S
POLLS_BEFORE, POLLS_BEFORE_FULL = 12, 240  # until every entity has been written; until every cache is full
TICK_S = 0.001
BLOCK_MS_MAX = 20
POLL_MAX = 15  # bare sockets only fetch what is checked, judged, kept and shown here
READ_HOLDING = 3
GROWTH_MAX = 1.02
OLDEST_GENERATION = 2
SPANS_MAX = 10_000
SCHEDULE = Path("/proc/thread-self/schedstat")


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which the loop was held: how much of it its thread worked, and how much it waited for a processor."""

    begun: float
    ended: float
    work_s: float = 0.0
    waited_s: float = 0.0


class Ticker:
    """Wakes up every millisecond and notes how late it was at most.

    A full collection of garbage holds any Python program for as long as its heap is large: it is noted by itself.
    """

    def __init__(self) -> None:
        """Have seen nothing."""
        self.collections: list[Span] = []
        self._held: list[Span] = []
        self._begun = 0.0

    async def __aenter__(self) -> Self:
        """Begin."""
        self._schedule = _schedule()
        gc.callbacks.append(self._collected)
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End."""
        self._task.cancel()
        gc.callbacks.remove(self._collected)
        if self._schedule is not None:
            os.close(self._schedule)
            self._schedule = None

    @property
    def held_s(self) -> float:
        """The longest time the loop was held, without collections: also by other programs of the machine."""
        return max((span.ended - span.begun - self._collecting_s(span) for span in self._held), default=0.0)

    @property
    def own_s(self) -> float:
        """The same without what the loop's thread waited for a processor; waits for our own other threads are in it."""
        return max((self._own_s(span) for span in self._held), default=0.0)

    @property
    def work_s(self) -> float:
        """The most work that the loop did at a time, without collections."""
        return max((span.work_s - self._collecting_s(span) for span in self._held), default=0.0)

    def _collecting_s(self, span: Span) -> float:
        return sum(
            min(span.ended, other.ended) - max(span.begun, other.begun)
            for other in self.collections
            if other.begun < span.ended and span.begun < other.ended
        )

    def _own_s(self, span: Span) -> float:
        collecting_s = self._collecting_s(span)
        # a collection waits for a processor too, and is out already
        return span.ended - span.begun - (collecting_s or span.waited_s)

    def _waited_s(self) -> float:
        """How long the thread could have gone on and no processor was free, so far; 0 where no system tells."""
        return 0.0 if self._schedule is None else int(os.pread(self._schedule, 100, 0).split()[1]) / 1e9

    async def _tick(self) -> None:
        while True:
            begun, work, waited = perf_counter() + TICK_S, thread_time(), self._waited_s()
            await asyncio.sleep(TICK_S)
            self._held.append(Span(begun, perf_counter(), thread_time() - work, self._waited_s() - waited))
            if len(self._held) > SPANS_MAX:
                self._held = sorted(self._held, key=lambda span: span.begun - span.ended)[: SPANS_MAX // 2]

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < OLDEST_GENERATION:
            return
        if phase == "start":
            self._begun = perf_counter()
        else:
            self.collections.append(Span(self._begun, perf_counter()))


def _schedule() -> int | None:
    """Open what the system tells of this thread's turns, if it does."""
    return os.open(SCHEDULE, os.O_RDONLY) if SCHEDULE.exists() else None


def measure(seconds: float, *, full: bool, taps: int = TAPS) -> list[Figure]:
    """Measure a site that polls real Modbus units; with `full` a whole hour of polls, pressed together."""
    with devices(LINES, taps // LINES) as units:
        return asyncio.run(_measure(units, seconds, POLLS_OF_AN_HOUR if full else 0))


async def _measure(units: Sequence[Unit], seconds: float, polls: int) -> list[Figure]:
    bare, bare_ms = await _bare(units, seconds / 2)
    async with _site(units) as (hass, entry, clock):
        for _ in range(POLLS_BEFORE_FULL if polls else POLLS_BEFORE):
            await _poll(hass, entry, clock)
        memory, cpu_s, done = _memory_mib(), process_time(), 0
        async with Ticker() as busy:
            until = perf_counter() + seconds
            while done < polls or (perf_counter() < until and done < POLLS_OF_AN_HOUR) or not done:
                await _poll(hass, entry, clock)
                done += 1
        cpu_ms = (process_time() - cpu_s) / done * 1000
        after = _memory_mib()
        told = len(hass.states.async_all())
        silent = [tap for tap, state in entry.runtime_data.coordinator.data.taps.items() if state.silent]
    assert not silent, silent
    site, work = f"loop, {len(units)} taps", f"{done} polls, {told} entities"
    return [
        Figure(f"{site}: longest block", "ms", f"bound ({work})", BLOCK_MS_MAX, busy.held_s * 1000, 1, False),
        Figure(f"{site}: without waits for a CPU", "ms", "bound", BLOCK_MS_MAX, busy.own_s * 1000, 1, False),
        Figure(f"{site}: most work in a block", "ms of CPU", "bound", BLOCK_MS_MAX, busy.work_s * 1000, 1, False),
        Figure("loop, bare reads: longest block", "ms", "bound", BLOCK_MS_MAX, bare.held_s * 1000, 1, False),
        Figure("loop, bare reads: without waits for a CPU", "ms", "bound", BLOCK_MS_MAX, bare.own_s * 1000, 1, False),
        Figure(
            "loop, bare reads: most work in a block", "ms of CPU", "bound", BLOCK_MS_MAX, bare.work_s * 1000, 1, False
        ),
        Figure(f"{site}: a poll", "ms of CPU", "bare reads of the same", bare_ms, cpu_ms, POLL_MAX, False),
        Figure(f"{site}: full collections", "", "a tenth of the polls", done / 10, len(busy.collections), 1, False),
        Figure(f"{site}: memory", "MiB", f"before {done} polls", memory, after, GROWTH_MAX, False),
    ]


async def _bare(units: Sequence[Unit], seconds: float) -> tuple[Ticker, float]:
    """Read the same devices with bare sockets: what this machine does to any loop, and the CPU of a poll in ms."""
    ports = {unit.port for unit in units}
    links = {port: await asyncio.open_connection("127.0.0.1", port) for port in ports}

    async def line(port: int) -> None:
        reader, writer = links[port]
        for unit in units:
            if unit.port == port:
                writer.write(struct.pack(">HHHBBHH", 1, 0, 6, unit.unit_id, READ_HOLDING, 0, WORDS))
                await reader.readexactly(9 + 2 * WORDS)

    async with Ticker() as ticker:
        until, cpu_s, done = perf_counter() + seconds, process_time(), 0
        while perf_counter() < until or not done:
            await asyncio.gather(*(line(port) for port in ports))
            done += 1
        cpu_ms = (process_time() - cpu_s) / done * 1000
    for _, writer in links.values():
        writer.close()
    return ticker, cpu_ms


class Clock:
    """A clock that goes on by a poll when it is told to."""

    def __init__(self) -> None:
        """Begin at a boundary."""
        self.now = datetime(2026, 11, 21, 5, tzinfo=UTC)

    def utcnow(self, _zone: object = None) -> datetime:
        """Return the time."""
        return self.now


async def _poll(hass: HomeAssistant, entry: MockConfigEntry, clock: Clock) -> None:
    clock.now += timedelta(seconds=POLL_S)
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()


@asynccontextmanager
async def _site(units: Sequence[Unit]) -> AsyncGenerator[tuple[HomeAssistant, MockConfigEntry, Clock]]:
    """Open a site without a cloud: a meter, and below it taps of ten owners, every entity enabled."""
    clock = Clock()
    with (
        tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder,
        patch.object(dt_util, "utcnow", clock.utcnow),
        patch.object(Entity, "entity_registry_enabled_default", True),
    ):
        async with async_test_home_assistant(config_dir=folder) as hass:
            hass.data.pop(DATA_CUSTOM_COMPONENTS, None)
            entry = _entry(folder, units)
            entry.add_to_hass(hass)
            assert await hass.config_entries.async_setup(entry.entry_id)
            await hass.async_block_till_done()
            # the polls here are driven, not waited for
            entry.runtime_data.coordinator.update_interval = None
            try:
                yield hass, entry, clock
            finally:
                await hass.async_stop(force=True)


def _entry(folder: str, units: Sequence[Unit]) -> MockConfigEntry:
    (Path(folder) / FOLDER).mkdir()
    key = SiteKey.create(Path(folder) / FOLDER / "fresh")
    (Path(folder) / FOLDER / "fresh").rename(Path(folder) / FOLDER / key.kid)
    data = {"key_id": key.kid, "main_owner": "owner-0", "main_owner_name": "Owner 0", "interval_seconds": INTERVAL_S}
    return MockConfigEntry(
        domain=DOMAIN,
        title="Home",
        unique_id=key.kid,
        data=data,
        subentries_data=[_subentry(number, unit) for number, unit in enumerate(units, 1)],
    )


def _subentry(number: int, unit: Unit) -> ConfigSubentryData:
    owner = (number - 1) % 10
    data: dict[str, Any] = {
        "tap": f"T{number}",
        "owner": f"owner-{owner}",
        "owner_name": f"Owner {owner}",
        "upstream": "grid" if number == 1 else "T1",
        "rated_power_w": None,
        "source": {
            "source": "modbus",
            "host": "127.0.0.1",
            "port": unit.port,
            "unit_id": unit.unit_id,
            "profile": "commonwatt_tap",
            "serial": unit.serial,
        },
    }
    return ConfigSubentryData(
        data=MappingProxyType(data),
        subentry_type="meter" if number == 1 else "tap",
        title=f"Tap {number}",
        unique_id=f"T{number}",
    )


def _memory_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20
