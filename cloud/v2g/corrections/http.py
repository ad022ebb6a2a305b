"""Gives corrections to power providers: for the asking, or sent to where they say."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of
from cloud.errors import FORBIDDEN, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.outbound import WHY, fault_of
from cloud.principal import CLOUD_KEY, Principal, Scope, principal_of
from cloud.sites.http import known_community
from cloud.wire import time_text

from .bodies import (
    CorrectionItem,
    CorrectionsAnswer,
    CorrectionsQuery,
    DeliveryItem,
    SubscriptionAnswer,
    SubscriptionBody,
    SubscriptionMade,
)
from .delivery.retry import Delivery
from .delivery.signed import secret_of
from .delivery.store import deliveries_of, subscribe, subscription_of, unsubscribe
from .store import corrections_after

PRIVATE_WEBHOOKS = web.AppKey("private_webhooks", bool)  # whether providers may be in our own network
PATH = "/v1/provider/corrections"


async def get_corrections(request: web.Request) -> web.Response:
    """Return a page of corrections."""
    query = query_of(request, CorrectionsQuery)
    named = _community(principal_of(request), query.community)
    community = await known_community(request, named)
    found = await request.app[DATABASE].read(corrections_after, community.community, query.after, query.limit)
    return answer(
        CorrectionsAnswer(
            corrections=[CorrectionItem.model_validate(item.plain()) for item in found],
            next=found[-1].number if len(found) == query.limit else None,
        )
    )


def _community(caller: Principal, named: str | None) -> str:
    """Return the community a provider asks about: its own, or the one it names."""
    if caller.community is not None and named not in (None, caller.community):
        raise Refused(FORBIDDEN, "this token belongs to another community")
    found = caller.community or named
    if found is None:
        raise Refused(UNPROCESSABLE, "name the community: this client reads more than one")
    return found


async def put_subscription(request: web.Request) -> web.Response:
    """Let corrections be sent somewhere from now on, all of them from the first; the secret is another each time."""
    caller, body = principal_of(request), await body_of(request, SubscriptionBody)
    fault = fault_of(body.url, private=request.app[PRIVATE_WEBHOOKS])
    if fault is not None:
        raise Refused(UNPROCESSABLE, f"corrections are not sent to this URL: {WHY[fault]}")
    made = await request.app[DATABASE].write(subscribe, caller.subject, caller.community, body.url, now(request))
    secret = secret_of(request.app[CLOUD_KEY], made.subscription)
    return answer(
        SubscriptionMade(url=made.url, subscription=made.subscription, secret=secret, made_at=time_text(made.made_at)),
        201,
    )


async def get_subscription(request: web.Request) -> web.Response:
    """Tell where corrections are sent, and how far they were received."""
    caller, query = principal_of(request), query_of(request, PageQuery)
    found = await request.app[DATABASE].read(subscription_of, caller.subject)
    if found is None:
        raise Refused(NOT_FOUND, "this client has no subscription")
    deliveries = await request.app[DATABASE].read(deliveries_of, found)
    page = [name for name in sorted(deliveries) if name > query.after][: query.limit]
    return answer(
        SubscriptionAnswer(
            url=found.url,
            subscription=found.subscription,
            made_at=time_text(found.made_at),
            deliveries=[_item(name, deliveries[name]) for name in page],
            next=page[-1] if len(page) == query.limit else None,
        )
    )


def _item(community: str, delivery: Delivery) -> DeliveryItem:
    return DeliveryItem(
        community=community,
        through=delivery.through,
        failures=delivery.failures,
        next_at=time_text(delivery.next_at) if delivery.failures else None,
        tried_at=None if delivery.tried_at is None else time_text(delivery.tried_at),
        delivered_at=None if delivery.delivered_at is None else time_text(delivery.delivered_at),
        problem=delivery.problem,
    )


async def delete_subscription(request: web.Request) -> web.Response:
    """Send nothing any more."""
    if not await request.app[DATABASE].write(unsubscribe, principal_of(request).subject):
        raise Refused(NOT_FOUND, "this client has no subscription")
    return web.Response(status=204)


ENDPOINTS = (
    Endpoint(
        "GET",
        PATH,
        "Meter and cable energy of supply points with V2G cables, in order",
        get_corrections,
        scope=Scope.PROVIDER,
        query=CorrectionsQuery,
        answers={200: CorrectionsAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "PUT",
        PATH + "/subscription",
        "Have corrections sent to a URL",
        put_subscription,
        scope=Scope.PROVIDER,
        body=SubscriptionBody,
        answers={201: SubscriptionMade},
        problems=(UNPROCESSABLE,),
    ),
    Endpoint(
        "GET",
        PATH + "/subscription",
        "Where corrections are sent, and how far they were received",
        get_subscription,
        scope=Scope.PROVIDER,
        query=PageQuery,
        answers={200: SubscriptionAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "DELETE",
        PATH + "/subscription",
        "Have corrections sent no more",
        delete_subscription,
        scope=Scope.PROVIDER,
        answers={204: None},
        problems=(NOT_FOUND,),
    ),
)
