"""The street's meter: it knows no Home Assistant, and tells the hub by HTTPS what the supply of a real evening was.

It reads one line of JSON on standard input: {"cloud": URL, "device": id, "initial_password": once, "speed": N}. It then
registers, which brings its first reading along, and pushes what it has measured since, every few seconds.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
import json
from pathlib import Path
import signal
import sys
import time
from typing import Any

import aiohttp

from .errors import DemoError

DATA_FILE = Path(__file__).parent / "data" / "street.csv"
MINUTE_S = 60
PUSH_S = 5
REQUEST = aiohttp.ClientTimeout(total=20)
SENT_HEADER = "Commonwatt-Sent-Ms"


@dataclass(frozen=True, slots=True)
class Measured:
    """One minute of the supply, as it was published."""

    voltage_v: str
    current_a: str
    power_w: str
    reactive_power_var: str

    def plain(self, at_ms: int) -> dict[str, Any]:
        """Return it as a row of a message."""
        values = {name: json.loads(getattr(self, name)) for name in self.__slots__}
        return {"measured_at": datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds"), **values}


def load() -> tuple[Measured, ...]:
    """Read the evening."""
    with DATA_FILE.open() as file:
        rows = list(csv.DictReader(file))
    return tuple(
        Measured(row["voltage_v"], row["current_a"], _thousand(row["power_kw"]), _thousand(row["reactive_kvar"]))
        for row in rows
    )


def _thousand(text: str) -> str:
    return str(int(Decimal(text) * 1000))


class Evening:
    """The evening, played so many times as fast as it was, over and over."""

    def __init__(self, rows: tuple[Measured, ...], speed: int, begins_ms: int) -> None:
        self._rows = rows
        self._step_ms = MINUTE_S * 1000 // speed
        self._begins_ms = begins_ms
        self._next = 0

    def since(self, now_ms: int) -> Iterator[dict[str, Any]]:
        """Yield every minute that has ended since it was asked last."""
        while (at_ms := self._begins_ms + self._next * self._step_ms) <= now_ms:
            yield self._rows[self._next % len(self._rows)].plain(at_ms)
            self._next += 1


def message(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return rows as a message in the hub's own format."""
    return {"format": "unified", "readings": rows}


class Street:
    """The meter and its line to the hub; what was not taken is sent again."""

    def __init__(self, session: aiohttp.ClientSession, orders: Mapping[str, Any]) -> None:
        self._session = session
        self._cloud, self._device = orders["cloud"], orders["device"]
        self._initial: str = orders["initial_password"]
        self._evening = Evening(load(), orders["speed"], _now_ms())
        self._waiting: list[dict[str, Any]] = []

    async def run(self) -> None:
        """Register, then push for ever."""
        self._waiting += self._evening.since(_now_ms())
        first = {"format": "unified", "text": json.dumps(message(self._waiting))}
        body = {"device": self._device, "initial_password": self._initial, "message": first}
        async with self._session.post(f"{self._cloud}/v1/hub/devices", json=body, timeout=REQUEST) as answer:
            said = await answer.json(content_type=None)
        if answer.status != 201:
            raise DemoError(f"the hub does not know this meter: {said}")
        headers = {"Authorization": aiohttp.encode_basic_auth(self._device, said["password"])}
        self._waiting.clear()
        while True:
            await asyncio.sleep(PUSH_S)
            self._waiting += self._evening.since(_now_ms())
            with suppress(aiohttp.ClientError, TimeoutError):
                await self._push(headers)

    async def _push(self, headers: Mapping[str, str]) -> None:
        if not self._waiting:
            return
        sent = {**headers, SENT_HEADER: str(_now_ms())}
        url = f"{self._cloud}/v1/hub/readings"
        async with self._session.post(url, json=message(self._waiting), headers=sent, timeout=REQUEST) as answer:
            if answer.status >= 500:
                return  # sent again with the next ones: the hub keeps what it has once
            if answer.status >= 400:
                raise DemoError(f"the hub refused what the street's meter measured: {await answer.text()}")
        self._waiting.clear()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def serve_street() -> int:
    """Be the street's meter until told to stop."""
    orders = json.loads(await asyncio.to_thread(sys.stdin.readline))
    async with aiohttp.ClientSession() as session:
        running = asyncio.create_task(Street(session, orders).run())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        with suppress(asyncio.CancelledError):
            await running
    return 0
