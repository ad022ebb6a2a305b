"""Lets go of lines of the event log that the policy no longer keeps, a few at a time, so that nobody waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
import logging

from cloud.database import Database
from cloud.hub.events.store import let_go
from cloud.sites.store import communities_page

from .store import policy_of

TURN_SECONDS = 600
STEP_ROWS = 1000  # in one transaction: some ten milliseconds
STEPS_MAX = 100  # of a community in one turn, so that one with a long log keeps none of the others waiting
COMMUNITIES_AT_ONCE = 1000
DAY_MS = 86_400_000
FINDING = "*"  # a step of a turn, beside the communities themselves
NOBODYS = ""  # what belongs to no community is kept as long as the default says

LOGGER = logging.getLogger(__name__)


class Purge:
    """Lets go for one process. Others may do the same: whoever comes second finds nothing left."""

    def __init__(self, database: Database) -> None:
        """Begin with nothing failing."""
        self._database = database
        self._failing: set[str] = set()

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Let go for ever; what fails is tried again each turn and logged once."""
        while True:
            await self.turn(clock_ms())
            await asyncio.sleep(TURN_SECONDS)

    async def turn(self, now_ms: int) -> int:
        """Look at every community once; return how many lines were let go."""
        gone, after = await self._guarded(NOBODYS, self._of(NOBODYS, now_ms)) or 0, ""
        while names := await self._guarded(FINDING, self._names(after)):
            for name in names:
                gone += await self._guarded(name, self._of(name, now_ms)) or 0
            after = names[-1]
        return gone

    async def _names(self, after: str) -> list[str]:
        found = await self._database.read(communities_page, None, after, COMMUNITIES_AT_ONCE)
        return [community.community for community in found]

    async def _of(self, community: str, now_ms: int) -> int:
        policy, gone = await self._database.read(policy_of, community), 0
        before_ms = now_ms - policy.events_days * DAY_MS
        for _ in range(STEPS_MAX):
            step = await self._database.write(let_go, community, before_ms, STEP_ROWS, now_ms)
            gone += step
            if step < STEP_ROWS:
                break
        return gone

    async def _guarded[R](self, what: str, step: Awaitable[R]) -> R | None:
        """Let one community fail without the others: None then."""
        try:
            result = await step
        except Exception:
            if what not in self._failing:
                LOGGER.exception("letting go of the event log failed", extra={"community": what})
            self._failing.add(what)
            return None
        if what in self._failing:
            LOGGER.info("letting go of the event log works again", extra={"community": what})
            self._failing.discard(what)
        return result
