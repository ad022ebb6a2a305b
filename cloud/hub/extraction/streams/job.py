"""Runs extractions: one short read after another, each on its own snapshot, let go before anybody is served.

So a reader may be as slow as it likes: no transaction stays open for it, SQLite's log is folded back meanwhile, and
what arrives is kept as fast as ever. Never more than two pages are read at once, which leaves the other connections to
everybody else.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from cloud.database import Database
from cloud.hub.extraction.pages.window import Page
from cloud.hub.extraction.question import Question
from cloud.hub.extraction.resample.window import FOREVER, Resampler
from cloud.hub.extraction.row import VALUE, Position, Row, Window
from cloud.hub.extraction.store import Places, Selection
from cloud.hub.reach.reach import Reach
from cloud.principal import Principal

from .gate import Gate
from .store import Look, begun, page_within

PAGES_AT_ONCE = 2
PAGE_ROWS = 5_000  # some ten milliseconds to read and as long to write

type Holds = Callable[[Principal], Awaitable[bool]]


class NoLongerAllowedError(Exception):
    """The client was stopped, or sees another part of the community now, while its extraction ran."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of an extraction, and where it goes on; None: this was all."""

    rows: Sequence[Row] | Sequence[Window]
    next: Position | None


class Extractions:
    """The extractions of one process."""

    def __init__(self, database: Database, places: Places, holds: Holds, gate: Gate | None = None) -> None:
        """Begin with none running; `holds` tells whether a client's token still does."""
        self._database, self._places, self._holds = database, places, holds
        self.gate = gate or Gate()
        self._reading = asyncio.Semaphore(PAGES_AT_ONCE)

    async def begin(self, question: Question, asker: Principal) -> Extraction:
        """Return an extraction of what a question is about, as far as its asker sees; refuses another's community."""
        async with self._reading:
            reach, selection = await self._database.read(begun, question, asker, self._places)
        return Extraction(self, asker, reach, selection)

    async def look[Q, R](self, fn: Look[Q, R], question: Question, asker: Principal, query: Q) -> R:
        """Run one short read on behalf of an asker, in turn with the pages of extractions."""
        async with self._reading:
            return await self._database.read(fn, question, asker, self._places, query)

    async def read(self, extraction: Extraction, after: Position, limit: int) -> Page:
        """Read one page, unless the asker may no longer."""
        if not await self._holds(extraction.asker):
            raise NoLongerAllowedError("the client was stopped")
        async with self._reading:
            seen, who = extraction.selection, extraction.asker
            found = await self._database.read(page_within, seen, extraction.reach, asker=who, after=after, limit=limit)
        if found is None:
            raise NoLongerAllowedError("the client's reach was changed")
        return found


@dataclass(frozen=True, slots=True)
class Extraction:
    """One extraction: who asked, how far it sees, and what is picked."""

    owner: Extractions
    asker: Principal
    reach: Reach
    selection: Selection

    async def parts(self, after: Position | None, limit: int, seconds: float) -> AsyncIterator[Part]:
        """Yield what is behind a position, at most `limit` rows, as far as so many seconds of looking reach."""
        deadline = monotonic() + seconds
        windows = self.selection.question.window_ms is not None
        found = self._windows(after, limit, deadline) if windows else self._rows(after, limit, deadline)
        async for part in found:
            yield part

    async def _rows(self, after: Position | None, limit: int, deadline: float) -> AsyncIterator[Part]:
        position: Position | None = after or Position(self.selection.question.scan_from_ms, 0)
        left = limit
        while position is not None and left:
            found = await self.owner.read(self, position, min(left, PAGE_ROWS))
            left -= len(found.rows)
            position = found.next
            yield Part(found.rows, position)
            if monotonic() > deadline:
                return

    async def _windows(self, after: Position | None, limit: int, deadline: float) -> AsyncIterator[Part]:
        question, left = self.selection.question, limit
        assert question.window_ms is not None
        from_ms = question.from_ms if after is None else max(question.from_ms, after.ms)
        resampler = Resampler(question.window_ms, from_ms, question.to_ms)
        position: Position | None = Position(max(0, from_ms - question.before_ms), 0)
        while position is not None:
            found = await self.owner.read(self, position, PAGE_ROWS)
            position = found.next
            seen_ms = FOREVER if position is None else position.ms
            rows = await asyncio.to_thread(_gathered, resampler, found.rows, seen_ms)
            rows = [row for row in rows if question.fits(row[VALUE]) and (after is None or _key(row) > after)]
            if len(rows) > left or (len(rows) == left and position is not None):
                yield Part(rows[:left], _key(rows[left - 1]))
                return
            left -= len(rows)
            given = Position(resampler.given_ms, 0)
            yield Part(rows, None if position is None else given)
            if monotonic() > deadline and resampler.given_ms > from_ms:
                return


def _gathered(resampler: Resampler, rows: Sequence[Row], seen_ms: int) -> list[Window]:
    resampler.feed(rows)
    return resampler.taken(seen_ms)


def _key(row: Window) -> Position:
    return Position(row[0], 0, (row[1] or "", row[2], row[4], row[5], row[3]))
