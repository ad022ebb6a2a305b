"""Lets go of what the policy no longer keeps, a few rows at a time, so that nobody waits for it."""

import asyncio
from collections.abc import Callable
import logging

from cloud.database import Database
from cloud.guard import Guard
from cloud.hub.messages.purge.store import let_go as let_bytes_go
from cloud.sites.store import communities_page

from .store import let_events_go

TURN_SECONDS = 600
STEP_SECONDS = 0.2  # between two steps of one turn
STEPS_MAX = 100  # of a community in one turn, so that one with a long log keeps none of the others waiting
COMMUNITIES_AT_ONCE = 1000
FINDING = "*"  # a step of a turn, beside the communities themselves
NOBODYS = ""  # what belongs to no community is kept as long as the default says

type LetGo = Callable[..., int]  # (connection, community, now in ms, at most so many): how many went

# what there is to let go of, and how many in one transaction: some ten milliseconds
PILES: dict[str, tuple[LetGo, int]] = {"events": (let_events_go, 1000), "bytes of messages": (let_bytes_go, 200)}

LOGGER = logging.getLogger(__name__)


class Purge:
    """Lets go for one process. Others may do the same: whoever comes second finds nothing left."""

    def __init__(self, database: Database) -> None:
        """Begin with nothing failing."""
        self._database = database
        self._guard = Guard(LOGGER, "letting go", "what")

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Let go for ever; what fails is tried again each turn and logged once."""
        while True:
            await self.turn(clock_ms())
            await asyncio.sleep(TURN_SECONDS)

    async def turn(self, now_ms: int) -> int:
        """Look at every community once; return how many rows were let go."""
        gone, after = await self._of(NOBODYS, now_ms), ""
        while names := await self._guard(FINDING, self._names(after)):
            for name in names:
                gone += await self._of(name, now_ms)
            after = names[-1]
        return gone

    async def _names(self, after: str) -> list[str]:
        found = await self._database.read(communities_page, None, after, COMMUNITIES_AT_ONCE)
        return [community.community for community in found]

    async def _of(self, community: str, now_ms: int) -> int:
        gone = 0
        for what, (let_go, rows) in PILES.items():
            gone += await self._guard(f"{what}/{community}", self._pile(let_go, community, now_ms, rows)) or 0
        return gone

    async def _pile(self, let_go: LetGo, community: str, now_ms: int, rows: int) -> int:
        gone = 0
        for _ in range(STEPS_MAX):
            step = await self._database.write(let_go, community, now_ms, rows)
            gone += step
            if step < rows:
                break
            await asyncio.sleep(STEP_SECONDS)
        return gone
