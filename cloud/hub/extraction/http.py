"""The door of upper systems: which readings, of what time and place, and in which form."""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import hdrs, web

from cloud.endpoint import Endpoint, community_of, query_of
from cloud.errors import MALFORMED, NOT_AUTHORISED, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import CLOUD_KEY, READERS, principal_of

from .bodies import PAGE_ROWS_MAX, STREAM_ROWS_MAX, As, HubReadingsAnswer, ReadingsQuery
from .cursor import PURPOSE, position_of
from .forms.columns import Columns
from .forms.form import Form
from .forms.text import JsonLines, JsonPage, Table
from .problems import CURSOR_REFUSED, TOO_MANY_EXTRACTIONS, WITHOUT_END
from .question import DAY_MS, ROWS_MS_MAX, WINDOWS_MS_MAX, Question, mark_of
from .resample.window import TooMuchAtOnceError
from .row import Position
from .streams.http import page, stream
from .streams.job import Extraction, Extractions, NoLongerAllowedError

EXTRACTIONS: web.AppKey[Extractions] = web.AppKey("extractions", Extractions)
PAGE_ROWS: Final = 1000
RETRY_AFTER_S: Final = 10
BY_TYPE: Final[dict[str, As]] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
}


async def extract_readings(request: web.Request) -> web.StreamResponse:
    """Answer a question: which of four forms is said by `as`, else by Accept."""
    query, asker = query_of(request, ReadingsQuery), principal_of(request)
    question = _question(query, community_of(request, query.community))
    named = query.as_ or _accepted(request)
    limit = _limit(query.limit, named)
    with request.app[EXTRACTIONS].gate.place(asker.subject) as free:
        if not free:
            words = "as many extractions as are served at once run already; take one to its end first"
            raise Refused(TOO_MANY_EXTRACTIONS, words, retry_after_s=RETRY_AFTER_S)
        extraction = await request.app[EXTRACTIONS].begin(question, asker)
        after = _after(request, extraction, query.after)
        form = await asyncio.to_thread(_form, named, question)  # the first one of some forms loads a library
        try:
            if named != "json":
                return await stream(request, extraction, form, after, limit)
            raw = await page(request, extraction, form, after, limit)
        except NoLongerAllowedError as error:
            raise Refused(NOT_AUTHORISED, str(error)) from None
        except TooMuchAtOnceError as error:
            raise Refused(UNPROCESSABLE, f"{error}: ask for fewer systems or a shorter time") from None
    return web.Response(body=raw, content_type=form.content_type)


def _question(query: ReadingsQuery, community: str) -> Question:
    """Return the question, which must end somewhere: one without would never be over, however much arrives."""
    if query.from_ is None or query.to is None:
        raise Refused(WITHOUT_END, "say from when and to when: from and to are both needed")
    question = query.question(community)
    most = ROWS_MS_MAX if question.window_ms is None else WINDOWS_MS_MAX
    if question.to_ms <= question.from_ms:
        raise Refused(WITHOUT_END, "to does not lie after from")
    if question.to_ms - question.from_ms > most:
        raise Refused(WITHOUT_END, f"from and to are more than {most // DAY_MS} days apart; ask in parts")
    return question


def _accepted(request: web.Request) -> As:
    """Return the first form that Accept names and that we speak; JSON where it names none."""
    wanted = [part.partition(";")[0].strip().lower() for part in request.headers.get(hdrs.ACCEPT, "")[:500].split(",")]
    return next((BY_TYPE[name] for name in wanted if name in BY_TYPE), "json")


def _limit(asked: int | None, named: As) -> int:
    if named != "json":
        return asked or STREAM_ROWS_MAX
    if asked is not None and asked > PAGE_ROWS_MAX:
        raise Refused(MALFORMED, f"limit: a JSON page has at most {PAGE_ROWS_MAX} rows; ask for ndjson, csv or parquet")
    return asked or PAGE_ROWS


def _after(request: web.Request, extraction: Extraction, text: str) -> Position | None:
    if not text:
        return None
    key = request.app[CLOUD_KEY].derive(PURPOSE)
    try:
        return position_of(key, mark_of(extraction.selection.question, extraction.reach), text)
    except ValueError as error:
        raise Refused(CURSOR_REFUSED, f"after {error}") from None


def _form(named: As, question: Question) -> Form:
    community, windows = question.community, question.window_ms is not None
    made: dict[As, Callable[[], Form]] = {
        "json": lambda: JsonPage(community),
        "ndjson": lambda: JsonLines(community),
        "csv": lambda: Table(community, windows=windows),
        "parquet": lambda: Columns(community, windows=windows),
    }
    return made[named]()


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/readings",
        "Readings by system, kind, site, place, quantity and time, as they are or on windows",
        extract_readings,
        scope=READERS,
        query=ReadingsQuery,
        answers={200: HubReadingsAnswer},
        other_types=(JsonLines.content_type, Table.content_type, Columns.content_type),
        problems=(NOT_FOUND, UNPROCESSABLE, WITHOUT_END, CURSOR_REFUSED, TOO_MANY_EXTRACTIONS),
    ),
)
