"""Settles what is due, a turn a second, and corrects what changed since; never on a ledger that does not hold."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import batched
import logging
from typing import assert_never

from cloud.database import Database
from cloud.errors import Unavailable
from cloud.guard import Guard
from cloud.ledger import store as ledger
from cloud.ledger.chain import START, Broken, Head, verify
from cloud.ledger.posting import LedgerInvariantError
from cloud.sites.store import Community, communities

from . import store
from .correction.revise import store as revise
from .cycle import Due, first_open, judge, last_ended
from .interval.store import NotSettled, Settled, settle_intervals
from .listing import terms_of

TURN_SECONDS = 1
SPAN_INTERVALS = 500  # looked at in one read: bounds memory, not how far back a community may lie
SETTLED_MAX = 500  # of one community in one turn: others are not kept waiting by one that was off line for a month
TOGETHER = 48  # in one transaction, when there is a backlog: one flush and one telling for all; batches wait for it
SLACK_SECONDS = 600  # a batch may be seen so much later than it was derived: transactions last, and clocks differ
LOOK_AGAIN_SECONDS = 60  # then what batches changed is looked for again, though none has come: others settle too
FINDING_COMMUNITIES = "*"  # a step of a turn, beside the communities themselves

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """What batches a process has seen last, and when it last looked at all that may still come to light."""

    news: revise.News | None = None
    all_at: int = -LOOK_AGAIN_SECONDS


class Settler:
    """Settles for one process. Others may settle the same database: whoever comes second finds it done.

    `settled` is called after a transaction that settled an interval, for notices to the sites were posted in it.
    """

    def __init__(self, database: Database, settled: Callable[[], None] = lambda: None) -> None:
        """Begin with every chain unverified."""
        self._database = database
        self._settled = settled
        self._verified: dict[str, Head] = {}
        self._guard = Guard(LOGGER, "settling")
        self._beyond: set[tuple[str, int]] = set()
        self._looked: dict[str, Looked] = {}

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Settle for ever; what fails is tried again each turn and logged once."""
        while True:
            if not await self.turn(clock_ms() // 1000):
                await asyncio.sleep(TURN_SECONDS)

    async def turn(self, now: int) -> int:
        """Settle every interval of every community that is due, and correct; return how many that were."""
        found = await self._guard(FINDING_COMMUNITIES, self._database.read(communities))
        settled = 0
        for community in found or []:
            settled += await self._guard(community.community, self._community(community, now)) or 0
        return settled

    @property
    def failing(self) -> set[str]:
        """Return the communities that could not be settled when they were tried last."""
        return self._guard.failing

    async def _community(self, community: Community, now: int) -> int:
        """Settle what is due, at most SETTLED_MAX and the rest of a span; the next turn goes on."""
        await self._verify(community.community)
        horizon = await self._database.read(store.horizon, community.community)
        if horizon is None:
            return 0
        seconds, settled, open_from = community.interval_seconds, 0, horizon.open_from
        end = min(horizon.last, last_ended(now, seconds)) + seconds
        for first in range(horizon.open_from, end, SPAN_INTERVALS * seconds):
            starts = range(first, min(first + SPAN_INTERVALS * seconds, end), seconds)
            span = await self._database.read(store.span, community.community, starts[0], starts[-1])
            done = await self._settle_span(community, horizon, starts, span, now)
            settled += len(done)
            if open_from == first:
                open_from = first_open(starts, span.settled | done, now)
            if settled >= SETTLED_MAX:
                break
        if open_from > horizon.open_from:
            await self._database.write(store.set_open_from, community.community, horizon.first, open_from)
        return settled + await self._correct(community, now)

    async def _correct(self, community: Community, now: int) -> int:
        """Correct what batches derived lately have changed, at most SETTLED_MAX; return how many intervals that were.

        Batches are looked at again until SLACK_SECONDS have gone by, the newest every turn and all of them every
        LOOK_AGAIN_SECONDS; an interval that is corrected by them is passed by what it was settled from.
        """
        name = community.community
        through = await self._database.read(revise.corrected_through, name)
        before = self._looked.get(name, Looked())
        again = now >= before.all_at + LOOK_AGAIN_SECONDS
        since = through if again else max(through, before.all_at - LOOK_AGAIN_SECONDS)
        found = await self._database.read(revise.news, name, since)
        if found == before.news and not again:
            return 0
        starts = await self._database.read(revise.changed, name, found.covered)
        corrected, whole = 0, len(starts) <= SETTLED_MAX
        for group in batched(starts[:SETTLED_MAX], TOGETHER, strict=False):
            outcomes = await self._database.write(revise.correct, community, group, now)
            for start, outcome in outcomes.items():
                corrected += self._told(name, start, outcome)
                whole = whole and outcome not in ("no-tariff", "beyond-limits")
        if whole:
            self._looked[name] = Looked(found, now if again else before.all_at)
            if again and now - SLACK_SECONDS > through + LOOK_AGAIN_SECONDS:
                await self._database.write(revise.set_corrected_through, name, now - SLACK_SECONDS)
        if corrected:
            self._settled()
        return corrected

    async def _settle_span(
        self, community: Community, horizon: store.Horizon, starts: range, span: store.Span, now: int
    ) -> set[int]:
        """Settle what is due among these starts; return which are settled now."""
        terms = terms_of(community)
        due = []
        for start in starts:
            if start in span.settled:
                continue
            reported, priced = span.reported.get(start, frozenset()), span.book.priced(start)
            if isinstance(judge(start, terms, horizon.expected, reported, priced=priced, now=now), Due):
                due.append(start)
        done: set[int] = set()
        for group in batched(due, TOGETHER, strict=False):
            done |= await self._settle(community, group, horizon, now)
        return done

    async def _settle(self, community: Community, starts: Sequence[int], horizon: store.Horizon, now: int) -> set[int]:
        """Settle some intervals in one transaction; return which this process settled."""
        outcomes = await self._database.write(settle_intervals, community, starts, horizon.expected, now)
        done = {start for start, outcome in outcomes.items() if self._told(community.community, start, outcome)}
        if done:
            self._settled()
        return done

    def _told(
        self, community: str, start: int, outcome: Settled | NotSettled | revise.Corrected | revise.NotCorrected
    ) -> bool:
        """Log what became of an interval; tell whether it was settled or corrected now."""
        about = {"community": community, "start": start}
        match outcome:
            case Settled():
                LOGGER.info("settled", extra=about | {"entry": outcome.entry})
                return True
            case revise.Corrected():
                LOGGER.info("corrected", extra=about | {"entry": outcome.entry, "revision": outcome.revision})
                return True
            case "beyond-limits":
                if (community, start) not in self._beyond:
                    LOGGER.error("an interval is beyond what can be settled", extra=about)
                self._beyond.add((community, start))
            case "settled-already" | "corrected-already" | "no-readings" | "no-tariff":
                pass  # another process was first, or took the ground away meanwhile
            case _:
                assert_never(outcome)
        return False

    async def _verify(self, community: str) -> None:
        """Follow the chain from where it was verified last; on one that does not hold nothing is built."""
        head = self._verified.get(community, START)
        while True:
            links, stands = await self._database.read(ledger.newer_links, community, head.number)
            verified = verify(links, head)
            if isinstance(verified, Broken):
                raise LedgerInvariantError(f"{community}: entry {verified.number} does not hold ({verified.reason})")
            self._verified[community] = head = verified
            if len(links) < ledger.LINKS_PAGE_MAX:
                break
        if head != stands:
            raise LedgerInvariantError(f"{community}: the chain ends at {head.number}, its head says {stands.number}")


async def settle(database: Database, now: int) -> int:
    """Settle everything that is due now, for `python -m cloud settle`; return how many intervals were settled."""
    settler, settled = Settler(database), 0
    while more := await settler.turn(now):
        settled += more
    if settler.failing:
        raise Unavailable(f"settling failed for {', '.join(sorted(settler.failing))}; the log says why")
    return settled
