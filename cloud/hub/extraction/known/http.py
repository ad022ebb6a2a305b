"""Tells upper systems what there is to be read, and the newest of it."""

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, answer, community_of, query_of
from cloud.errors import NOT_FOUND
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.hub.extraction.bodies import HubReadingsAnswer
from cloud.hub.extraction.forms.form import Times
from cloud.hub.extraction.forms.text import JsonPage
from cloud.hub.extraction.http import EXTRACTIONS
from cloud.hub.extraction.question import Question
from cloud.hub.reading import FUTURE_MS_MAX
from cloud.principal import READERS, principal_of

from . import store
from .bodies import KnownAnswer, KnownItem, KnownQuery, LatestQuery, behind_text

HOUR_MS = 3_600_000


async def get_known(request: web.Request) -> web.Response:
    """List what may be read."""
    query, times = query_of(request, KnownQuery), Times()
    question = _question(request, query, 0)
    found, following = await request.app[EXTRACTIONS].look(store.known, question, principal_of(request), query)
    items = [
        KnownItem(
            device=item.device,
            kind=item.kind,
            site=item.site,
            maker=item.maker,
            model=item.model,
            latitude_e6=None if item.place is None else item.place[0],
            longitude_e6=None if item.place is None else item.place[1],
            quantities=list(item.quantities),
            first=None if item.first_ms is None else times.text(item.first_ms),
            last=None if item.last_ms is None else times.text(item.last_ms),
        )
        for item in found
    ]
    await _note(request, question.community, "devices", len(items))
    return answer(KnownAnswer(devices=items, next=behind_text(following)))


async def get_latest(request: web.Request) -> web.Response:
    """Tell the newest reading of each point and quantity."""
    query, asker = query_of(request, LatestQuery), principal_of(request)
    question = _question(request, query, query.hours)
    rows, following = await request.app[EXTRACTIONS].look(store.latest, question, asker, query)
    form = JsonPage(question.community)
    raw = form.begin() + form.add(rows) + form.end(len(rows), behind_text(following))
    await _note(request, question.community, "readings", len(rows))
    return web.Response(body=raw, content_type="application/json")


async def _note(request: web.Request, community: str, what: str, count: int) -> None:
    """Write down what was asked, picked and handed out."""
    at_ms, who, asked = request.app[CLOCK_MS](), principal_of(request).subject, request.query_string[:500]
    handed: dict[str, str | int | None] = {"as": "json", "what": what, "outcome": "whole"}
    events = [
        Event(community, at_ms, "request", who, detail={"path": request.path, "asked": asked}),
        Event(community, at_ms, "extract", who, count=count, detail={"what": what}),
        Event(community, at_ms, "send", who, count=count, detail=handed),
    ]
    await request.app[DATABASE].write(add_events, events)


def _question(request: web.Request, query: KnownQuery, hours: int) -> Question:
    now_ms = request.app[CLOCK_MS]()
    community = community_of(request, query.community)
    return Question(community, now_ms - hours * HOUR_MS, now_ms + FUTURE_MS_MAX + 1, **query.parts())


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/readings/devices",
        "What may be read: systems and taps, what they measure and since when",
        get_known,
        scope=READERS,
        query=KnownQuery,
        answers={200: KnownAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        "/v1/readings/latest",
        "The newest reading of each point and quantity",
        get_latest,
        scope=READERS,
        query=LatestQuery,
        answers={200: HubReadingsAnswer},
        problems=(NOT_FOUND,),
    ),
)
