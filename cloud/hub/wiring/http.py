"""Staff says how the grid is wired and how loaded it is; sites before which that changes are told at once."""

from collections.abc import Mapping
from typing import Any, assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of, raw_body
from cloud.errors import CONFLICT, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import STAFF, principal_of

from . import store
from .bodies import (
    ChangesQuery,
    DemandAnswer,
    EquipmentAnswer,
    EquipmentPageAnswer,
    GridDemandBody,
    GridEquipmentBody,
    WiringChangesAnswer,
    WiringImportAnswer,
    change_of,
    item_of,
)
from .equipment import DEPTH_MAX, EQUIPMENT_MAX, Equipment, Fault
from .history.store import changes_of
from .rates.store import DemandRate, newest_rate, page_of, rate_and_tell
from .store import Rewired
from .table import read_table

REWIRED: web.AppKey[Rewired] = web.AppKey("rewired")  # tells sites, within a transaction, that their supply changed
AHEAD_SECONDS = 300  # a provider's clock may be ahead of ours by so much
NAMED_MAX = 5  # of what is wrong, in one detail
FAULTS_MAX = 20  # of a file, in one answer

FOREST: dict[Fault, str] = {
    "ring": "would hang below itself",
    "no-above": "would hang below a piece that is not there",
    "too-deep": f"would have more than {DEPTH_MAX} pieces above it",
}


async def put_grid_equipment(request: web.Request) -> web.Response:
    """Keep a piece of equipment with what it feeds from now on."""
    body = await body_of(request, GridEquipmentBody)
    return await put_piece(request, request.match_info["community"], body.members())


async def put_piece(request: web.Request, community: str, members: Mapping[str, Any]) -> web.Response:
    """Keep the piece of equipment that the path names."""
    name = request.match_info["equipment"]
    (piece,) = await _put(request, community, {name: members})
    rate = await request.app[DATABASE].read(newest_rate, community, name)
    return answer(EquipmentAnswer(equipment=item_of(piece, rate)))


async def _put(request: web.Request, community: str, wanted: store.Wanted) -> list[Equipment]:
    by, at, tell = principal_of(request).subject, now(request), request.app[REWIRED]
    match await request.app[DATABASE].write(store.put_all, community, wanted, by=by, now=at, tell=tell):
        case "no-community":
            raise Refused(NOT_FOUND, f"there is no community {community}")
        case "too-many":
            raise Refused(UNPROCESSABLE, f"a community has at most {EQUIPMENT_MAX} pieces of equipment")
        case store.Unknown(what, names):
            one = "site" if what == "sites" else "device"
            raise Refused(UNPROCESSABLE, f"{community} has no {one} {', '.join(names[:NAMED_MAX])}")
        case store.NoForest(equipment, fault):
            raise Refused(UNPROCESSABLE, f"{equipment} {FOREST[fault]}")
        case list() as put:
            return put
        case other:
            assert_never(other)


async def import_grid_equipment(request: web.Request) -> web.Response:
    """Keep all the equipment of a file, or none of it."""
    return await import_table(request, request.match_info["community"])


async def import_table(request: web.Request, community: str) -> web.Response:
    """Keep all the equipment of the request's file, or none of it and say which rows are wrong."""
    match read_table(await raw_body(request)):
        case dict() as wanted:
            return answer(WiringImportAnswer(kept=len(await _put(request, community, wanted))))
        case faults:
            told = "; ".join(f"row {fault.row}: {fault.why}" for fault in faults[:FAULTS_MAX])
            more = f"; and {len(faults) - FAULTS_MAX} more" if len(faults) > FAULTS_MAX else ""
            raise Refused(UNPROCESSABLE, f"nothing is kept: {told}{more}")


async def get_grid_equipment(request: web.Request) -> web.Response:
    """List a community's equipment."""
    query = query_of(request, PageQuery)
    return await page(request, request.match_info["community"], query.after, query.limit)


async def page(request: web.Request, community: str, after: str, limit: int) -> web.Response:
    """Answer a page of equipment, each piece with its newest demand rate."""
    found = await request.app[DATABASE].read(page_of, community, after, limit)
    last = found[-1][0].equipment if len(found) == limit else None
    return answer(EquipmentPageAnswer(equipment=[item_of(*item) for item in found], next=last))


async def get_grid_changes(request: web.Request) -> web.Response:
    """List what held of a piece of equipment, and since when."""
    query, community = query_of(request, ChangesQuery), request.match_info["community"]
    name = request.match_info["equipment"]
    found = await request.app[DATABASE].read(changes_of, community, name, query.after, query.limit)
    if not found and not query.after:
        raise Refused(NOT_FOUND, f"{community} has no equipment {name}")
    last = found[-1].change if len(found) == query.limit else None
    return answer(WiringChangesAnswer(changes=[change_of(change) for change in found], next=last))


async def post_grid_demand(request: web.Request) -> web.Response:
    """Take a demand rate from staff."""
    body = await body_of(request, GridDemandBody)
    return await take_rate(request, request.match_info["community"], body.rate())


async def take_rate(request: web.Request, community: str, rate: DemandRate) -> web.Response:
    """Keep a demand rate of the piece that the path names; the same again changes nothing."""
    name, at, by = request.match_info["equipment"], now(request), principal_of(request).subject
    if rate.measured_at > at + AHEAD_SECONDS:
        raise Refused(UNPROCESSABLE, "measured_at lies in the future")
    write, tell = request.app[DATABASE].write, request.app[REWIRED]
    match await write(rate_and_tell, community, name, rate, provider=by, now=at, tell=tell):
        case "no-equipment":
            raise Refused(NOT_FOUND, f"{community} has no equipment {name}")
        case "contradicts":
            raise Refused(CONFLICT, "another demand rate of this time is kept; what was measured stays")
        case "created" | "exists" as result:
            return answer(DemandAnswer(result=result), 201 if result == "created" else 200)


GRID = "/v1/communities/{community}/grid/equipment"

ENDPOINTS = (
    Endpoint(
        "PUT",
        GRID + "/{equipment}",
        "Keep a piece of grid equipment: what it feeds, hangs below and carries",
        put_grid_equipment,
        scope=STAFF,
        body=GridEquipmentBody,
        answers={200: EquipmentAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        GRID,
        "Grid equipment with what it feeds and its newest demand rate",
        get_grid_equipment,
        scope=STAFF,
        query=PageQuery,
        answers={200: EquipmentPageAnswer},
    ),
    Endpoint(
        "POST",
        GRID + "/import",
        "Keep the grid equipment of a file, all of it or none",
        import_grid_equipment,
        scope=STAFF,
        bytes_body=True,
        body_type="text/csv",
        answers={200: WiringImportAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        GRID + "/{equipment}/changes",
        "How a piece of grid equipment was wired, and since when",
        get_grid_changes,
        scope=STAFF,
        query=ChangesQuery,
        answers={200: WiringChangesAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        GRID + "/{equipment}/demand",
        "Tell how loaded a piece of grid equipment is: 201 kept, 200 it was told before",
        post_grid_demand,
        scope=STAFF,
        body=GridDemandBody,
        answers={201: DemandAnswer, 200: DemandAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, CONFLICT),
    ),
)
