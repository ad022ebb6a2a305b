"""Owners buy points; providers say what became of it, each in its own signed words."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of, raw_body
from cloud.errors import (
    MALFORMED,
    NOT_FOUND,
    SIGNATURE_REFUSED,
    TOO_MANY_TRIES,
    UNPROCESSABLE,
    ProblemKind,
    Refused,
)
from cloud.notice.http import BELL
from cloud.payment.told.store import Moved
from cloud.principal import WITH_OWNER, Scope
from cloud.sites.store import community_of
from cloud.wire import time_text

from . import store
from .bodies import (
    ProvidersAnswer,
    PurchaseAnswer,
    PurchaseBody,
    PurchaseItem,
    PurchasesAnswer,
    UnmatchedAnswer,
    UnmatchedItem,
    WebhookAnswer,
    WebhookMessage,
)
from .provider import Event, Order, Provider
from .purchase import Purchase
from .registry import VOUCHER

PROVIDERS: web.AppKey[Mapping[str, Provider]] = web.AppKey("payment_providers")
BALANCE_MOVED: web.AppKey[list[Moved]] = web.AppKey("balance_moved")  # whoever acts on a top-up hangs itself in here

NO_CURRENCY = ProblemKind("no-currency", 409, "The community has not said what a point costs")
PAYMENT_UNMATCHED = ProblemKind("payment-unmatched", 422, "This payment fits no purchase")


async def post_purchase(request: web.Request) -> web.Response:
    """Begin a purchase, and tell what the provider's checkout must be opened with."""
    community, owner = names(request)
    body = await body_of(request, PurchaseBody)
    provider = _provider(request, body.provider)
    begun = await request.app[DATABASE].write(
        store.begin,
        community,
        owner,
        body.provider,
        points=body.points,
        amount_minor=body.amount_minor,
        now=now(request),
    )
    match begun:
        case Purchase():
            order = Order(begun.reference, begun.currency, begun.amount_minor, begun.points_micro)
            members = _members(begun) | {"reference": begun.reference, "checkout": dict(provider.checkout(order))}
            return answer(PurchaseAnswer(**members), 201)
        case "no-owner":
            raise no_owner(community, owner)
        case "no-currency":
            raise Refused(NO_CURRENCY, "the community needs a currency and points_per_unit; vouchers work without")
        case "too-many-pending":
            raise Refused(TOO_MANY_TRIES, f"{store.PENDING_MAX} purchases of this day still wait to be paid")
        case "off-step":
            raise Refused(UNPROCESSABLE, "payments in this currency cannot have such an amount; take a rounder one")
        case "too-much":
            raise Refused(UNPROCESSABLE, "this is more than one purchase may be")
        case _:
            assert_never(begun)


def _provider(request: web.Request, name: str) -> Provider:
    if name == VOUCHER:
        raise Refused(UNPROCESSABLE, "a voucher needs no purchase: its code is redeemed at .../vouchers")
    if name not in request.app[PROVIDERS]:
        raise Refused(UNPROCESSABLE, f"payments through {name} are not set up here")
    return request.app[PROVIDERS][name]


def names(request: web.Request) -> tuple[str, str]:
    """Return the community and the owner in the path."""
    return request.match_info["community"], request.match_info["owner"]


def no_owner(community: str, owner: str) -> Refused:
    """Return the refusal of an owner who is not there."""
    return Refused(NOT_FOUND, f"{community} has no owner {owner}")


async def get_purchases(request: web.Request) -> web.Response:
    """List an owner's purchases."""
    page = query_of(request, PageQuery)
    found = await request.app[DATABASE].read(store.purchases_of, *names(request), page.after, page.limit)
    return answer(PurchasesAnswer(purchases=[PurchaseItem(**_members(item)) for item in found]))


async def get_purchase(request: web.Request) -> web.Response:
    """Tell how a purchase stands."""
    community, owner = names(request)
    found = await request.app[DATABASE].read(store.purchase_of, community, request.match_info["id"])
    if found is None or found.owner != owner:
        raise Refused(NOT_FOUND, f"{owner} has no such purchase")
    return answer(PurchaseItem(**_members(found)))


def _members(purchase: Purchase) -> dict[str, Any]:
    shown = ("provider", "currency", "amount_minor", "points_micro", "state", "refunded_minor")
    times = {"made_at": time_text(purchase.made_at), "paid_at": time_or_none(purchase.paid_at)}
    return {name: getattr(purchase, name) for name in shown} | {"id": purchase.purchase} | times


