"""The door of the watch: the network at one instant, what it found, and whether it tells demand rates."""

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, answer, body_of, community_of, query_of
from cloud.errors import NOT_FOUND, UNPROCESSABLE, Refused
from cloud.hub.events.table import moment_text
from cloud.hub.extraction.store import Places
from cloud.principal import READERS, STAFF, principal_of

from .answers import store as answers
from .bodies import (
    POINTS_MAX,
    PointItem,
    WatchAnswer,
    WatchQuery,
    WatchSettingBody,
    flow_item,
    out_item,
    point_items,
)
from .findings.bodies import FindingsQuery, WatchFindingsAnswer, finding_item
from .findings.store import put_tells_demand, standing_of
from .rule import Watch
from .sight.streams import Instant
from .store import SYSTEMS_MAX, NoEquipment, TooMany

PLACES: web.AppKey[Places] = web.AppKey("places")  # tells where the sites of a community are


async def get_watch(request: web.Request) -> web.Response:
    """Show the network at one instant, and what of it is out of tolerance."""
    query, now_ms = query_of(request, WatchQuery), request.app[CLOCK_MS]()
    community, asker = community_of(request, query.community), principal_of(request)
    at_ms = query.at_ms(now_ms)
    asked, instant = query.asked(community), Instant(at_ms, query.within_s * 1000)
    found = await request.app[DATABASE].read(answers.seen_by, asker, asked, instant, request.app[PLACES])
    match found:
        case None:
            raise Refused(NOT_FOUND, f"there is no community {community}")
        case NoEquipment():
            raise Refused(NOT_FOUND, f"{community} had no equipment {query.below} then")
        case TooMany():
            raise Refused(UNPROCESSABLE, f"one look takes {SYSTEMS_MAX} systems; ask below a piece of equipment")
        case watch, whole:
            shown = _shown(query, watch, at_ms)
            await request.app[DATABASE].write(answers.log, community, asker.subject, len(shown), now_ms)
            told = WatchAnswer(
                community=community,
                at=moment_text(at_ms),
                within_s=query.within_s,
                systems=len(watch.sights),
                silent=sum(not sight.points for sight in watch.sights),
                points=shown,
                out=[out_item(out, at_ms, names=whole) for out in watch.out],
                equipment=[flow_item(flow) for flow in watch.flows],
            )
            return answer(told)


def _shown(query: WatchQuery, watch: Watch, at_ms: int) -> list[PointItem]:
    if query.points == "none":
        return []
    wrong = {(out.device, out.point) for out in watch.out}
    shown = [
        item
        for sight in watch.sights
        for item in point_items(sight, at_ms)
        if query.points == "all" or (sight.system.key, item.point) in wrong
    ]
    if len(shown) > POINTS_MAX:
        words = f"these are {len(shown)} points, an answer has at most {POINTS_MAX}"
        raise Refused(UNPROCESSABLE, f"{words}; ask for points=out, or for fewer systems")
    return shown


async def get_watch_findings(request: web.Request) -> web.Response:
    """List what is or was out of tolerance."""
    query, community = query_of(request, FindingsQuery), request.match_info["community"]
    asker, times, open_only = principal_of(request), query.times(), query.open
    found, last = await request.app[DATABASE].read(
        answers.findings,
        asker,
        community,
        times,
        request.app[PLACES],
        open_only=open_only,
        after=query.place(),
        limit=query.limit,
    )
    following = None if last is None else f"{last.since_ms}/{last.finding}"
    return answer(WatchFindingsAnswer(findings=[finding_item(finding) for finding in found], next=following))


async def put_setting(request: web.Request) -> web.Response:
    """Let the watch tell demand rates, or no longer."""
    body, community = await body_of(request, WatchSettingBody), request.match_info["community"]
    if not await request.app[DATABASE].write(put_tells_demand, community, tells=body.tells_demand):
        raise Refused(NOT_FOUND, f"there is no community {community}")
    return answer(body)


async def get_setting(request: web.Request) -> web.Response:
    """Tell whether the watch tells demand rates."""
    stands = await request.app[DATABASE].read(standing_of, request.match_info["community"])
    return answer(WatchSettingBody(tells_demand=stands.tells_demand))


GRID = "/v1/communities/{community}/grid"

ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/readings/watch",
        "Voltage, current and power of many points at one instant, and what is out of tolerance",
        get_watch,
        scope=READERS,
        query=WatchQuery,
        answers={200: WatchAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        GRID + "/findings",
        "What is or was out of tolerance: since when, how far at worst, until when",
        get_watch_findings,
        scope=READERS,
        query=FindingsQuery,
        answers={200: WatchFindingsAnswer},
    ),
    Endpoint(
        "PUT",
        GRID + "/watch",
        "Say whether the watch tells demand rates of grid equipment",
        put_setting,
        scope=STAFF,
        body=WatchSettingBody,
        answers={200: WatchSettingBody},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        GRID + "/watch",
        "Whether the watch tells demand rates of grid equipment",
        get_setting,
        scope=STAFF,
        answers={200: WatchSettingBody},
    ),
)
