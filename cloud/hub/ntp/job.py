"""Compares our own clock with time servers, and says once when it is off and once when it is right again."""

import asyncio
from collections.abc import Callable, Sequence
import logging

from cloud.database import Database
from cloud.hub.clocks.clock import OwnState
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events

from . import client
from .answer import Measured
from .own import OwnClock, Server, judged

TURN_SECONDS = 5
BAD = ("off", "unsynchronised")

LOGGER = logging.getLogger(__name__)


class Timekeeper:
    """Knows how our own clock is, for one process. It never sets the clock: that is the machine's time service."""

    def __init__(self, database: Database, servers: Sequence[tuple[str, int]] = ()) -> None:
        """Begin with nothing known of these servers (host and port)."""
        self._database = database
        self.servers = [Server(_name(host, port), host, port) for host, port in servers]
        self.own = OwnClock(why=None if servers else "no time server is configured")
        self._told: OwnState = "right"
        self._failing = False

    def state(self) -> OwnState:
        """Return how our clock is."""
        return self.own.state

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Ask for ever those that are due."""
        while self.servers:
            try:
                await self.turn(clock_ms)
            except Exception:
                if not self._failing:
                    LOGGER.exception("comparing our clock failed")
                self._failing = True
            else:
                self._failing = False
            await asyncio.sleep(TURN_SECONDS)

    async def turn(self, clock_ms: Callable[[], int]) -> int:
        """Ask the servers that are due, side by side; return how many those were."""
        now_ms = clock_ms()
        due = [n for n, server in enumerate(self.servers) if server.is_due(now_ms)]
        if not due:
            return 0
        asked = [self.servers[n] for n in due]
        words = await asyncio.gather(*(client.ask(each.name, each.host, each.port, clock_ms) for each in asked))
        for n, word in zip(due, words, strict=True):
            self.servers[n] = self.servers[n].heard(word, now_ms)
        self.own = judged(self.servers, self.own, now_ms)
        await self._tell(now_ms)
        return len(due)

    async def _tell(self, now_ms: int) -> None:
        own, told = self.own, self._told
        if own.state in (told, "unknown"):
            return
        self._told = own.state
        if own.state in BAD:
            LOGGER.warning("our own clock is %s", own.state, extra={"offset_ms": own.offset_ms, "why": own.why})
        else:
            LOGGER.warning("our own clock is right again", extra={"offset_ms": own.offset_ms})
        detail: dict[str, str | int | None] = {"state": own.state, "offset_ms": own.offset_ms, "server": own.server}
        event = Event("", now_ms, "clock-off" if own.state in BAD else "clock-right", "hub", detail=detail)
        await self._database.write(add_events, [event])

    def measured(self) -> list[Measured]:
        """Return the last good word of every server."""
        return [server.last for server in self.servers if isinstance(server.last, Measured)]


def _name(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
