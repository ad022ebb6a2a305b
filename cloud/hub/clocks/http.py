"""Lists the clocks of connected systems, and sets from which offset on a community wants to know."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, query_of
from cloud.errors import NOT_FOUND, Refused
from cloud.principal import STAFF
from cloud.sites.store import community_of
from cloud.wire import time_text

from . import store
from .bodies import ClockItem, ClocksAnswer, ClocksQuery, LimitsBody, NoticeItem
from .clock import Clock, Limits, Notice
from .job import Clocks

CLOCKS = web.AppKey("clocks", Clocks)


async def get_clocks(request: web.Request) -> web.Response:
    """List the clocks of a community's systems."""
    query, community = query_of(request, ClocksQuery), request.match_info["community"]
    kind, _, system = query.after.partition(".")
    found = await request.app[DATABASE].read(
        store.clocks_of, community, state=query.state, after=(kind, system), limit=query.limit
    )
    last = found[-1].system if len(found) == query.limit else None
    name = None if last is None else f"{last.kind}.{last.system}"
    return answer(ClocksAnswer(clocks=[_item(clock) for clock in found], next=name))


def _item(clock: Clock) -> ClockItem:
    return ClockItem(
        kind=clock.system.kind,
        system=clock.system.system,
        offset_ms=clock.offset_ms,
        state=clock.state,
        at=time_text(clock.at_ms // 1000),
        since=time_text(clock.since_ms // 1000),
    )


def notice_item(notice: Notice | None) -> NoticeItem | None:
    """Return what a system is told of its clock, as it is answered."""
    if notice is None:
        return None
    return NoticeItem(
        offset_ms=notice.offset_ms, state=notice.state, order=notice.order, by_ms=notice.by_ms, why=notice.why
    )


async def get_clock_limits(request: web.Request) -> web.Response:
    """Show from which offset on a community wants to know."""
    limits = await request.app[DATABASE].read(store.limits_of, request.match_info["community"])
    return answer(LimitsBody(limit_ms=limits.limit_ms, far_ms=limits.far_ms))


async def put_clock_limits(request: web.Request) -> web.Response:
    """Set from which offset on a community wants to know."""
    body, community = await body_of(request, LimitsBody), request.match_info["community"]
    if await request.app[DATABASE].read(community_of, community) is None:
        raise Refused(NOT_FOUND, f"there is no community {community}")
    limits = Limits(body.limit_ms, body.far_ms)
    await request.app[DATABASE].write(store.put_limits, community, limits)
    request.app[CLOCKS].know_limits(community, limits)
    return answer(body)


PATH = "/v1/communities/{community}/hub/clocks"

ENDPOINTS = (
    Endpoint(
        "GET",
        PATH,
        "The clocks of connected systems",
        get_clocks,
        scope=STAFF,
        query=ClocksQuery,
        answers={200: ClocksAnswer},
    ),
    Endpoint(
        "GET",
        PATH + "/limits",
        "From which offset on a clock is off",
        get_clock_limits,
        scope=STAFF,
        answers={200: LimitsBody},
    ),
    Endpoint(
        "PUT",
        PATH + "/limits",
        "Set from which offset on a clock is off",
        put_clock_limits,
        scope=STAFF,
        body=LimitsBody,
        answers={200: LimitsBody},
        problems=(NOT_FOUND,),
    ),
)
