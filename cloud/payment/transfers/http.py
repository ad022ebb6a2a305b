"""Owners give points to one another."""

from typing import assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of
from cloud.errors import CONFLICT, NOT_FOUND, TOO_MANY_TRIES, UNPROCESSABLE, Refused
from cloud.ledger.covered.store import Overfull, Uncovered
from cloud.notice.http import BELL
from cloud.payment.documents import blind
from cloud.payment.purchases.http import BALANCE_MOVED, OWNER, names, no_owner
from cloud.payment.redemptions.http import OVERDRAWN, overdrawn
from cloud.payment.vouchers.http import ACCOUNT_FULL
from cloud.principal import WITH_OWNER
from cloud.sites.problems import UNKNOWN_OWNER
from cloud.wire import time_text

from . import store
from .bodies import GiftBody, GiftItem, GiftsAnswer


async def post_points_transfer(request: web.Request) -> web.Response:
    """Give points to another owner; the same key again tells what was given."""
    community, owner = names(request)
    body, hooks = await body_of(request, GiftBody), request.app[BALANCE_MOVED]
    gift = store.Gift(community, owner, body.to_owner, body.points, body.key)
    made = await request.app[DATABASE].write(store.give, gift, now(request), hooks)
    match made:
        case store.Made(transfer, first):
            request.app[BELL].ring()
            return answer(_item(transfer, owner), 201 if first else 200)
        case Uncovered(_, balance_micro):
            raise overdrawn(balance_micro)
        case Overfull():
            raise Refused(ACCOUNT_FULL, "the other account cannot hold so many points")
        case "no-owner":
            raise no_owner(community, owner)
        case "no-receiver":
            raise Refused(UNKNOWN_OWNER, f"{community} has no owner {body.to_owner}")
        case "own-account":
            raise Refused(UNPROCESSABLE, "these points are there already")
        case "key-taken":
            raise Refused(CONFLICT, f"something else was given as {body.key}")
        case "too-many":
            raise Refused(TOO_MANY_TRIES, f"{store.PER_DAY_MAX} transfers a day are enough")
        case _:
            assert_never(made)


async def get_points_transfers(request: web.Request) -> web.Response:
    """List what an owner gave and was given."""
    (community, owner), page = names(request), query_of(request, PageQuery)
    found = await request.app[DATABASE].read(store.transfers_of, community, owner, page.after, page.limit)
    return answer(GiftsAnswer(transfers=[_item(item, owner) for item in found]))


def _item(item: store.Transfer, owner: str) -> GiftItem:
    given = item.from_owner == owner
    return GiftItem(
        id=item.transfer,
        points_micro=-item.points_micro if given else item.points_micro,
        other_owner=item.to_owner if given else item.from_owner,
        blind=blind(item.secret, owner),
        made_at=time_text(item.made_at),
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        OWNER + "/points-transfers",
        "Give points to another owner: 201 the first time, 200 again",
        post_points_transfer,
        scope=WITH_OWNER,
        body=GiftBody,
        answers={201: GiftItem, 200: GiftItem},
        problems=(NOT_FOUND, UNKNOWN_OWNER, OVERDRAWN, ACCOUNT_FULL, CONFLICT, UNPROCESSABLE, TOO_MANY_TRIES),
    ),
    Endpoint(
        "GET",
        OWNER + "/points-transfers",
        "What an owner gave and was given",
        get_points_transfers,
        scope=WITH_OWNER,
        query=PageQuery,
        answers={200: GiftsAnswer},
    ),
)
