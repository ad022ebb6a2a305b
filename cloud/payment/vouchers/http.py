"""Staff makes vouchers, an owner shows a code and has its points."""

import secrets
from typing import assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, address_of, answer, body_of, now, query_of
from cloud.errors import CONFLICT, NOT_FOUND, TOO_MANY_TRIES, UNPROCESSABLE, ProblemKind, Refused
from cloud.notice.http import BELL
from cloud.payment.purchases.http import BALANCE_MOVED, OWNER, names, no_owner, time_or_none
from cloud.principal import CLOUD_KEY, STAFF, WITH_OWNER, principal_of
from cloud.sites.access.pairing import CODE_BYTES, code_hmac, code_text, counted_address
from cloud.wire import parse_time, time_text

from . import store
from .bodies import (
    NewVoucher,
    NewVouchersAnswer,
    VoucherAnswer,
    VoucherCodeBody,
    VoucherItem,
    VouchersAnswer,
    VouchersBody,
)

VOUCHER_REFUSED = ProblemKind("voucher-refused", 403, "This code is worth nothing here")
ACCOUNT_FULL = ProblemKind("account-full", 409, "The account cannot hold more")


async def post_vouchers(request: web.Request) -> web.Response:
    """Make vouchers; their codes are shown in this answer and never again."""
    community, body, at = request.match_info["community"], await body_of(request, VouchersBody), now(request)
    expires_at = None if body.expires_at is None else parse_time(body.expires_at, "expires_at")
    if expires_at is not None and expires_at <= at:
        raise Refused(UNPROCESSABLE, "expires_at is over already")
    codes = [code_text(secrets.token_bytes(CODE_BYTES)) for _ in range(body.count)]
    kept = [code_hmac(_code_key(request), code) for code in codes]
    by = principal_of(request).subject
    ids = await request.app[DATABASE].write(
        store.issue, community, kept, points=body.points, expires_at=expires_at, by=by, now=at
    )
    if ids is None:
        raise Refused(NOT_FOUND, f"there is no community {community}")
    made = [NewVoucher(id=voucher, code=code) for voucher, code in zip(ids, codes, strict=True)]
    return answer(NewVouchersAnswer(points=body.points, expires_at=body.expires_at, vouchers=made), 201)


def _code_key(request: web.Request) -> bytes:
    return request.app[CLOUD_KEY].derive("voucher code")


async def get_vouchers(request: web.Request) -> web.Response:
    """List the vouchers of a community."""
    page = query_of(request, PageQuery)
    found = await request.app[DATABASE].read(store.vouchers_of, request.match_info["community"], page.after, page.limit)
    return answer(VouchersAnswer(vouchers=[_item(voucher) for voucher in found]))


def _item(voucher: store.Voucher) -> VoucherItem:
    return VoucherItem(
        id=voucher.voucher,
        points_micro=voucher.points_micro,
        issued_at=time_text(voucher.issued_at),
        issued_by=voucher.issued_by,
        expires_at=time_or_none(voucher.expires_at),
        redeemed_by=voucher.redeemed_by,
        redeemed_at=time_or_none(voucher.redeemed_at),
        revoked_at=time_or_none(voucher.revoked_at),
    )


async def revoke_voucher(request: web.Request) -> web.Response:
    """Take back a voucher that nobody has redeemed."""
    community, voucher = request.match_info["community"], request.match_info["id"]
    verdict = await request.app[DATABASE].write(store.revoke, community, voucher, now(request))
    match verdict:
        case "revoked":
            return web.Response(status=204)
        case "redeemed":
            raise Refused(CONFLICT, "somebody has redeemed this voucher")
        case "no-voucher":
            raise Refused(NOT_FOUND, "the community has no such voucher")
        case _:
            assert_never(verdict)


async def post_voucher_code(request: web.Request) -> web.Response:
    """Give an owner the points of a code; the same owner showing it again hears the same."""
    community, owner = names(request)
    body, hooks = await body_of(request, VoucherCodeBody), request.app[BALANCE_MOVED]
    given = await request.app[DATABASE].write(
        store.redeem,
        community,
        owner,
        code_hmac(_code_key(request), body.code),
        address=counted_address(address_of(request)),
        now=now(request),
        hooks=hooks,
    )
    match given:
        case store.Given(voucher, first):
            request.app[BELL].ring()
            return answer(VoucherAnswer(id=voucher.voucher, points_micro=voucher.points_micro), 201 if first else 200)
        case store.Wait(seconds):
            raise Refused(TOO_MANY_TRIES, "too many wrong codes, wait", retry_after_s=seconds)
        case "refused":
            raise Refused(VOUCHER_REFUSED, "the code is wrong, used or expired; ask who gave it to you")
        case "account-full":
            raise Refused(ACCOUNT_FULL, "the account cannot hold so many points")
        case "no-owner":
            raise no_owner(community, owner)
        case _:
            assert_never(given)


VOUCHERS = "/v1/communities/{community}/vouchers"

ENDPOINTS = (
    Endpoint(
        "POST",
        VOUCHERS,
        "Make vouchers",
        post_vouchers,
        scope=STAFF,
        body=VouchersBody,
        answers={201: NewVouchersAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        VOUCHERS,
        "The vouchers of a community",
        get_vouchers,
        scope=STAFF,
        query=PageQuery,
        answers={200: VouchersAnswer},
    ),
    Endpoint(
        "POST",
        VOUCHERS + "/{id}/revoke",
        "Take back a voucher that nobody has redeemed",
        revoke_voucher,
        scope=STAFF,
        answers={204: None},
        problems=(NOT_FOUND, CONFLICT),
    ),
    Endpoint(
        "POST",
        OWNER + "/vouchers",
        "Redeem the code of a voucher: 201 the first time, 200 again",
        post_voucher_code,
        scope=WITH_OWNER,
        body=VoucherCodeBody,
        answers={201: VoucherAnswer, 200: VoucherAnswer},
        problems=(NOT_FOUND, VOUCHER_REFUSED, TOO_MANY_TRIES, ACCOUNT_FULL),
    ),
)
