"""Staff reads the event log page by page, or takes it along as a file that is written while it is read."""

from collections.abc import Callable, Sequence

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, PAGE_MAX, Endpoint, answer, query_of
from cloud.principal import STAFF, Scope, principal_of

from . import store, table
from .asked import Asked, KeptEvent
from .bodies import EventsAnswer, EventsExportQuery, EventsQuery, item_of
from .event import Event

EXPORT_MAX = 1_000_000  # lines in one file, some 200 MB; `after` goes on behind the last of them
NOBODYS = ""  # the community of what belongs to none: strangers at the door


async def get_events(request: web.Request) -> web.Response:
    """List what the hub did for a community."""
    return await _page(request, request.match_info["community"])


async def get_strangers_events(request: web.Request) -> web.Response:
    """List what belongs to no community: tries of devices that nobody knows."""
    return await _page(request, NOBODYS)


async def _page(request: web.Request, community: str) -> web.Response:
    query = query_of(request, EventsQuery)
    found = await request.app[DATABASE].read(store.events_page, query.asked(community), query.after, query.limit)
    last = found[-1].event if len(found) == query.limit else None
    return answer(EventsAnswer(events=[item_of(one) for one in found], next=last))


async def get_events_table(request: web.Request) -> web.StreamResponse:
    """Give the log as a table for a spreadsheet."""
    return await _export(request, "text/csv", table.csv_head(), table.csv_rows)


async def get_events_lines(request: web.Request) -> web.StreamResponse:
    """Give the log as a JSON object a line."""
    return await _export(request, "application/x-ndjson", b"", table.ndjson_rows)


async def _export(
    request: web.Request, content_type: str, head: bytes, rows: Callable[[Sequence[KeptEvent]], bytes]
) -> web.StreamResponse:
    query, community = query_of(request, EventsExportQuery), request.match_info["community"]
    asked, at_ms = query.asked(community), request.app[CLOCK_MS]()
    page = await request.app[DATABASE].read(store.events_page, asked, query.after, PAGE_MAX)
    response = web.StreamResponse(headers={"Content-Type": content_type, "Cache-Control": "no-store"})
    await response.prepare(request)
    await response.write(head)
    count = await _written(request, response, asked, page, rows)
    await response.write_eof()
    sent = Event(community, at_ms, "send", principal_of(request).subject, count=count, detail={"what": "events"})
    await request.app[DATABASE].write(store.add_events, [sent])
    return response


async def _written(
    request: web.Request,
    response: web.StreamResponse,
    asked: Asked,
    page: Sequence[KeptEvent],
    rows: Callable[[Sequence[KeptEvent]], bytes],
) -> int:
    """Write page after page; each is a reading of its own, so that a slow reader keeps nobody waiting."""
    count = 0
    while page:
        await response.write(rows(page))
        count += len(page)
        if len(page) < PAGE_MAX or count >= EXPORT_MAX:
            break
        page = await request.app[DATABASE].read(store.events_page, asked, page[-1].event, PAGE_MAX)
    return count


EVENTS = "/v1/communities/{community}/hub/events"

ENDPOINTS = (
    Endpoint(
        "GET",
        EVENTS,
        "What the hub did for a community",
        get_events,
        scope=STAFF,
        query=EventsQuery,
        answers={200: EventsAnswer},
    ),
    Endpoint(
        "GET",
        f"{EVENTS}.csv",
        "What the hub did for a community, as a table",
        get_events_table,
        scope=STAFF,
        query=EventsExportQuery,
        answers={200: None},
        answer_type="text/csv",
    ),
    Endpoint(
        "GET",
        f"{EVENTS}.ndjson",
        "What the hub did for a community, a line each",
        get_events_lines,
        scope=STAFF,
        query=EventsExportQuery,
        answers={200: None},
        answer_type="application/x-ndjson",
    ),
    Endpoint(
        "GET",
        "/v1/hub/events",
        "What belongs to no community: devices that nobody knows",
        get_strangers_events,
        scope=Scope.OPERATOR,
        query=EventsQuery,
        answers={200: EventsAnswer},
    ),
)
