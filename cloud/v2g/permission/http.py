"""Staff sets and lifts the flag of a site; staff, readers and the site itself see it with its history."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now, query_of, signed_answer
from cloud.errors import NOT_FOUND, ProblemKind, Refused
from cloud.notice.http import BELL
from cloud.principal import READERS, STAFF, Scope, principal_of, site_of
from cloud.wire.cable import Cause

from . import store
from .bodies import FlagAnswer, FlagBody, HistoryQuery, PermissionAnswer, PermissionLiftBody, answer_of, item_of
from .rule import SiteStanding
from .told.store import with_telling

NOT_FLAGGED = ProblemKind("not-flagged", 409, "This site has no flag to lift")


async def put_permission(request: web.Request) -> web.Response:
    """Set what the cables of a site may do; they are told at once. The same again changes nothing."""
    body = await body_of(request, FlagBody)
    cause: Cause = "none" if body.permission == "allowed" else "operator"
    return await _set(request, SiteStanding(body.permission, cause, now(request)), body.note)


async def lift_permission(request: web.Request) -> web.Response:
    """Lift a site's flag; what it was flagged for counts no more. The same again changes nothing."""
    body = await body_of(request, PermissionLiftBody)
    return await _set(request, SiteStanding("allowed", "none", now(request)), body.note)


async def _set(request: web.Request, standing: SiteStanding, note: str) -> web.Response:
    community, site = request.match_info["community"], request.match_info["site"]
    by = principal_of(request).subject
    outcome = await request.app[DATABASE].write(
        with_telling,
        community,
        site,
        standing.since,
        lambda conn: store.set_flag(conn, community, site, standing, by=by, note=note),
    )
    match outcome:
        case "no-site":
            raise Refused(NOT_FOUND, f"{community} has no site {site}")
        case "not-flagged":
            raise Refused(NOT_FLAGGED, f"site {site} was never flagged")
        case flag, first:
            request.app[BELL].ring()
            told = FlagAnswer(site=site, flag=item_of(flag), result="created" if first else "exists")
            return answer(told, 201 if first else 200)


async def get_permission(request: web.Request) -> web.Response:
    """Tell what a site lets cables do, and the history of its flag."""
    found = await _answer(request, request.match_info["community"], request.match_info["site"])
    return answer(found)


async def get_site_permission(request: web.Request) -> web.Response:
    """Tell the caller's own site what it lets cables do, and the history of its flag."""
    return signed_answer(request, await _answer(request, *site_of(request)))


async def _answer(request: web.Request, community: str, site: str) -> PermissionAnswer:
    query, database = query_of(request, HistoryQuery), request.app[DATABASE]
    found = await database.read(
        store.overview, community, site, before=query.before, limit=query.limit, now=now(request)
    )
    if found is None:
        raise Refused(NOT_FOUND, f"{community} has no site {site}")
    stands, flags = found
    following = flags[-1].number if len(flags) == query.limit and flags[-1].number > 1 else None
    return answer_of(site, stands, flags, following)


PERMISSION = "/v1/communities/{community}/sites/{site}/permission"

ENDPOINTS = (
    Endpoint(
        "GET",
        PERMISSION,
        "What a site lets cables do, and the history of its flag",
        get_permission,
        scope=READERS,
        query=HistoryQuery,
        answers={200: PermissionAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "PUT",
        PERMISSION,
        "Set what the cables of a site may do: 201 set, 200 it stands so already",
        put_permission,
        scope=STAFF,
        body=FlagBody,
        answers={201: FlagAnswer, 200: FlagAnswer},
        problems=(NOT_FOUND, NOT_FLAGGED),
    ),
    Endpoint(
        "POST",
        PERMISSION + "/lift",
        "Lift the flag of a site: 201 lifted, 200 it was lifted before",
        lift_permission,
        scope=STAFF,
        body=PermissionLiftBody,
        answers={201: FlagAnswer, 200: FlagAnswer},
        problems=(NOT_FOUND, NOT_FLAGGED),
    ),
    Endpoint(
        "GET",
        "/v1/sites/{site}/permission",
        "What this site lets cables do, and the history of its flag",
        get_site_permission,
        scope=Scope.SITE,
        query=HistoryQuery,
        answers={200: PermissionAnswer},
        signed_answer=True,
        problems=(NOT_FOUND,),
    ),
)
