"""Looks at every community with limits once a minute: opens and closes findings, and tells demand rates if asked to."""

import asyncio
from collections.abc import Callable
import logging

from cloud.database import Database
from cloud.guard import Guard
from cloud.hub.wiring.store import Rewired

from . import store
from .looks.store import note, view_of

TURN_SECONDS = 5
LOOK_MS = 60_000  # between two looks
WITHIN_MS = LOOK_MS // 2  # so looks overlap nowhere, and nothing falls between two
LATE_MS = 30_000  # what arrives later than this is in no look; a question about that time shows it
COMMUNITIES_MAX = 50  # in one turn
FINDING = "*"  # a step of a turn, beside the communities themselves

LOGGER = logging.getLogger(__name__)


class Watcher:
    """Watches for one process. Others may do the same: whoever comes second finds it done."""

    def __init__(self, database: Database, tell: Rewired) -> None:
        """Begin with nothing failing; `tell` hears which sites have another load before them."""
        self._database = database
        self._tell = tell
        self._guard = Guard(LOGGER, "watching")
        self._done_ms = 0  # the minute at which nothing is left to be looked at

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Watch for ever; what fails is tried again each turn and logged once."""
        while True:
            if not await self.turn(clock_ms()):
                await asyncio.sleep(TURN_SECONDS)

    async def turn(self, now_ms: int) -> int:
        """Look at the newest whole minute that is over, in so many communities; return how many there were."""
        at_ms = (now_ms - WITHIN_MS - LATE_MS) // LOOK_MS * LOOK_MS
        if at_ms <= self._done_ms:
            return 0
        due = await self._guard(FINDING, self._database.read(store.due, at_ms, COMMUNITIES_MAX)) or []
        looked_at = 0
        for community in due:
            looked_at += await self._guard(community, self._look(community, at_ms, now_ms)) or 0
        if len(due) < COMMUNITIES_MAX and not self._guard.failing:
            self._done_ms = at_ms
        return looked_at

    async def _look(self, community: str, at_ms: int, now_ms: int) -> int:
        seen = await self._database.read(view_of, community, at_ms, WITHIN_MS)
        return await self._database.write(note, community, seen, at_ms=at_ms, now_ms=now_ms, tell=self._tell)
