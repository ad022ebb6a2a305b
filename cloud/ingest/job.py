"""Goes on where no request does: derives batches whose tree has come, or whose time has."""

import asyncio
from collections.abc import Awaitable, Callable
import logging

from cloud.database import Database

from . import store
from .batches.store import sites_with_pending

TURN_SECONDS = 1
SITES_MAX = 100  # looked after in one turn
FINDING_SITES = "*"  # a step of a turn, beside the sites themselves

LOGGER = logging.getLogger(__name__)


class Releaser:
    """Releases batches for one process. Others may do the same: whoever comes second finds nothing left."""

    def __init__(self, database: Database) -> None:
        """Begin with nothing failing."""
        self._database = database
        self._failing: set[str] = set()

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Release for ever; what fails is tried again each turn and logged once."""
        while True:
            if not await self.turn(clock_ms() // 1000):
                await asyncio.sleep(TURN_SECONDS)

    async def turn(self, now: int) -> int:
        """Look at what is due, one transaction a site; return how many batches were looked at."""
        due = await self._guarded(FINDING_SITES, self._database.read(sites_with_pending, now, SITES_MAX))
        looked_at = 0
        for community, site in due or []:
            looked_at += await self._guarded(site, self._database.write(store.release, community, site, now)) or 0
        return looked_at

    async def _guarded[R](self, what: str, step: Awaitable[R]) -> R | None:
        """Let one step fail without the others: None then."""
        try:
            result = await step
        except Exception:
            if what not in self._failing:
                LOGGER.exception("releasing batches failed", extra={"site": what})
            self._failing.add(what)
            return None
        if what in self._failing:
            LOGGER.info("releasing batches works again", extra={"site": what})
            self._failing.discard(what)
        return result
