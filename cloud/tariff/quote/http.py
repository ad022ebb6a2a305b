"""The price of every interval: for those who run or read a community, for an owner, and signed for a site."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, now, query_of, signed_answer
from cloud.errors import FORBIDDEN, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import READERS, Scope, principal_of, site_of
from cloud.sites.http import known_community
from cloud.tariff.book import PriceBook
from cloud.tariff.validity import COMMUNITY
from cloud.wire import parse_time, time_text

from .bodies import QuoteAnswer, QuoteItem, QuoteQuery, SitePricesMessage, SitePricesQuery
from .columns import fitting, site_prices
from .store import quoted, site_ground

QUOTE_INTERVALS_MAX = 3000  # two months of half hours
DAY_SECONDS = 86_400
HOUR_SECONDS = 3600


async def get_prices(request: web.Request) -> web.Response:
    """Tell what an owner of a community pays and is paid in each interval of some time."""
    name, query = request.match_info["community"], query_of(request, QuoteQuery)
    own = principal_of(request).owner
    owner = query.owner or own or COMMUNITY
    if own not in (None, owner):
        raise Refused(FORBIDDEN, "an owner is told its own prices only")
    community = await known_community(request, name)
    starts = _starts(query, community.interval_seconds, now(request))
    book = await request.app[DATABASE].read(quoted, name, owner, starts[0], starts[-1])
    if book is None:
        raise Refused(NOT_FOUND, f"{name} has no owner {owner}")
    prices = [_item(book, owner, start) for start in starts]
    return answer(QuoteAnswer(community=name, owner=owner or None, seconds=starts.step, prices=prices))


def _starts(query: QuoteQuery, seconds: int, now_s: int) -> range:
    first = now_s if query.start is None else parse_time(query.start, "from")
    first -= first % seconds
    end = first + DAY_SECONDS if query.end is None else parse_time(query.end, "to")
    starts = range(first, end, seconds)
    if not starts:
        raise Refused(UNPROCESSABLE, "the time would end before it begins")
    if len(starts) > QUOTE_INTERVALS_MAX:
        raise Refused(UNPROCESSABLE, f"one answer holds at most {QUOTE_INTERVALS_MAX} intervals; ask for less time")
    return starts


def _item(book: PriceBook, owner: str, start: int) -> QuoteItem:
    priced = book.at(start, owner)
    prices = None if priced is None else priced.prices
    return QuoteItem(
        start=time_text(start),
        local_micro_per_wh=None if prices is None else prices.local_micro_per_wh,
        grid_buy_micro_per_wh=None if prices is None else prices.grid_buy_micro_per_wh,
        grid_sell_micro_per_wh=None if prices is None else prices.grid_sell_micro_per_wh,
    )


async def get_site_prices(request: web.Request) -> web.Response:
    """Tell a site, signed, what its owners pay and are paid in the intervals to come."""
    community, site = site_of(request)
    query, database = query_of(request, SitePricesQuery), request.app[DATABASE]
    first = now(request) if query.start is None else parse_time(query.start, "from")
    last = first + query.hours * HOUR_SECONDS - 1
    ground = await database.read(site_ground, community, site, first, last)
    if ground is None:
        raise Refused(NOT_FOUND, "this site is not known any more")
    seconds = ground.community.interval_seconds
    first -= first % seconds
    count = fitting(query.hours * HOUR_SECONDS // seconds, len(ground.owners))
    starts = range(first, first + count * seconds, seconds)
    book = await database.read(quoted, community, COMMUNITY, starts[0], starts[-1])
    assert book is not None
    return signed_answer(request, site_prices(site, ground.community, ground.owners, book, starts))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/communities/{community}/prices",
        "The price of every interval of a community or of one owner",
        get_prices,
        scope=(*READERS, Scope.OWNER),
        query=QuoteQuery,
        answers={200: QuoteAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        "/v1/sites/{site}/prices",
        "The prices of a site's owners, signed",
        get_site_prices,
        scope=Scope.SITE,
        query=SitePricesQuery,
        answers={200: SitePricesMessage},
        signed_answer=True,
        problems=(NOT_FOUND,),
    ),
)
