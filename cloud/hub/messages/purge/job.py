"""Lets the bytes of old messages go, a few at a time, so that nobody waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
import logging

from cloud.database import Database

from . import store

TURN_SECONDS = 3600
STEP_SECONDS = 0.2  # between two steps of one turn
LET_GO_MAX = 200  # messages in one transaction
COMMUNITIES_MAX = 500  # listed at once
LISTING = "*"  # a step of a turn, beside the communities

LOGGER = logging.getLogger(__name__)


class Purger:
    """Lets bytes go for one process. Others may do the same: whoever comes second finds nothing left."""

    def __init__(self, database: Database) -> None:
        """Begin with nothing failing."""
        self._database = database
        self._failing: set[str] = set()

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Look for ever at what is too old."""
        while True:
            await self.turn(clock_ms())
            await asyncio.sleep(TURN_SECONDS)

    async def turn(self, now_ms: int) -> int:
        """Let go what is too old in every community; return how many messages that were."""
        count, after = 0, ""
        while found := await self._guarded(LISTING, self._database.read(store.communities, after, COMMUNITIES_MAX)):
            for community in found:
                count += await self._community(community, now_ms)
            after = found[-1]
        return count

    async def _community(self, community: str, now_ms: int) -> int:
        count = 0
        while gone := await self._guarded(community, self._database.write(store.let_go, community, now_ms, LET_GO_MAX)):
            count += gone
            if gone < LET_GO_MAX:
                break
            await asyncio.sleep(STEP_SECONDS)
        return count

    async def _guarded[R](self, what: str, step: Awaitable[R]) -> R | None:
        """Let one step fail without the others: None then."""
        try:
            result = await step
        except Exception:
            if what not in self._failing:
                LOGGER.exception("letting bytes go failed", extra={"community": what})
            self._failing.add(what)
            return None
        self._failing.discard(what)
        return result
