"""Staff set the prices of a community and of single owners; each owner reads its own."""

from typing import assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now, query_of
from cloud.errors import NOT_FOUND, UNPROCESSABLE, ProblemKind, Refused
from cloud.principal import READERS, STAFF, Scope
from cloud.sites.store import Changed
from cloud.wire import parse_time, time_text

from . import store
from .bodies import OwnerTariffBody, TariffAnswer, TariffBody, TariffsAnswer, TariffsQuery
from .book import TariffKey
from .items import gap_item, tariff_item
from .quote.store import kept_tariff, page
from .reading import Unreadable, read_terms
from .validity import COMMUNITY, Overlap, Tariff

TARIFF_SETTLED = ProblemKind("tariff-settled", 409, "Intervals are settled by the prices that stand")
TARIFF_OVERLAPS = ProblemKind("tariff-overlaps", 409, "Another tariff is valid in this time")

PRICES_CHANGED: web.AppKey[Changed] = web.AppKey("prices_changed")  # tells sites, in the transaction; wired by the app


async def put_tariff(request: web.Request) -> web.Response:
    """Set the prices of a community from `valid_from` on; the same again changes nothing."""
    return await _put(request, COMMUNITY, await body_of(request, TariffBody))


async def put_owner_tariff(request: web.Request) -> web.Response:
    """Set the grid's prices for one owner from `valid_from` on; the same again changes nothing."""
    return await _put(request, request.match_info["owner"], await body_of(request, OwnerTariffBody))


async def _put(request: web.Request, owner: str, body: TariffBody | OwnerTariffBody) -> web.Response:
    community, database = request.match_info["community"], request.app[DATABASE]
    valid_from = parse_time(request.match_info["valid_from"], "valid_from")
    valid_until = None if body.valid_until is None else parse_time(body.valid_until, "valid_until")
    written = read_terms(body)
    if isinstance(written, Unreadable):
        raise Refused(UNPROCESSABLE, written.words)
    wanted = Tariff(valid_from, written.terms, valid_until=valid_until, owner=owner)
    verdict = await database.write(
        store.put_tariff, community, wanted, written.texts, now(request), changed=request.app[PRICES_CHANGED]
    )
    match verdict:
        case "created" | "exists" | "replaced":
            found = await database.read(kept_tariff, community, owner, valid_from)
            if found is None:
                raise Refused(NOT_FOUND, "this tariff was deleted meanwhile")
            kept, gaps = found
            item = tariff_item(community, kept).model_dump()
            told = TariffAnswer(**item, result=verdict, gaps=[gap_item(gap) for gap in gaps])
            return answer(told, 201 if verdict == "created" else 200)
        case _:
            raise _refusal(verdict, community, wanted)


def _refusal(verdict: store.NotKept | Overlap | str, community: str, wanted: Tariff) -> Refused:
    match verdict:
        case Overlap(stands):
            until = "the next one" if stands.valid_until is None else time_text(stands.valid_until)
            words = f"the tariff from {time_text(stands.valid_from)} until {until} overlaps"
            return Refused(TARIFF_OVERLAPS, words, stands=time_text(stands.valid_from))
        case "no-community":
            return Refused(NOT_FOUND, f"there is no community {community}")
        case "no-owner":
            return Refused(NOT_FOUND, f"{community} has no owner {wanted.owner}")
        case "off-boundary":
            return Refused(UNPROCESSABLE, "valid_from or valid_until is not a boundary of the community's intervals")
        case "ends-before":
            return Refused(UNPROCESSABLE, "valid_until is not after valid_from")
        case "too-many":
            return Refused(UNPROCESSABLE, f"there are {store.TARIFFS_MAX} tariffs already")
        case _:
            return Refused(TARIFF_SETTLED, f"intervals after {time_text(wanted.valid_from)} are settled already")


async def get_tariffs(request: web.Request) -> web.Response:
    """List the tariffs of a community."""
    return await _list(request, COMMUNITY)


