"""Hands extractions out: a JSON page, or a stream that a reader takes at its own pace and that never ends silently."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
import logging
from typing import Final

from aiohttp import hdrs, web

from cloud.endpoint import CLOCK_MS, DATABASE
from cloud.errors import Unavailable
from cloud.hub.events.event import Event, Kind
from cloud.hub.events.store import add_events
from cloud.hub.extraction.cursor import PURPOSE, cursor_text
from cloud.hub.extraction.forms.form import Form
from cloud.hub.extraction.question import mark_of
from cloud.hub.extraction.resample.window import TooMuchAtOnceError
from cloud.hub.extraction.row import Position
from cloud.principal import CLOUD_KEY, principal_of

from .job import Extraction, NoLongerAllowedError, Part

WRITE_SECONDS_MAX: Final = 30  # a reader that takes nothing for so long has gone
STREAM_SECONDS_MAX: Final = 900  # within the life of a token; `next` goes on behind
PAGE_SECONDS_MAX: Final = 2  # of looking for the rows of one JSON page

LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """How far an extraction has come: rows picked and handed out, and where the rest begins."""

    picked: int = 0
    sent: int = 0
    next: Position | None = None


async def page(request: web.Request, extraction: Extraction, form: Form, after: Position | None, limit: int) -> bytes:
    """Return one page, whole."""
    progress, written = Progress(), [form.begin()]
    parts = extraction.parts(after, limit, PAGE_SECONDS_MAX)
    written += [raw async for raw in _written(parts, form, progress)]
    progress.sent = progress.picked
    written.append(form.end(progress.picked, next_text(request, extraction, progress.next)))
    await _note(request, [_asked(request, extraction), *_told(request, extraction, form, progress, "whole")])
    return b"".join(written)


async def stream(
    request: web.Request, extraction: Extraction, form: Form, after: Position | None, limit: int
) -> web.StreamResponse:
    """Hand out rows as they are read; what breaks off has no proper end of its transfer, and no last line."""
    progress, outcome = Progress(), "failed"
    parts = _written(extraction.parts(after, limit, STREAM_SECONDS_MAX), form, progress)
    await _note(request, [_asked(request, extraction)])
    first = await anext(parts, b"")  # what fails before the first row is still a problem, not a broken stream
    response = web.StreamResponse(headers=_headers(form))
    try:
        await response.prepare(request)
        await _write(response, form.begin() + first)
        progress.sent = progress.picked
        async for raw in parts:
            await _write(response, raw)
            progress.sent = progress.picked
        following = next_text(request, extraction, progress.next)
        await _write(response, await asyncio.to_thread(form.end, progress.picked, following))
        async with asyncio.timeout(WRITE_SECONDS_MAX):
            await response.write_eof()
        outcome = "whole"
    except TimeoutError:
        outcome = "reader-stalled"
    except ConnectionError:
        outcome = "reader-left"
    except asyncio.CancelledError:  # some servers end a handler whose reader has left
        outcome = "reader-left"
        raise
    except NoLongerAllowedError, TooMuchAtOnceError, Unavailable:
        LOGGER.warning("an extraction broke off", exc_info=True, extra={"client": extraction.asker.subject})
    finally:
        await parts.aclose()
        # kept also where the connection is lost meanwhile, which ends this task
        await asyncio.shield(_note(request, _told(request, extraction, form, progress, outcome)))
        if outcome != "whole" and request.transport is not None:
            request.transport.abort()  # else the transfer would end as if this were all
    return response


async def _written(parts: AsyncIterator[Part], form: Form, progress: Progress) -> AsyncGenerator[bytes]:
    """Yield the rows as they are written; writing them is work for a thread, since others want to be served."""
    async for part in parts:
        raw = await asyncio.to_thread(form.add, part.rows)
        progress.picked += len(part.rows)
        progress.next = part.next
        yield raw


async def _write(response: web.StreamResponse, raw: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS_MAX):
        await response.write(raw)


def _headers(form: Form) -> dict[str, str]:
    return {
        hdrs.CONTENT_TYPE: form.content_type,
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="readings.{form.suffix}"',
        hdrs.CACHE_CONTROL: "no-store",
    }


def next_text(request: web.Request, extraction: Extraction, position: Position | None) -> str | None:
    """Return a position as the cursor of this question."""
    if position is None:
        return None
    key = request.app[CLOUD_KEY].derive(PURPOSE)
    return cursor_text(key, mark_of(extraction.selection.question, extraction.reach), position)


def _asked(request: web.Request, extraction: Extraction) -> Event:
    asked: dict[str, str | int | None] = {"path": request.path, "asked": request.query_string[:500]}
    return _event(request, extraction, "request", 1, asked)


def _told(request: web.Request, extraction: Extraction, form: Form, progress: Progress, outcome: str) -> list[Event]:
    """Return how much was picked, how much of it was handed out, and how that ended."""
    told: dict[str, str | int | None] = {"as": form.suffix, "outcome": outcome}
    return [
        _event(request, extraction, "extract", progress.picked, {}),
        _event(request, extraction, "send", progress.sent, told),
    ]


def _event(
    request: web.Request, extraction: Extraction, kind: Kind, count: int, detail: dict[str, str | int | None]
) -> Event:
    community, who = extraction.selection.question.community, principal_of(request).subject
    return Event(community, request.app[CLOCK_MS](), kind, who, count=count, detail=detail)


async def _note(request: web.Request, events: list[Event]) -> None:
    await request.app[DATABASE].write(add_events, events)
