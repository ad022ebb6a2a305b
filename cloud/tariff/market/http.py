"""Staff let a series follow a market; whoever reads the tariff sees how, how far, and what was corrected too late."""

from dataclasses import asdict
from decimal import Decimal
from typing import assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now
from cloud.errors import NOT_FOUND, UNPROCESSABLE, ProblemKind, Refused
from cloud.hub.quantity import Quantity
from cloud.principal import READERS, STAFF, Scope
from cloud.tariff.http import OWNER_TARIFFS, TARIFFS, key_of
from cloud.tariff.terms import SeriesPrice
from cloud.tariff.validity import COMMUNITY
from cloud.wire import time_text

from .bodies import (
    LegBody,
    LocalBody,
    MarketAnswer,
    MarketBody,
    MarketCorrectionItem,
    MarketPriceItem,
    MarketPutAnswer,
    MarketRuleItem,
    NoPriceItem,
    OwnerMarketBody,
)
from .following.store import RULES_MAX, Following, following, put_market, stop_following
from .rule import Between, Leg, Rule

CURRENCY_DIFFERS = ProblemKind("currency-differs", 422, "The market's prices are in another currency")


async def put_community_market(request: web.Request) -> web.Response:
    """Let a community's series follow a device's prices."""
    return await _put(request, COMMUNITY, await body_of(request, MarketBody))


async def put_owner_market(request: web.Request) -> web.Response:
    """Let an owner's series follow a device's prices."""
    return await _put(request, request.match_info["owner"], await body_of(request, OwnerMarketBody))


async def _put(request: web.Request, owner: str, body: OwnerMarketBody) -> web.Response:
    community, key = request.match_info["community"], key_of(request, owner)
    rule = Rule(body.device, body.point, _leg(body.buy), _leg(body.sell), _local(body), "", 0, 0)
    verdict = await request.app[DATABASE].write(put_market, community, key, rule, now(request))
    match verdict:
        case "created" | "exists" | "replaced":
            return answer(MarketPutAnswer(result=verdict), 201 if verdict == "created" else 200)
        case "not-found" | "no-series":
            raise _no_series(verdict, key[1])
        case "no-device":
            raise Refused(NOT_FOUND, f"{community} has no device {body.device} of kind context")
        case "no-currency":
            raise Refused(UNPROCESSABLE, f"{community} has no currency, or no points_per_unit, to read prices by")
        case "currency-differs":
            raise Refused(CURRENCY_DIFFERS, f"the prices of {body.device} are not in the currency of {community}")
        case "too-many":
            raise Refused(UNPROCESSABLE, f"the series has had {RULES_MAX} rules; begin a new tariff")
        case _:
            assert_never(verdict)


def _no_series(verdict: str, valid_from: int) -> Refused:
    if verdict == "no-series":
        return Refused(UNPROCESSABLE, f"the tariff from {time_text(valid_from)} is not a series")
    return Refused(NOT_FOUND, f"no tariff begins at {time_text(valid_from)}, or it follows no market")


def _leg(body: LegBody) -> Leg:
    return Leg(Decimal(body.factor), Decimal(body.add), Quantity(body.quantity))


def _local(body: OwnerMarketBody) -> Leg | Between | None:
    local = body.local if isinstance(body, MarketBody) else None
    if local is None:
        return None
    if (local.between is None) == (local.leg is None):
        raise Refused(UNPROCESSABLE, "local needs either between or leg")
    if local.leg is not None:
        return _leg(local.leg)
    assert local.between is not None
    return Between(Decimal(local.between))


async def delete_community_market(request: web.Request) -> web.Response:
    """Let a community's series follow no market any more."""
    return await _delete(request, COMMUNITY)


async def delete_owner_market(request: web.Request) -> web.Response:
    """Let an owner's series follow no market any more."""
    return await _delete(request, request.match_info["owner"])


async def _delete(request: web.Request, owner: str) -> web.Response:
    key = key_of(request, owner)
    verdict = await request.app[DATABASE].write(stop_following, request.match_info["community"], key, now(request))
    if verdict != "stopped":
        raise _no_series(verdict, key[1])
    return web.Response(status=204)


async def get_community_market(request: web.Request) -> web.Response:
    """Tell how a community's series follows its market."""
    return await _get(request, COMMUNITY)


async def get_owner_market(request: web.Request) -> web.Response:
    """Tell how an owner's series follows its market."""
    return await _get(request, request.match_info["owner"])


async def _get(request: web.Request, owner: str) -> web.Response:
    key = key_of(request, owner)
    found = await request.app[DATABASE].read(following, request.match_info["community"], key, now(request))
    if found is None:
        raise _no_series("not-found", key[1])
    return answer(_told(found))


def _told(found: Following) -> MarketAnswer:
    return MarketAnswer(
        rules=[_rule(rule) for rule in found.rules],
        trouble=found.trouble,
        known_until=_time(found.known_until),
        gaps=[NoPriceItem(start=time_text(one), end=time_text(end), reason=why) for one, end, why in found.gaps],
        corrections=found.corrections,
        latest=[
            MarketCorrectionItem(
                start=time_text(said.start),
                noticed_at=time_text(noticed),
                stands=None if stands is None else _price(stands),
                said=_price(said),
            )
            for said, stands, noticed in found.latest
        ],
    )


def _rule(rule: Rule) -> MarketRuleItem:
    local = None
    if isinstance(rule.local, Between):
        local = LocalBody(between=str(rule.local.share))
    elif rule.local is not None:
        local = LocalBody(leg=_leg_body(rule.local))
    return MarketRuleItem(
        device=rule.device,
        point=rule.point,
        buy=_leg_body(rule.buy),
        sell=_leg_body(rule.sell),
        local=local,
        currency=rule.currency,
        points_per_unit=rule.points_per_unit,
        since=time_text(rule.since),
        until=_time(rule.until),
    )


def _leg_body(leg: Leg) -> LegBody:
    return LegBody.model_validate({"factor": f"{leg.factor:f}", "add": f"{leg.add:f}", "quantity": leg.quantity.value})


def _price(price: SeriesPrice) -> MarketPriceItem:
    return MarketPriceItem(**asdict(price.texts), **asdict(price.prices))


def _time(at: int | None) -> str | None:
    return None if at is None else time_text(at)


PUT_PROBLEMS = (NOT_FOUND, UNPROCESSABLE, CURRENCY_DIFFERS)

ENDPOINTS = tuple(
    endpoint
    for path, whose, put, get, delete, body in (
        (TARIFFS, "a community", put_community_market, get_community_market, delete_community_market, MarketBody),
        (OWNER_TARIFFS, "one owner", put_owner_market, get_owner_market, delete_owner_market, OwnerMarketBody),
    )
    for endpoint in (
        Endpoint(
            "PUT",
            path + "/{valid_from}/market",
            f"Let a series of {whose} follow the prices of a device",
            put,
            scope=STAFF,
            body=body,
            answers={200: MarketPutAnswer, 201: MarketPutAnswer},
            problems=PUT_PROBLEMS,
        ),
        Endpoint(
            "GET",
            path + "/{valid_from}/market",
            f"How a series of {whose} follows its market, and what was corrected too late",
            get,
            scope=(*READERS, Scope.OWNER),
            answers={200: MarketAnswer},
            problems=(NOT_FOUND,),
        ),
        Endpoint(
            "DELETE",
            path + "/{valid_from}/market",
            f"Let a series of {whose} follow no market any more",
            delete,
            scope=STAFF,
            answers={204: None},
            problems=(NOT_FOUND, UNPROCESSABLE),
        ),
    )
)
