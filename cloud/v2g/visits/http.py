"""A cable is plugged in: the site asks what it may do, and is answered at once, signed."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, now, signed_answer
from cloud.errors import NOT_FOUND, TOO_MANY_TRIES, Refused
from cloud.principal import Scope, site_of
from cloud.v2g.http import signed_body
from cloud.wire import parse_visit

from .bodies import StandingMessage, VisitMessage
from .standing.store import standing, visit
from .store import NEW_MAX, NEW_OF_CABLE_MAX, WINDOW_SECONDS

RETRY_SECONDS = 60


async def post_visit(request: web.Request) -> web.Response:
    """Keep that a cable was plugged in at the calling site, and tell what it may do there."""
    wanted = parse_visit(await signed_body(request))
    told = await request.app[DATABASE].write(visit, *site_of(request), wanted, now(request))
    match told:
        case "too-many":
            often = f"more than {NEW_MAX} times, or one of them more than {NEW_OF_CABLE_MAX} times"
            detail = f"cables were plugged in {often}, within {WINDOW_SECONDS} s"
            raise Refused(TOO_MANY_TRIES, detail, retry_after_s=RETRY_SECONDS)
        case "no-site":
            raise Refused(NOT_FOUND, "this site is not known any more")
        case _:
            return signed_answer(request, told)


async def get_standing(request: web.Request) -> web.Response:
    """Tell what a cable may do at the calling site now."""
    cable = request.match_info["cable"]
    told = await request.app[DATABASE].read(standing, *site_of(request), cable, now(request))
    if told is None:
        raise Refused(NOT_FOUND, f"no cable {cable} has been plugged in here")
    return signed_answer(request, told)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/sites/{site}/visits",
        "A V2G cable is plugged in: what may it do?",
        post_visit,
        scope=Scope.SITE,
        body=VisitMessage,
        signed_body=True,
        answers={200: StandingMessage},
        signed_answer=True,
        problems=(NOT_FOUND, TOO_MANY_TRIES),
    ),
    Endpoint(
        "GET",
        "/v1/sites/{site}/cables/{cable}",
        "What a V2G cable may do at the site now",
        get_standing,
        scope=Scope.SITE,
        answers={200: StandingMessage},
        signed_answer=True,
        problems=(NOT_FOUND,),
    ),
)
