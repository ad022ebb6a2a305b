"""Goes on where no request does: derives batches whose tree has come, or whose time has."""

import asyncio
from collections.abc import Callable
import logging

from cloud.database import Database
from cloud.guard import Guard

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
        self._guard = Guard(LOGGER, "releasing batches", "site")

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Release for ever; what fails is tried again each turn and logged once."""
        while True:
            if not await self.turn(clock_ms() // 1000):
                await asyncio.sleep(TURN_SECONDS)

    async def turn(self, now: int) -> int:
        """Look at what is due, one transaction a site; return how many batches were looked at."""
        due = await self._guard(FINDING_SITES, self._database.read(sites_with_pending, now, SITES_MAX))
        looked_at = 0
        for community, site in due or []:
            looked_at += await self._guard(site, self._database.write(store.release, community, site, now)) or 0
        return looked_at