async def get_owner_tariffs(request: web.Request) -> web.Response:
    """List the tariffs that an owner alone has."""
    return await _list(request, request.match_info["owner"])


async def _list(request: web.Request, owner: str) -> web.Response:
    community, query = request.match_info["community"], query_of(request, TariffsQuery)
    after = -1 if query.after is None else parse_time(query.after, "after")
    found = await request.app[DATABASE].read(page, community, owner, after, query.limit)
    if found is None:
        raise Refused(NOT_FOUND, f"there is no such community or owner: {community} {owner}".rstrip())
    items = [tariff_item(community, kept) for kept in found.kept]
    following = items[-1].valid_from if len(items) == query.limit else None
    return answer(TariffsAnswer(tariffs=items, gaps=[gap_item(gap) for gap in found.gaps], next=following))


async def delete_tariff(request: web.Request) -> web.Response:
    """Forget a community's tariff that never settled anything."""
    return await _delete(request, COMMUNITY)


async def delete_owner_tariff(request: web.Request) -> web.Response:
    """Forget an owner's tariff that never settled anything."""
    return await _delete(request, request.match_info["owner"])


async def _delete(request: web.Request, owner: str) -> web.Response:
    key = key_of(request, owner)
    verdict = await request.app[DATABASE].write(
        store.delete_tariff, request.match_info["community"], key, now(request), changed=request.app[PRICES_CHANGED]
    )
    match verdict:
        case "deleted":
            return web.Response(status=204)
        case "not-found":
            raise Refused(NOT_FOUND, f"no tariff begins at {time_text(key[1])}")
        case "settled":
            raise Refused(TARIFF_SETTLED, f"intervals after {time_text(key[1])} are settled by this tariff")
        case _:
            assert_never(verdict)


def key_of(request: web.Request, owner: str) -> TariffKey:
    """Return the name of the tariff in the path."""
    return owner, parse_time(request.match_info["valid_from"], "valid_from")


TARIFFS = "/v1/communities/{community}/tariffs"
OWNER_TARIFFS = "/v1/communities/{community}/owners/{owner}/tariffs"
KEPT = {200: TariffAnswer, 201: TariffAnswer}
NOT_KEPT = (NOT_FOUND, UNPROCESSABLE, TARIFF_SETTLED, TARIFF_OVERLAPS)

ENDPOINTS = (
    Endpoint(
        "PUT",
        TARIFFS + "/{valid_from}",
        "Set the prices of a community from an interval boundary on",
        put_tariff,
        scope=STAFF,
        body=TariffBody,
        answers=KEPT,
        problems=NOT_KEPT,
    ),
    Endpoint(
        "GET",
        TARIFFS,
        "The tariffs of a community",
        get_tariffs,
        scope=(*READERS, Scope.OWNER),
        query=TariffsQuery,
        answers={200: TariffsAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "DELETE",
        TARIFFS + "/{valid_from}",
        "Forget a tariff of a community that settled nothing",
        delete_tariff,
        scope=STAFF,
        answers={204: None},
        problems=(NOT_FOUND, TARIFF_SETTLED),
    ),
    Endpoint(
        "PUT",
        OWNER_TARIFFS + "/{valid_from}",
        "Set the prices of one owner from an interval boundary on",
        put_owner_tariff,
        scope=STAFF,
        body=OwnerTariffBody,
        answers=KEPT,
        problems=NOT_KEPT,
    ),
    Endpoint(
        "GET",
        OWNER_TARIFFS,
        "The tariffs of one owner",
        get_owner_tariffs,
        scope=(*READERS, Scope.OWNER),
        query=TariffsQuery,
        answers={200: TariffsAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "DELETE",
        OWNER_TARIFFS + "/{valid_from}",
        "Forget a tariff of one owner that settled nothing",
        delete_owner_tariff,
        scope=STAFF,
        answers={204: None},
        problems=(NOT_FOUND, TARIFF_SETTLED),
    ),
)
