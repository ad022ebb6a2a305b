"""Owners redeem points for cash; staff sets the rule, pays, and says how it went."""

from typing import Any, Literal, assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of
from cloud.errors import CONFLICT, NOT_FOUND, TOO_MANY_TRIES, UNPROCESSABLE, ProblemKind, Refused
from cloud.ledger.covered.store import Uncovered
from cloud.notice.http import BELL
from cloud.payment.money import POINT_MICRO
from cloud.payment.purchases.http import BALANCE_MOVED, NO_CURRENCY, OWNER, names, no_owner, time_or_none
from cloud.payment.told.store import Moved
from cloud.principal import STAFF, WITH_OWNER, principal_of
from cloud.wire import time_text

from . import store
from .bodies import (
    DecisionBody,
    PayoutItem,
    PayoutsAnswer,
    PayoutsQuery,
    RedemptionBody,
    RedemptionItem,
    RedemptionRuleAnswer,
    RedemptionRuleBody,
    RedemptionsAnswer,
)
from .rule import Rule, basis_points, percent_text

OVERDRAWN = ProblemKind("overdrawn", 409, "There are not so many points")
NO_PAYMENT_MEANS = ProblemKind("no-payment-means", 409, "It is not known where to pay to")

WHY_NOT: dict[str, str] = {
    "no-rule": "the community has no rule for redemptions",
    "disabled": "the community takes no points back now",
    "below-minimum": "the community takes back no less than its minimum",
    "nothing-left": "the fee, or the smallest coin, leaves nothing to pay out",
    "too-much": "this is more than one payment may be",
}


async def put_redemption_rule(request: web.Request) -> web.Response:
    """Set how points become cash."""
    community, body = request.match_info["community"], await body_of(request, RedemptionRuleBody)
    parts = basis_points(body.fee_percent)
    assert parts is not None
    rule = Rule(body.enabled, body.minimum_points, body.points_per_unit, body.fee_points, parts)
    if not await request.app[DATABASE].write(store.put_rule, community, rule, now(request)):
        raise Refused(NOT_FOUND, f"there is no community {community}")
    return answer(_rule(community, rule))


async def get_redemption_rule(request: web.Request) -> web.Response:
    """Tell how points become cash."""
    community, _ = names(request)
    rule = await request.app[DATABASE].read(store.rule_of, community)
    if rule is None:
        raise Refused(NOT_FOUND, WHY_NOT["no-rule"])
    return answer(_rule(community, rule))


def _rule(community: str, rule: Rule) -> RedemptionRuleAnswer:
    return RedemptionRuleAnswer(
        community=community,
        enabled=rule.enabled,
        minimum_points=rule.minimum_points,
        points_per_unit=rule.points_per_unit,
        fee_points=rule.fee_points,
        fee_percent=percent_text(rule.fee_basis_points),
    )


async def post_redemption(request: web.Request) -> web.Response:
    """Take points for cash; the same key again tells how that redemption stands."""
    community, owner = names(request)
    body, hooks = await body_of(request, RedemptionBody), request.app[BALANCE_MOVED]
    wish = store.Wish(community, owner, body.points, body.key)
    asked = await request.app[DATABASE].write(store.ask, wish, now(request), hooks)
    match asked:
        case store.Asked(redemption, first):
            request.app[BELL].ring()
            return answer(RedemptionItem(**_members(redemption)), 201 if first else 200)
        case Uncovered(_, balance_micro):
            raise overdrawn(balance_micro)
        case "no-owner":
            raise no_owner(community, owner)
        case "key-taken":
            raise Refused(CONFLICT, f"another redemption was asked for as {body.key}")
        case "no-payment-means":
            raise Refused(NO_PAYMENT_MEANS, "the owner's record names no means of payment")
        case "no-currency":
            raise Refused(NO_CURRENCY, "the community has no currency to pay out")
        case "too-many":
            raise Refused(TOO_MANY_TRIES, f"{store.PER_DAY_MAX} redemptions a day are enough")
        case "no-rule" | "disabled" | "below-minimum" | "nothing-left" | "too-much":
            raise Refused(UNPROCESSABLE, WHY_NOT[asked])
        case _:
            assert_never(asked)


def overdrawn(balance_micro: int) -> Refused:
    """Return the refusal of who wants to give more than there is; it names what there is."""
    points = f"{balance_micro // POINT_MICRO}.{balance_micro % POINT_MICRO:06}" if balance_micro > 0 else "0"
    return Refused(OVERDRAWN, f"the balance is {points} points", balance_micro=str(balance_micro))


