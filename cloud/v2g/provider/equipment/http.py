"""A power provider tells which sites its equipment feeds and how loaded it is; cables there are told at once."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now, query_of
from cloud.errors import CONFLICT, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.notice.http import BELL
from cloud.principal import Scope, principal_of
from cloud.v2g.permission.told.store import put_and_tell, rate_and_tell
from cloud.v2g.provider.http import community_of

from . import store
from .bodies import (
    DemandAnswer,
    DemandBody,
    EquipmentAnswer,
    EquipmentBody,
    EquipmentPageAnswer,
    EquipmentQuery,
    item_of,
)

AHEAD_SECONDS = 300  # a provider's clock may be ahead of ours by so much
NAMED_MAX = 5  # of what is wrong, in one detail


async def put_equipment(request: web.Request) -> web.Response:
    """Keep a piece of equipment with the sites it feeds from now on."""
    name, body = request.match_info["equipment"], await body_of(request, EquipmentBody)
    community, by = community_of(request, body.community), principal_of(request).subject
    wanted = store.Equipment(name, body.name, tuple(sorted(set(body.sites))))
    outcome = await request.app[DATABASE].write(put_and_tell, community, wanted, provider=by, now=now(request))
    match outcome:
        case "no-community":
            raise Refused(NOT_FOUND, f"there is no community {community}")
        case "too-many":
            raise Refused(UNPROCESSABLE, f"a community has at most {store.EQUIPMENT_MAX} pieces of equipment")
        case store.NoSites(sites):
            raise Refused(UNPROCESSABLE, f"{community} has no site {', '.join(sites[:NAMED_MAX])}")
    request.app[BELL].ring()
    rate = await request.app[DATABASE].read(store.newest_rate, community, name)
    return answer(EquipmentAnswer(equipment=item_of(wanted, rate)))


async def get_equipment(request: web.Request) -> web.Response:
    """List a community's equipment, each piece with its newest demand rate."""
    query = query_of(request, EquipmentQuery)
    community = community_of(request, query.community)
    found = await request.app[DATABASE].read(store.page, community, query.after, query.limit)
    last = found[-1][0].equipment if len(found) == query.limit else None
    return answer(EquipmentPageAnswer(equipment=[item_of(*item) for item in found], next=last))


async def post_demand(request: web.Request) -> web.Response:
    """Take a demand rate; the same again changes nothing."""
    name, body, at = request.match_info["equipment"], await body_of(request, DemandBody), now(request)
    community, rate = community_of(request, body.community), body.rate()
    if rate.measured_at > at + AHEAD_SECONDS:
        raise Refused(UNPROCESSABLE, "measured_at lies in the future")
    by = principal_of(request).subject
    match await request.app[DATABASE].write(rate_and_tell, community, name, rate, provider=by, now=at):
        case "no-equipment":
            raise Refused(NOT_FOUND, f"{community} has no equipment {name}")
        case "contradicts":
            raise Refused(CONFLICT, "another demand rate of this time is kept; what was measured stays")
        case "created" | "exists" as result:
            request.app[BELL].ring()
            return answer(DemandAnswer(result=result), 201 if result == "created" else 200)


EQUIPMENT = "/v1/provider/equipment"

ENDPOINTS = (
    Endpoint(
        "PUT",
        EQUIPMENT + "/{equipment}",
        "Keep a piece of grid equipment and the sites it feeds",
        put_equipment,
        scope=Scope.PROVIDER,
        body=EquipmentBody,
        answers={200: EquipmentAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        EQUIPMENT,
        "Grid equipment with the sites it feeds and its newest demand rate",
        get_equipment,
        scope=Scope.PROVIDER,
        query=EquipmentQuery,
        answers={200: EquipmentPageAnswer},
    ),
    Endpoint(
        "POST",
        EQUIPMENT + "/{equipment}/demand",
        "Tell how loaded a piece of grid equipment is: 201 kept, 200 it was told before",
        post_demand,
        scope=Scope.PROVIDER,
        body=DemandBody,
        answers={201: DemandAnswer, 200: DemandAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, CONFLICT),
    ),
)
