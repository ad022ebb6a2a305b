"""Fetches statements day by day, with their proof, and keeps what the cloud signed: later it is verified without it."""

import asyncio
from collections.abc import Awaitable, Callable
import logging
import time
from typing import Protocol
from urllib.parse import urlencode

from ..wire import WireError, time_text
from ..wire.root import DAY_SECONDS, parse_root
from ..wire.statement import Statement
from ..wire.statement_reader import parse_statement
from .client import CloudClient
from .outbox import Outbox
from .papers import Paper
from .signing import verify_compact

_LOGGER = logging.getLogger(__name__)

FINAL = "statement"  # of a day that is over, settled and sealed: the first word stands
OPEN = "statement-open"  # of a day that still grows: the newest word
ALTERED = "statement-altered"  # what was said first of a line that was said otherwise later
ROOT = "root"
NOTE = "statements"
FIRST_LOOK_S = 7 * DAY_SECONDS  # how far back a site looks that has kept none yet
GIVEN_UP_S = 8 * DAY_SECONDS  # a day that is not whole by then is kept as it is
DAYS_MAX = 40  # in one errand: a site that was away for longer goes on with the next
PAGES_MAX = 500
REST_S = 900  # a day that still grows is not fetched more often: others wake errands whenever something is settled


class Runner(Protocol):
    """Runs a blocking call of the outbox in the one thread that owns it."""

    def __call__[*Args, T](self, call: Callable[[*Args], T], /, *args: *Args) -> Awaitable[T]:
        """Return the call's outcome."""


class StatementKeeper:
    """An errand to the cloud: keeps the statements of one owner, and the roots of the days they are proven under."""

    def __init__(self, outbox: Outbox, run: Runner, owner: str) -> None:
        self._outbox = outbox
        self._run = run
        self._owner = owner
        self._rested_until = 0
        self.fetched = asyncio.Event()  # set once everything there was to fetch since `hurry` is kept

    def hurry(self) -> None:
        """Fetch with the next errand, however short ago the last one was."""
        self._rested_until = 0
        self.fetched.clear()

    async def __call__(self, client: CloudClient) -> None:
        """Fetch every day since the last one that is kept whole; done twice, it changes nothing."""
        now = int(time.time())
        if now < self._rested_until:
            return
        self._rested_until = now + REST_S
        whole = True
        for day in range(first := await self._first(now), min(now, first + DAYS_MAX * DAY_SECONDS), DAY_SECONDS):
            whole = await self._day(client, day, now) and whole
            if whole:
                await self._run(self._outbox.keep_note, f"{NOTE}.{self._owner}", str(day + DAY_SECONDS))
        self.fetched.set()

    async def _first(self, now: int) -> int:
        kept = await self._run(self._outbox.note, f"{NOTE}.{self._owner}")
        return (now - FIRST_LOOK_S) // DAY_SECONDS * DAY_SECONDS if kept is None else int(kept)

    async def _day(self, client: CloudClient, day: int, now: int) -> bool:
        """Fetch and keep the pages of a day; tell whether nothing of it can come any more."""
        pages, start, end = [], day, min(day + DAY_SECONDS, now)
        for _ in range(PAGES_MAX):
            query = {"owner": self._owner, "from": time_text(start), "to": time_text(end), "proof": "true"}
            raw, signature = await client.get_signed(f"/v1/sites/{client.site}/statement?{urlencode(query)}")
            page = parse_statement(raw)
            if page.owner != self._owner or page.start != start or page.end > end:
                raise WireError("statement", "is not the one that was asked for")
            pages.append((page, Paper("", f"{self._owner}|{time_text(start)}", raw, signature, now)))
            if page.next is None:
                break
            start = page.next
        final = now >= day + DAY_SECONDS and (all(map(_whole, (page for page, _ in pages))) or now >= day + GIVEN_UP_S)
        for page, paper in pages:
            await self._keep_roots(client.cloud_key, page, now)
            await self._keep(page, paper, FINAL if final else OPEN)
        return final

    async def _keep(self, page: Statement, paper: Paper, kind: str) -> None:
        before = await self._run(self._outbox.paper, OPEN, paper.name)
        if before is not None and not _goes_on(parse_statement(before.raw), page):
            _LOGGER.warning("The cloud says something otherwise in a statement than before: %s", paper.name)
            first = Paper(ALTERED, paper.name, before.raw, before.signature, before.kept_at)
            await self._run(self._outbox.keep_paper, first)
        kept = Paper(kind, paper.name, paper.raw, paper.signature, paper.kept_at)
        await self._run(self._outbox.keep_paper if kind == FINAL else self._outbox.replace_paper, kept)

    async def _keep_roots(self, cloud_key: str, page: Statement, now: int) -> None:
        for signed in page.roots:
            payload = verify_compact(cloud_key, signed)
            name = time_text(parse_root(payload).day)
            if await self._run(self._outbox.keep_paper, Paper(ROOT, name, payload, signed, now)) == "different":
                _LOGGER.warning("The cloud signed another root of %s than before", name)


def _whole(page: Statement) -> bool:
    """Tell whether everything in a page is settled, and every entry under a root."""
    return page.intervals_waiting == 0 and all(entry.day is not None for entry in page.entries)


def _goes_on(before: Statement, page: Statement) -> bool:
    """Tell whether a statement only adds to what it said before, as far as both tell of the same time."""
    lines, movements = set(page.lines), set(page.movements)
    return all(line in lines for line in before.lines if line.start < page.end) and all(
        item in movements for item in before.movements if item.at < page.end
    )
