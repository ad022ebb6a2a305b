"""What context data a community has, until when, and what is wrong with it."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, now, query_of
from cloud.errors import NOT_FOUND, UNPROCESSABLE, Refused
from cloud.hub.quantity import MEASURES, Quantity
from cloud.principal import READERS, Scope, principal_of
from cloud.sites.http import known_community
from cloud.wire import parse_time, time_text
from cloud.wire.strict import TIME_MAX

from .bodies import (
    DAYS_MAX,
    ContextAnswer,
    ContextGapItem,
    ContextHeldItem,
    ContextItem,
    ContextQuery,
    ContradictionItem,
)
from .store import Found, found_between
from .value import Contradiction, Held

DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS


async def get_context(request: web.Request) -> web.Response:
    """List context devices with what they hold."""
    name, query = request.match_info["community"], query_of(request, ContextQuery)
    await known_community(request, name)
    start = now(request) - WEEK_SECONDS if query.start is None else parse_time(query.start, "from")
    later = min(max(start, now(request)) + WEEK_SECONDS, TIME_MAX)
    end = later if query.end is None else parse_time(query.end, "to")
    if not start < end <= start + DAYS_MAX * DAY_SECONDS:
        raise Refused(UNPROCESSABLE, f"from must be before to, and at most {DAYS_MAX} days")
    who, span = principal_of(request), (start * 1000, end * 1000)
    client = who.subject if who.scope is Scope.UPPER else None
    page = await request.app[DATABASE].read(
        found_between, name, *span, after=query.after, limit=query.limit, client=client
    )
    items = [_item(each) for each in page.found]
    times = {"start": time_text(start), "end": time_text(end)}
    return answer(ContextAnswer(community=name, **times, devices=items, next=page.following))


def _item(found: Found) -> ContextItem:
    device = found.device
    return ContextItem(
        device=device.device,
        name=device.name,
        maker=device.maker,
        currency=device.currency,
        state=device.state,
        holds=[_held(item) for item in found.held],
        contradictions=[_contradiction(item) for item in found.contradictions],
    )


def _held(item: Held) -> ContextHeldItem:
    return ContextHeldItem(
        point=item.point,
        quantity=item.quantity,
        unit=MEASURES[Quantity(item.quantity)].unit,
        values=item.count,
        first=_time(item.first_ms),
        until=_time(item.until_ms),
        gaps=[ContextGapItem(start=_time(start), end=_time(end)) for start, end in item.gaps],
    )


def _contradiction(item: Contradiction) -> ContradictionItem:
    return ContradictionItem(
        point=item.point,
        quantity=item.quantity,
        start=_time(item.start_ms),
        value_before=item.value_before,
        value=item.value,
        noticed_at=None if item.noticed_ms is None else _time(item.noticed_ms),
    )


def _time(at_ms: int) -> str:
    return time_text(at_ms // 1000)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/communities/{community}/context",
        "Prices, weather and loads that a community has, until when, with their gaps and contradictions",
        get_context,
        scope=(*READERS, Scope.OWNER),
        query=ContextQuery,
        answers={200: ContextAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
)
