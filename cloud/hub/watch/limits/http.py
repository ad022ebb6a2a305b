"""Staff sets limits; a power provider those of its equipment."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now
from cloud.errors import NOT_FOUND, Refused
from cloud.hub.watch.limit import WHOLE, Subject
from cloud.principal import STAFF, Scope, principal_of

from . import store
from .bodies import WatchLimitsAnswer, WatchLimitsBody, WatchLimitsOf, body_of_limit


def subject_of(request: web.Request) -> Subject:
    """Return whose limits a path names."""
    for about in ("equipment", "device"):
        if about in request.match_info:
            return about, request.match_info[about]
    return WHOLE


async def put_limits(request: web.Request) -> web.Response:
    """Let the limits of the body hold, and no others."""
    body = await body_of(request, WatchLimitsBody)
    await _put(request, body)
    about, name = subject_of(request)
    return answer(WatchLimitsOf(about=about, name=name or None, limits=body.limits))


async def delete_limits(request: web.Request) -> web.Response:
    """Take limits away."""
    await _put(request, WatchLimitsBody(limits=[]))
    return web.Response(status=204)


async def _put(request: web.Request, body: WatchLimitsBody) -> None:
    community, subject, by = request.match_info["community"], subject_of(request), principal_of(request).subject
    limits = [limit.limit() for limit in body.limits]
    match await request.app[DATABASE].write(store.put_limits, community, subject, limits, by=by, now=now(request)):
        case "no-community":
            raise Refused(NOT_FOUND, f"there is no community {community}")
        case "no-such":
            raise Refused(NOT_FOUND, f"{community} has no {subject[0]} {subject[1]}")


async def get_limits(request: web.Request) -> web.Response:
    """Tell the limits of the community, of a piece of equipment or of a connected system."""
    found = await request.app[DATABASE].read(store.limits_of, request.match_info["community"])
    about, name = subject_of(request)
    limits = [body_of_limit(limit) for limit in found.get((about, name), ())]
    return answer(WatchLimitsOf(about=about, name=name or None, limits=limits))


async def get_all_limits(request: web.Request) -> web.Response:
    """List all limits there are in a community."""
    found = await request.app[DATABASE].read(store.limits_of, request.match_info["community"])
    told = [
        WatchLimitsOf(about=about, name=name or None, limits=[body_of_limit(limit) for limit in limits])
        for (about, name), limits in found.items()
    ]
    return answer(WatchLimitsAnswer(limits=told))


# one function each, because a description names its operations after them
async def put_equipment_limits(request: web.Request) -> web.Response:
    """Set the limits of all that hangs below a piece of equipment."""
    return await put_limits(request)


async def delete_equipment_limits(request: web.Request) -> web.Response:
    """Take the limits of a piece of equipment away."""
    return await delete_limits(request)


async def get_equipment_limits(request: web.Request) -> web.Response:
    """Tell the limits of a piece of equipment."""
    return await get_limits(request)


async def put_device_limits(request: web.Request) -> web.Response:
    """Set the limits of a connected system."""
    return await put_limits(request)


async def delete_device_limits(request: web.Request) -> web.Response:
    """Take the limits of a connected system away."""
    return await delete_limits(request)


async def get_device_limits(request: web.Request) -> web.Response:
    """Tell the limits of a connected system."""
    return await get_limits(request)


LIMITS = "/v1/communities/{community}/grid/limits"
TELLERS = (*STAFF, Scope.PROVIDER)
WAYS = (
    ("", "the whole community", STAFF, put_limits, get_limits, delete_limits),
    (
        "/equipment/{equipment}",
        "all that hangs below a piece of equipment",
        TELLERS,
        put_equipment_limits,
        get_equipment_limits,
        delete_equipment_limits,
    ),
    ("/devices/{device}", "a connected system", STAFF, put_device_limits, get_device_limits, delete_device_limits),
)

ENDPOINTS = (
    Endpoint(
        "GET",
        LIMITS + "/all",
        "All limits of voltage, current, power and power factor in a community",
        get_all_limits,
        scope=STAFF,
        answers={200: WatchLimitsAnswer},
    ),
    *(
        endpoint
        for path, what, scope, put, get, delete in WAYS
        for endpoint in (
            Endpoint(
                "PUT",
                LIMITS + path,
                f"Set the limits of {what}",
                put,
                scope=scope,
                body=WatchLimitsBody,
                answers={200: WatchLimitsOf},
                problems=(NOT_FOUND,),
            ),
            Endpoint("GET", LIMITS + path, f"The limits of {what}", get, scope=scope, answers={200: WatchLimitsOf}),
            Endpoint(
                "DELETE",
                LIMITS + path,
                f"Take the limits of {what} away",
                delete,
                scope=scope,
                answers={204: None},
                problems=(NOT_FOUND,),
            ),
        )
    ),
)
