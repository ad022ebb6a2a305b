"""Wakes the connections of sites that have news: at once when rung in this process, else by asking the database."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
import logging

from cloud.database import Database

from .store import posted_since

TURN_SECONDS = 1  # a notice posted by another process is delivered within two seconds
LOOK_BACK_SECONDS = 30  # a transaction may commit this long after the time its notice bears

LOGGER = logging.getLogger(__name__)

type Place = tuple[str, str]  # community, site


@dataclass(eq=False, slots=True)
class Listener:
    """One open connection of a site.

    `news` is set when it should look; `more`, that a full page waits at the site; `closing`, why it should go.
    """

    news: asyncio.Event = field(default_factory=asyncio.Event)
    more: bool = False
    closing: str | None = None

    def close(self, reason: str) -> None:
        """Ask the connection to go."""
        self.closing = reason
        self.news.set()


class Bell:
    """The open connections of this process, one per site."""

    def __init__(self) -> None:
        """Begin with nobody listening."""
        self._listeners: dict[Place, Listener] = {}
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Say that notices were posted: whoever posts calls this after its transaction."""
        self._rung.set()

    async def rung(self, seconds: float) -> None:
        """Wait until somebody rings, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()

    @contextmanager
    def listening(self, place: Place) -> Iterator[Listener]:
        """Listen for a site. An older connection of the same site goes: it is dead, or a second copy of the site."""
        if place in self._listeners:
            self._listeners[place].close("another connection of this site has come")
        listener = self._listeners[place] = Listener()
        try:
            yield listener
        finally:
            if self._listeners.get(place) is listener:
                del self._listeners[place]

    def wake(self, place: Place) -> None:
        """Let the connection of a site look for its notices."""
        if place in self._listeners:
            self._listeners[place].news.set()

    def close(self) -> None:
        """Ask every connection to go."""
        for listener in self._listeners.values():
            listener.close("the cloud is stopping")


async def run(database: Database, bell: Bell, clock_ms: Callable[[], int]) -> None:
    """Wake connections for ever."""
    seen: frozenset[str] = frozenset()
    failed = False
    while True:
        await bell.rung(TURN_SECONDS)
        try:
            posted = await database.read(posted_since, clock_ms() // 1000 - LOOK_BACK_SECONDS)
            if failed:
                LOGGER.info("looking for notices works again")
            failed = False
        except Exception:
            posted = []
            if not failed:
                LOGGER.exception("looking for notices failed")
            failed = True
        for community, site, notice in posted:
            if notice not in seen:
                bell.wake((community, site))
        seen = frozenset(notice for _, _, notice in posted)
