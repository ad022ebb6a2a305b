"""Judged periods for staff, readers, the host's site and the driver; and what staff decides of those that wait."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now, query_of
from cloud.errors import CONFLICT, NOT_FOUND, Refused
from cloud.principal import READERS, STAFF, WITH_OWNER, Scope, principal_of, site_of
from cloud.wire import parse_time, time_text

from . import store
from .bodies import (
    CommunityPeriodsQuery,
    PeriodDecisionAnswer,
    PeriodDecisionBody,
    PeriodsAnswer,
    PeriodsQuery,
    item_of,
)

BEGINNING: store.PagePlace = (-1, "", "")


async def get_periods(request: web.Request) -> web.Response:
    """List the judged periods at the sites of a community."""
    query = query_of(request, CommunityPeriodsQuery)
    community = request.match_info["community"]
    return await _page(request, store.Filter(community, None, query.site, query.cable, query.state), query)


async def get_site_periods(request: web.Request) -> web.Response:
    """List the judged periods at the caller's own site."""
    query, (community, site) = query_of(request, PeriodsQuery), site_of(request)
    return await _page(request, store.Filter(community, None, site, query.cable, query.state), query)


async def get_drivers_periods(request: web.Request) -> web.Response:
    """List the judged periods of an owner's cables, at whoever's site: without what meters say of that home."""
    query = query_of(request, PeriodsQuery)
    driver = request.match_info["community"], request.match_info["owner"]
    return await _page(request, store.Filter(None, driver, None, query.cable, query.state), query, for_driver=True)


def _place(after: str) -> store.PagePlace:
    if not after:
        return BEGINNING
    start, site, cable = after.split("/")
    return parse_time(start, "after"), site, cable


async def _page(
    request: web.Request, wanted: store.Filter, query: PeriodsQuery, *, for_driver: bool = False
) -> web.Response:
    found = await request.app[DATABASE].read(store.page, wanted, _place(query.after), query.limit)
    last = found[-1] if len(found) == query.limit else None
    following = None if last is None else f"{time_text(last.start)}/{last.site}/{last.cable}"
    return answer(PeriodsAnswer(periods=[item_of(row, for_driver=for_driver) for row in found], next=following))


async def decide_period(request: web.Request) -> web.Response:
    """Release or void a period that has not ended; the same again changes nothing."""
    community, site, cable = (request.match_info[name] for name in ("community", "site", "cable"))
    start, body = parse_time(request.match_info["start"], "start"), await body_of(request, PeriodDecisionBody)
    outcome = await request.app[DATABASE].write(
        store.decide,
        community,
        (site, start, cable),
        body.decision,
        by=principal_of(request).subject,
        note=body.note,
        now=now(request),
    )
    match outcome:
        case "no-period":
            raise Refused(NOT_FOUND, f"{site} reported no period of {cable} that begins at {time_text(start)}")
        case "ended-otherwise":
            raise Refused(CONFLICT, "this period is final or void already; that stays")
        case row, first:
            told = PeriodDecisionAnswer(period=item_of(row), result="created" if first else "exists")
            return answer(told, 201 if first else 200)


PERIODS = "/v1/communities/{community}/v2g/periods"

ENDPOINTS = (
    Endpoint(
        "GET",
        PERIODS,
        "Judged periods of cables at the sites of a community",
        get_periods,
        scope=READERS,
        query=CommunityPeriodsQuery,
        answers={200: PeriodsAnswer},
    ),
    Endpoint(
        "POST",
        PERIODS + "/{site}/{start}/{cable}",
        "Release or void a judged period that waits: 201 decided, 200 it was decided so before",
        decide_period,
        scope=STAFF,
        body=PeriodDecisionBody,
        answers={201: PeriodDecisionAnswer, 200: PeriodDecisionAnswer},
        problems=(NOT_FOUND, CONFLICT),
    ),
    Endpoint(
        "GET",
        "/v1/communities/{community}/owners/{owner}/v2g/periods",
        "Judged periods of an owner's cables",
        get_drivers_periods,
        scope=WITH_OWNER,
        query=PeriodsQuery,
        answers={200: PeriodsAnswer},
    ),
    Endpoint(
        "GET",
        "/v1/sites/{site}/v2g/periods",
        "Judged periods of cables at this site",
        get_site_periods,
        scope=Scope.SITE,
        query=PeriodsQuery,
        answers={200: PeriodsAnswer},
    ),
)
