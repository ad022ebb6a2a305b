"""Seals days: looks every minute for a day that is over, makes its root, signs it, and goes on to the next."""

import asyncio
from collections.abc import Callable
import logging
from typing import Any

from cloud.database import Database
from cloud.errors import Unavailable
from cloud.wire.root import DayRoot

from . import store

TURN_SECONDS = 60
ROOTS_MAX = 1000  # of one community in one turn: a cloud that was down for years still lets the others have theirs

LOGGER = logging.getLogger(__name__)

type Tell = Callable[[Any, str, int], None]  # (connection, community, now)
type Told = Callable[[], None]


def _nobody(_conn: Any, _community: str, _now: int) -> None:
    """Tell nobody."""


def _nothing() -> None:
    """Do nothing more."""


class Sealer:
    """Makes roots for one process; others may work on the same database: whoever comes second finds them made."""

    def __init__(
        self, database: Database, sign_compact: Callable[[bytes], str], tell: Tell = _nobody, told: Told = _nothing
    ) -> None:
        """Take what signs a payload as the cloud.

        `tell` says in the transaction that seals a day that it is sealed; `told` is called after it.
        """
        self._database = database
        self._sign = sign_compact
        self._tell = tell
        self._told = told
        self.failing: set[str] = set()

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Seal for ever; what fails is tried again each turn and logged once."""
        while True:
            try:
                await self.turn(clock_ms() // 1000)
            except Exception:
                LOGGER.exception("looking for days to seal failed")
            await asyncio.sleep(TURN_SECONDS)

    async def turn(self, now: int) -> int:
        """Make the roots that are due; return how many were made."""
        made = 0
        for community in await self._database.read(store.communities_posting):
            try:
                made += await self._seal(community, now)
                self.failing.discard(community)
            except Exception:
                if community not in self.failing:
                    LOGGER.exception("sealing a day failed", extra={"community": community})
                self.failing.add(community)
        return made

    async def _seal(self, community: str, now: int) -> int:
        for made in range(ROOTS_MAX):
            if not await self._database.read(store.is_due, community, now):
                return made
            root = await self._database.write(self._seal_next, community, now)
            if root is not None:
                self._told()
                LOGGER.info("day sealed", extra={"community": community, "day": root.day, "entries": root.count})
        return ROOTS_MAX

    def _seal_next(self, conn: Any, community: str, now: int) -> DayRoot | None:
        root = store.seal_next(conn, community, self._sign, now)
        if root is not None:
            self._tell(conn, community, now)
        return root


async def seal(database: Database, sign_compact: Callable[[bytes], str], now: int, tell: Tell = _nobody) -> int:
    """Make the roots that are due now, for `python -m cloud settle`; return how many were made."""
    sealer = Sealer(database, sign_compact, tell)
    made = await sealer.turn(now)
    if sealer.failing:
        raise Unavailable(f"sealing failed for {', '.join(sorted(sealer.failing))}; the log says why")
    return made
