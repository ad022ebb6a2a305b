"""Staff add the prices of a market to a series as they become known."""

from collections.abc import Sequence
from typing import assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now
from cloud.errors import NOT_FOUND, UNPROCESSABLE, ProblemKind, Refused
from cloud.principal import STAFF
from cloud.tariff.bodies import OwnerPriceBody, OwnerPricesBody, PricesAddedAnswer, PricesBody
from cloud.tariff.http import OWNER_TARIFFS, PRICES_CHANGED, TARIFFS, key_of
from cloud.tariff.reading import Unreadable, read_series
from cloud.tariff.store import add_prices
from cloud.tariff.validity import COMMUNITY
from cloud.wire import time_text

from .merge import Added, Contradicts, Misplaced

PRICE_CONTRADICTS = ProblemKind("price-contradicts", 409, "The series has another price for this time")


async def post_prices(request: web.Request) -> web.Response:
    """Add prices to a community's series, all or none."""
    return await _add(request, COMMUNITY, (await body_of(request, PricesBody)).prices)


async def post_owner_prices(request: web.Request) -> web.Response:
    """Add prices to an owner's series, all or none."""
    return await _add(request, request.match_info["owner"], (await body_of(request, OwnerPricesBody)).prices)


async def _add(request: web.Request, owner: str, bodies: Sequence[OwnerPriceBody]) -> web.Response:
    key, prices = key_of(request, owner), read_series(bodies)
    if isinstance(prices, Unreadable):
        raise Refused(UNPROCESSABLE, prices.words)
    community, changed = request.match_info["community"], request.app[PRICES_CHANGED]
    verdict = await request.app[DATABASE].write(add_prices, community, key, prices, now(request), changed=changed)
    match verdict:
        case Added():
            return answer(
                PricesAddedAnswer(created=verdict.new, exists=verdict.known, known_until=time_text(verdict.known_until))
            )
        case Contradicts(stands, wanted):
            words = f"the price from {time_text(wanted.start)} contradicts the one from {time_text(stands.start)}"
            raise Refused(PRICE_CONTRADICTS, words)
        case Misplaced(wanted):
            words = f"the price from {time_text(wanted.start)} is not for whole intervals of the tariff's validity"
            raise Refused(UNPROCESSABLE, words)
        case "not-found":
            raise Refused(NOT_FOUND, f"no tariff begins at {time_text(key[1])}")
        case "no-series":
            raise Refused(UNPROCESSABLE, f"the tariff from {time_text(key[1])} is not a series")
        case _:
            assert_never(verdict)


ENDPOINTS = (
    Endpoint(
        "POST",
        TARIFFS + "/{valid_from}/prices",
        "Add prices to a series of a community",
        post_prices,
        scope=STAFF,
        body=PricesBody,
        answers={200: PricesAddedAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, PRICE_CONTRADICTS),
    ),
    Endpoint(
        "POST",
        OWNER_TARIFFS + "/{valid_from}/prices",
        "Add prices to a series of one owner",
        post_owner_prices,
        scope=STAFF,
        body=OwnerPricesBody,
        answers={200: PricesAddedAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, PRICE_CONTRADICTS),
    ),
)