def _members(item: store.Redemption) -> dict[str, Any]:
    shown = ("key", "points_micro", "fee_micro", "currency", "amount_minor", "payment_provider", "state", "note")
    times = {"requested_at": time_text(item.requested_at), "decided_at": time_or_none(item.decided_at)}
    return {name: getattr(item, name) for name in shown} | {"id": item.redemption} | times


def _payout(item: store.Redemption) -> PayoutItem:
    about = {"owner": item.owner, "payment_token": item.payment_token, "decided_by": item.decided_by}
    return PayoutItem(**_members(item) | about)


async def get_redemptions(request: web.Request) -> web.Response:
    """List an owner's redemptions."""
    (community, owner), page = names(request), query_of(request, PageQuery)
    found = await request.app[DATABASE].read(
        store.redemptions_of, community, owner=owner, state=None, after=page.after, limit=page.limit
    )
    return answer(RedemptionsAnswer(redemptions=[RedemptionItem(**_members(item)) for item in found]))


async def get_payouts(request: web.Request) -> web.Response:
    """List the redemptions of a community, with where to pay to."""
    community, page = request.match_info["community"], query_of(request, PayoutsQuery)
    found = await request.app[DATABASE].read(
        store.redemptions_of, community, owner=None, state=page.state, after=page.after, limit=page.limit
    )
    return answer(PayoutsAnswer(redemptions=[_payout(item) for item in found]))


async def post_redemption_paid(request: web.Request) -> web.Response:
    """Note that a redemption was paid out."""
    return await _decide(request, "paid")


async def post_redemption_failed(request: web.Request) -> web.Response:
    """Note that a redemption cannot be paid out: points and fee come back."""
    return await _decide(request, "failed")


async def _decide(request: web.Request, state: Literal["paid", "failed"]) -> web.Response:
    community, body, hooks = request.match_info["community"], await body_of(request, DecisionBody), _hooks(request)
    by, redemption = principal_of(request).subject, request.match_info["id"]
    decided = await request.app[DATABASE].write(
        store.decide, community, redemption, state, note=body.note, by=by, now=now(request), hooks=hooks
    )
    match decided:
        case store.Redemption():
            request.app[BELL].ring()
            return answer(_payout(decided))
        case "no-redemption":
            raise Refused(NOT_FOUND, "the community has no such redemption")
        case "decided":
            raise Refused(CONFLICT, "it was decided otherwise")
        case _:
            assert_never(decided)


def _hooks(request: web.Request) -> list[Moved]:
    return request.app[BALANCE_MOVED]


COMMUNITY = "/v1/communities/{community}"
DECIDED: dict[str, Any] = {
    "scope": STAFF,
    "body": DecisionBody,
    "answers": {200: PayoutItem},
    "problems": (NOT_FOUND, CONFLICT),
}

ENDPOINTS = (
    Endpoint(
        "PUT",
        COMMUNITY + "/redemption-rule",
        "Set how points become cash",
        put_redemption_rule,
        scope=STAFF,
        body=RedemptionRuleBody,
        answers={200: RedemptionRuleAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        OWNER + "/redemption-rule",
        "How points become cash",
        get_redemption_rule,
        scope=WITH_OWNER,
        answers={200: RedemptionRuleAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        OWNER + "/redemptions",
        "Redeem points for cash: 201 the first time, 200 again",
        post_redemption,
        scope=WITH_OWNER,
        body=RedemptionBody,
        answers={201: RedemptionItem, 200: RedemptionItem},
        problems=(NOT_FOUND, OVERDRAWN, NO_PAYMENT_MEANS, NO_CURRENCY, CONFLICT, UNPROCESSABLE, TOO_MANY_TRIES),
    ),
    Endpoint(
        "GET",
        OWNER + "/redemptions",
        "An owner's redemptions",
        get_redemptions,
        scope=WITH_OWNER,
        query=PageQuery,
        answers={200: RedemptionsAnswer},
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/redemptions",
        "The redemptions of a community, with where to pay to",
        get_payouts,
        scope=STAFF,
        query=PayoutsQuery,
        answers={200: PayoutsAnswer},
    ),
    Endpoint(
        "POST", COMMUNITY + "/redemptions/{id}/paid", "A redemption was paid out", post_redemption_paid, **DECIDED
    ),
    Endpoint(
        "POST",
        COMMUNITY + "/redemptions/{id}/failed",
        "A redemption cannot be paid out: its points come back",
        post_redemption_failed,
        **DECIDED,
    ),
)
