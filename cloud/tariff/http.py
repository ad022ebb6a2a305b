"""The operator sets a community's prices from an interval boundary on."""

from dataclasses import asdict
from typing import assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now
from cloud.errors import NOT_FOUND, UNPROCESSABLE, ProblemKind, Refused
from cloud.principal import Scope
from cloud.wire import parse_time, time_text

from . import store
from .bodies import TariffAnswer, TariffBody
from .price import NotAPrice, PriceTexts, read_prices
from .validity import Tariff

TARIFF_SETTLED = ProblemKind("tariff-settled", 409, "Intervals are settled by the prices that stand")


async def put_tariff(request: web.Request) -> web.Response:
    """Set the prices from `valid_from` on; the same again changes nothing."""
    community = request.match_info["community"]
    valid_from = parse_time(request.match_info["valid_from"], "valid_from")
    body = await body_of(request, TariffBody)
    texts = PriceTexts(body.local, body.grid_buy, body.grid_sell)
    prices = read_prices(texts)
    if isinstance(prices, NotAPrice):
        raise Refused(UNPROCESSABLE, str(prices))
    wanted = Tariff(valid_from, prices)
    verdict = await request.app[DATABASE].write(store.put_tariff, community, wanted, texts, now(request))
    match verdict:
        case "no-community":
            raise Refused(NOT_FOUND, f"there is no community {community}")
        case "off-boundary":
            raise Refused(UNPROCESSABLE, "valid_from is not a boundary of the community's intervals")
        case "settled":
            raise Refused(TARIFF_SETTLED, f"intervals after {time_text(valid_from)} are settled already")
        case "created" | "exists" | "replaced":
            members = body.model_dump() | asdict(prices) | {"community": community, "result": verdict}
            tariff = TariffAnswer(**members, valid_from=time_text(valid_from))
            return answer(tariff, 201 if verdict == "created" else 200)
        case _:
            assert_never(verdict)


ENDPOINTS = (
    Endpoint(
        "PUT",
        "/v1/communities/{community}/tariffs/{valid_from}",
        "Set the prices of a community from an interval boundary on",
        put_tariff,
        scope=Scope.OPERATOR,
        body=TariffBody,
        answers={200: TariffAnswer, 201: TariffAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, TARIFF_SETTLED),
    ),
)
