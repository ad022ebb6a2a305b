"""Goes on where no request does: looks at what cables signed, judges periods, and pays what is final."""

import asyncio
from collections.abc import Callable

from cloud.database import Database

from .judgement.job import Judge
from .records.job import look_at_records
from .reward.job import settle_cables
from .turn import Hands, Step

TURN_SECONDS = 1


class CableWork:
    """Works on cables for one process. Others may do the same: who comes second finds it done."""

    def __init__(self, database: Database, ring: Callable[[], None] = lambda: None) -> None:
        """Begin with nothing failing; `ring` is called after notices were posted."""
        self.hands = Hands(database, ring)
        self.judge = Judge()
        # in the order of the flow; a step that fails is tried again each turn, and the others go on
        self.steps: tuple[tuple[str, Step], ...] = (
            ("records", look_at_records),
            ("judgement", self.judge.turn),
            ("rewards", settle_cables),
        )

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Work for ever."""
        while True:
            if not await self.turn(clock_ms() // 1000):
                await asyncio.sleep(TURN_SECONDS)

    async def to_rest(self, now: int) -> int:
        """Work until nothing is left that is due at this time; return how much there was to do."""
        done = 0
        while True:
            more = await self.turn(now)
            done += more
            if not more and (self.judge.rests or "judgement" in self.hands.failing):
                return done

    async def turn(self, now: int) -> int:
        """Take every step once; return how much there was to do."""
        done = 0
        for name, step in self.steps:
            done += await self.hands.guarded(name, step(self.hands, now)) or 0
        return done
