"""A power provider tells what its equipment feeds and how loaded it is; cables there are told at once."""

from aiohttp import web

from cloud.endpoint import Endpoint, body_of, community_of, query_of
from cloud.errors import CONFLICT, NOT_FOUND, UNPROCESSABLE
from cloud.hub.wiring.bodies import (
    CommunityQuery,
    DemandAnswer,
    DemandBody,
    EquipmentAnswer,
    EquipmentBody,
    EquipmentPageAnswer,
    EquipmentQuery,
    WiringImportAnswer,
)
from cloud.hub.wiring.http import import_table, page, put_piece, take_rate
from cloud.notice.http import BELL
from cloud.principal import Scope


async def put_equipment(request: web.Request) -> web.Response:
    """Keep a piece of equipment with the sites it feeds from now on."""
    body = await body_of(request, EquipmentBody)
    return _rung(request, await put_piece(request, community_of(request, body.community), body.members()))


async def import_equipment(request: web.Request) -> web.Response:
    """Keep all the equipment of a file, or none of it."""
    community = community_of(request, query_of(request, CommunityQuery).community)
    return _rung(request, await import_table(request, community))


async def get_equipment(request: web.Request) -> web.Response:
    """List a community's equipment, each piece with its newest demand rate."""
    query = query_of(request, EquipmentQuery)
    return await page(request, community_of(request, query.community), query.after, query.limit)


async def post_demand(request: web.Request) -> web.Response:
    """Take a demand rate; the same again changes nothing."""
    body = await body_of(request, DemandBody)
    return _rung(request, await take_rate(request, community_of(request, body.community), body.rate()))


def _rung(request: web.Request, told: web.Response) -> web.Response:
    """Have what was posted for sites handed out at once."""
    request.app[BELL].ring()
    return told


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
        "POST",
        EQUIPMENT + "/import",
        "Keep the equipment of a file, all of it or none",
        import_equipment,
        scope=Scope.PROVIDER,
        query=CommunityQuery,
        bytes_body=True,
        body_type="text/csv",
        answers={200: WiringImportAnswer},
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
