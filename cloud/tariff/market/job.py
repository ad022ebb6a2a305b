"""Takes prices of markets over into the series that follow them, as they arrive and when they are corrected."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
import logging
from typing import Literal

from cloud.database import Database
from cloud.guard import Guard
from cloud.sites.store import Changed
from cloud.tariff.book import TariffKey
from cloud.wire import time_text

from .following.store import LOOK_INTERVALS_MAX, follow, look, news, spans
from .store import followed

TURN_SECONDS = 20
PAGE = 200  # series looked up at once
LOOKS_MAX = 40  # at one series in one turn: nearly four years of half hours; the next turn goes on
RECENT_SECONDS = 3 * 86_400  # what is looked at whenever something came: markets speak of yesterday to tomorrow
SLACK_SECONDS = 60  # messages kept side by side may be seen in another order than that of their ids
LOOK_AGAIN_SECONDS = 3600  # everything, for messages that were read again need no new receipt

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen of a series: the news, since when they are the same, when all of it was looked at.

    `whole`: nothing was missing; `cursor`: where to go on.
    """

    news: tuple[str, int]
    since: int
    at: int
    all_at: int
    whole: bool
    cursor: int | None = None


class Follower:
    """Follows markets for one process. Others may do the same: whoever comes second finds nothing left to take."""

    def __init__(self, database: Database, changed: Changed | None = None) -> None:
        """Begin with nothing looked at."""
        self._database = database
        self._changed = changed
        self._looked: dict[tuple[str, str, int], Looked] = {}
        self._guard = Guard(LOGGER, "following a market", "tariff")

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Follow for ever; what fails is tried again each turn and logged once."""
        while True:
            await self.turn(clock_ms() // 1000)
            await asyncio.sleep(TURN_SECONDS)

    async def turn(self, now: int) -> int:
        """Look at every series that follows a market; return how many prices were taken over."""
        after, taken, seen = ("", "", -1), 0, set[tuple[str, str, int]]()
        while names := await self._guard("*", self._database.read(followed, after, PAGE)):
            for community, owner, valid_from in names:
                what = f"{community}/{owner}/{time_text(valid_from)}"
                found = await self._guard(what, self._follow(community, (owner, valid_from), now))
                taken += found or 0
            seen.update(names)
            after = names[-1]
        self._looked = {name: looked for name, looked in self._looked.items() if name in seen}
        return taken

    async def _follow(self, community: str, tariff: TariffKey, now: int) -> int:
        """Look at what may have changed of one series."""
        key, told = (community, *tariff), await self._database.read(news, community, tariff)
        before = self._looked.get(key)
        extent = _extent(before, told, now)
        if extent == "nothing":
            return 0
        begin = now - RECENT_SECONDS if extent == "recent" else 0
        if before is not None and before.cursor is not None:
            begin, before = before.cursor, replace(before, whole=False)
        taken, whole, cursor = await self._sweep(community, tariff, begin, now)
        all_at = now if extent == "all" or before is None else before.all_at
        if before is not None and (extent == "recent" or before.cursor is not None):
            whole = whole and before.whole
        since = before.since if before is not None and before.news == told else now
        self._looked[key] = Looked(told, since, now, all_at, whole, cursor)
        return taken

    async def _sweep(self, community: str, tariff: TariffKey, begin: int, now: int) -> tuple[int, bool, int | None]:
        """Take over what there is from a time on; return how much, whether nothing is missing, and where it stopped."""
        taken, whole, looks = 0, True, 0
        for span in await self._database.read(spans, community, tariff):
            place = max(0, (begin - span.start) // span.step)
            while starts := span[place : place + LOOK_INTERVALS_MAX]:
                if looks == LOOKS_MAX:
                    return taken, False, starts.start
                decided = await self._database.read(look, community, tariff, starts)
                if decided.new or decided.replaced or decided.corrections:
                    decided = await self._database.write(follow, community, tariff, starts, now, changed=self._changed)
                    taken += len(decided.new) + len(decided.replaced)
                whole = whole and not decided.without
                place, looks = place + LOOK_INTERVALS_MAX, looks + 1
        return taken, whole, None


def _extent(before: Looked | None, told: tuple[str, int], now: int) -> Literal["nothing", "recent", "all"]:
    """Tell how much of a series is to be looked at: all of it where the rules changed or something was missing."""
    if before is None or before.cursor is not None or now >= before.all_at + LOOK_AGAIN_SECONDS:
        return "all"
    if told == before.news and before.at > before.since + SLACK_SECONDS:
        return "nothing"
    return "all" if told[1] != before.news[1] or not before.whole else "recent"
