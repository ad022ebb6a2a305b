"""Neighbours with a line of their own agree on a price, which the operator or the manager puts here."""

from typing import assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, PAGE_MAX, Endpoint, answer, body_of, now
from cloud.errors import NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import READERS, STAFF
from cloud.sites.links.http import LINK_SETTLED
from cloud.sites.store import community_of
from cloud.tariff.price import NotAPrice, PriceTexts, read_prices
from cloud.wire import parse_time, time_text

from . import store
from .agreed import Agreement, pair
from .bodies import NeighbourLinkAnswer, NeighbourLinkBody, NeighbourLinkItem, NeighbourLinksAnswer


async def put_link(request: web.Request) -> web.Response:
    """Set what two owners pay one another from `valid_from` on; the same again changes nothing."""
    community = request.match_info["community"]
    valid_from = parse_time(request.match_info["valid_from"], "valid_from")
    body = await body_of(request, NeighbourLinkBody)
    if body.owner_a == body.owner_b:
        raise Refused(UNPROCESSABLE, "a line between neighbours has two owners")
    wanted = Agreement(*pair(body.owner_a, body.owner_b), valid_from, _micro_per_wh(body.price))
    verdict = await request.app[DATABASE].write(store.put, community, wanted, body.price, now(request))
    match verdict:
        case "created" | "exists" | "replaced":
            members = _item(wanted).model_dump() | {"community": community, "result": verdict}
            return answer(NeighbourLinkAnswer(**members), 201 if verdict == "created" else 200)
        case "no-community":
            raise Refused(NOT_FOUND, f"there is no community {community}")
        case "unknown-owner":
            raise Refused(UNPROCESSABLE, f"{body.owner_a} or {body.owner_b} is no owner of {community}")
        case "off-boundary":
            raise Refused(UNPROCESSABLE, "valid_from is not a boundary of the community's intervals")
        case "settled":
            raise Refused(LINK_SETTLED, f"intervals after {time_text(valid_from)} are settled already")
        case _:
            assert_never(verdict)


def _micro_per_wh(text: str | None) -> int | None:
    if text is None:
        return None
    prices = read_prices(PriceTexts(None, text, text))
    if isinstance(prices, NotAPrice):
        raise Refused(UNPROCESSABLE, f"price: {text[:24]!r} is no price in points per kWh like 21.5 or -0.125")
    return prices.grid_buy_micro_per_wh


def _item(item: Agreement) -> NeighbourLinkItem:
    return NeighbourLinkItem(
        owner_a=item.owner_a,
        owner_b=item.owner_b,
        valid_from=time_text(item.valid_from),
        price_micro_per_wh=item.micro_per_wh,
    )


async def get_links(request: web.Request) -> web.Response:
    """List what neighbours agreed on."""
    community = request.match_info["community"]
    if await request.app[DATABASE].read(community_of, community) is None:
        raise Refused(NOT_FOUND, f"there is no community {community}")
    found = await request.app[DATABASE].read(store.listed, community)
    items = [_item(item) for item in found[:PAGE_MAX]]
    return answer(NeighbourLinksAnswer(links=items, truncated=len(found) > PAGE_MAX))


LINKS = "/v1/communities/{community}/links"

ENDPOINTS = (
    Endpoint(
        "PUT",
        LINKS + "/{valid_from}",
        "Set what two neighbours pay one another for energy over their own line",
        put_link,
        scope=STAFF,
        body=NeighbourLinkBody,
        answers={200: NeighbourLinkAnswer, 201: NeighbourLinkAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, LINK_SETTLED),
    ),
    Endpoint(
        "GET",
        LINKS,
        "What neighbours pay one another for energy over their own lines",
        get_links,
        scope=READERS,
        answers={200: NeighbourLinksAnswer},
        problems=(NOT_FOUND,),
    ),
)
