"""Follows the settlement: every interval as it is settled, and what it meant for each owner."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
import time

from .cloud import Interval, Line, Operator
from .community import OWNERS
from .progress import Progress
from .statement import interval_text

POLL_S = 1.0
REPORTED = {"ok", "estimated"}


@dataclass(frozen=True, slots=True)
class Settled:
    """A settled interval and what it meant for every owner."""

    interval: Interval
    lines: Mapping[str, Line]

    @property
    def complete(self) -> bool:
        """Say whether every owner's taps reported it."""
        qualities = [line.quality for line in self.lines.values()]
        return not self.interval.lacks and self.lines.keys() == OWNERS.keys() and REPORTED.issuperset(qualities)


async def settled_intervals(
    operator: Operator, begins_at: int, seconds: int, progress: Progress
) -> AsyncIterator[Settled]:
    """Yield every interval from `begins_at` on, in order, once it is settled; never ends."""
    following = begins_at
    while True:
        for interval in await operator.intervals(following - seconds):
            if not interval.settled:
                break
            yield Settled(interval, await _lines(operator, interval.start, seconds))
            following = interval.start + seconds
        _tell_what_is_measured(progress, following, seconds)
        await asyncio.sleep(POLL_S)


async def _lines(operator: Operator, start: int, seconds: int) -> dict[str, Line]:
    statements = {owner: await operator.statement(owner, start, start + seconds) for owner in OWNERS}
    return {owner: line for owner, statement in statements.items() for line in statement.lines}


def _tell_what_is_measured(progress: Progress, following: int, seconds: int) -> None:
    left_s = following + seconds - time.time()
    if left_s > seconds:
        now = f"begins in {left_s - seconds:.0f} s"
    elif left_s > 0:
        now = f"is measured for {left_s:.0f} s more"
    else:
        now = "is over; it is being reported and settled"
    progress.count(f"  {interval_text(following, seconds)}  {now}")
