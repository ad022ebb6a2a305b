"""Staff registers where a site is, against which the place of a cable is held."""

from typing import Any

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now
from cloud.errors import NOT_FOUND, Refused
from cloud.notice.http import BELL
from cloud.principal import READERS, STAFF, principal_of
from cloud.v2g.permission.told.store import with_telling
from cloud.wire import time_text

from . import store
from .bodies import PlaceAnswer, PlaceBody, PlacePutAnswer


async def put_place(request: web.Request) -> web.Response:
    """Register where a site is; its cables are told at once what that makes of their permission."""
    community, site = request.match_info["community"], request.match_info["site"]
    body, at = await body_of(request, PlaceBody), now(request)
    place = body.latitude_e6, body.longitude_e6
    kept = await request.app[DATABASE].write(
        with_telling,
        community,
        site,
        at,
        lambda conn: store.put_place(conn, community, site, place, by=principal_of(request).subject, now=at),
    )
    if kept is None:
        raise Refused(NOT_FOUND, f"{community} has no site {site}")
    request.app[BELL].ring()
    found, first = kept
    told = PlacePutAnswer(**_members(site, found), result="created" if first else "exists")
    return answer(told, 201 if first else 200)


async def get_place(request: web.Request) -> web.Response:
    """Tell where a site is registered to be."""
    community, site = request.match_info["community"], request.match_info["site"]
    found = await request.app[DATABASE].read(store.place_of, community, site)
    if found is None:
        raise Refused(NOT_FOUND, f"nobody has said where site {site} is")
    return answer(PlaceAnswer(**_members(site, found)))


def _members(site: str, found: store.RegisteredPlace) -> dict[str, Any]:
    latitude, longitude = found.place
    place = {"latitude_e6": latitude, "longitude_e6": longitude}
    return place | {"site": site, "set_by": found.set_by, "set_at": time_text(found.set_at)}


PLACE = "/v1/communities/{community}/sites/{site}/place"

ENDPOINTS = (
    Endpoint(
        "PUT",
        PLACE,
        "Register where a site is: 201 registered, 200 it stands so already",
        put_place,
        scope=STAFF,
        body=PlaceBody,
        answers={201: PlacePutAnswer, 200: PlacePutAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        PLACE,
        "Where a site is registered to be",
        get_place,
        scope=READERS,
        answers={200: PlaceAnswer},
        problems=(NOT_FOUND,),
    ),
)