def time_or_none(at: int | None) -> str | None:
    """Return a time as it travels, if there is one."""
    return None if at is None else time_text(at)


async def get_payment_providers(request: web.Request) -> web.Response:
    """Tell how an owner can come by points, and at what price."""
    community, owner = names(request)
    settings = await request.app[DATABASE].read(community_of, community)
    if settings is None:
        raise no_owner(community, owner)
    priced = settings.currency is not None and settings.points_per_unit is not None
    known = request.app[PROVIDERS]
    ways = [*(sorted(known) if priced else ()), VOUCHER]
    return answer(ProvidersAnswer(providers=ways, currency=settings.currency, points_per_unit=settings.points_per_unit))


async def post_payment_webhook(request: web.Request) -> web.Response:
    """Take a provider's word for a payment: signed over the raw bytes, not long ago, and once for ever."""
    name, raw = request.match_info["provider"], await raw_body(request)
    provider = request.app[PROVIDERS].get(name)
    if provider is None:
        raise Refused(NOT_FOUND, f"payments through {name} are not set up here")
    event = provider.read(raw, request.headers.get(provider.signature_header, ""), now(request))
    match event:
        case "forged":
            raise Refused(SIGNATURE_REFUSED, f"no signature in {provider.signature_header} is over these bytes")
        case "stale":
            raise Refused(SIGNATURE_REFUSED, "the signature is too old, or from the future")
        case "malformed":
            raise Refused(MALFORMED, "the event does not say what it must")
        case "ignored":
            return answer(WebhookAnswer(result="ignored"))
        case Event():
            return await _take(request, name, event)
        case _:
            assert_never(event)


async def _take(request: web.Request, name: str, event: Event) -> web.Response:
    """Let an event change its purchase; one that fits none is kept aside, and refused so that the provider shows it."""
    hooks = request.app[BALANCE_MOVED]
    result, moved = await request.app[DATABASE].write(store.take_event, name, event, now(request), hooks)
    if result != store.APPLIED:
        raise Refused(PAYMENT_UNMATCHED, f"kept aside for the operator: {result}")
    if moved:
        request.app[BELL].ring()
    return answer(WebhookAnswer(result=store.APPLIED))


async def get_unmatched_payments(request: web.Request) -> web.Response:
    """List the signed events that fit no purchase."""
    page = query_of(request, PageQuery)
    found = await request.app[DATABASE].read(store.unmatched, page.after, page.limit)
    return answer(UnmatchedAnswer(events=[_unmatched(item) for item in found]))


def _unmatched(item: store.Unmatched) -> UnmatchedItem:
    members = asdict(item.event) | {"occurred_at": time_text(item.event.occurred_at)}
    kept = {"id": item.id, "provider": item.provider, "reason": item.result, "received_at": time_text(item.received_at)}
    return UnmatchedItem(**members | kept)


OWNER = "/v1/communities/{community}/owners/{owner}"

ENDPOINTS = (
    Endpoint(
        "POST",
        OWNER + "/purchases",
        "Begin to buy points through a payment provider",
        post_purchase,
        scope=WITH_OWNER,
        body=PurchaseBody,
        answers={201: PurchaseAnswer},
        problems=(NOT_FOUND, NO_CURRENCY, TOO_MANY_TRIES, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        OWNER + "/purchases",
        "An owner's purchases",
        get_purchases,
        scope=WITH_OWNER,
        query=PageQuery,
        answers={200: PurchasesAnswer},
    ),
    Endpoint(
        "GET",
        OWNER + "/purchases/{id}",
        "How a purchase stands",
        get_purchase,
        scope=WITH_OWNER,
        answers={200: PurchaseItem},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        OWNER + "/payment-providers",
        "How points can be had, and what they cost",
        get_payment_providers,
        scope=WITH_OWNER,
        answers={200: ProvidersAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        "/v1/payments/{provider}/webhook",
        "What a payment provider says of a payment, signed by it",
        post_payment_webhook,
        body=WebhookMessage,
        answers={200: WebhookAnswer},
        problems=(NOT_FOUND, SIGNATURE_REFUSED, PAYMENT_UNMATCHED),
    ),
    Endpoint(
        "GET",
        "/v1/payments/unmatched",
        "Signed payment events that fit no purchase",
        get_unmatched_payments,
        scope=Scope.OPERATOR,
        query=PageQuery,
        answers={200: UnmatchedAnswer},
    ),
)
