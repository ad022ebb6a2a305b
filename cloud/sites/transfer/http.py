"""Transfers: asked for with the tap's passcode, listed for staff and for either owner, told to the site."""

import asyncio
import logging

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of, signed_answer
from cloud.errors import FORBIDDEN, NOT_FOUND, TOO_MANY_TRIES, ProblemKind, Refused
from cloud.principal import READERS, WITH_OWNER, Scope, principal_of, site_of
from cloud.sites.problems import UNKNOWN_OWNER

from . import store
from .asking import Asked, asker_of
from .bodies import TapStandingsMessage, TransferAnswer, TransferBody, TransfersAnswer, answer_of
from .effect import Transfer
from .passcodes import http as passcodes_http
from .passcodes.argon import opens
from .passcodes.http import GATE, TAP, place_of, refused
from .problems import PASSCODE_NOT_SET, PASSCODE_REFUSED, SAME_OWNER, TRANSFER_CONFLICT, TRANSFER_PENDING
from .store import Begun, Locked, Tell

TELL_OWNER: web.AppKey[Tell] = web.AppKey("tell_owner")  # how a site hears that a tap changes hands; wired by the app
LOGGER = logging.getLogger(__name__)


async def post_transfer(request: web.Request) -> web.Response:
    """Let a tap pass to another owner: 201 pending from now on, 200 it was asked for already."""
    body, (community, site, tap) = await body_of(request, TransferBody), place_of(request)
    asked = Asked(community, site, tap, body.id, body.to_owner, asker_of(principal_of(request)))
    async with request.app[GATE].passed():
        outcome = await request.app[DATABASE].write(store.begin, asked, now(request))
        match outcome:
            case Transfer():
                return answer(answer_of(outcome))
            case Begun():
                made = await _decided(request, asked, outcome, body.passcode)
            case Locked(wait_s):
                _log(asked, "locked")
                words = f"too many wrong passcodes, wait {wait_s} s"
                raise Refused(TOO_MANY_TRIES, words, retry_after_s=wait_s)
            case _:
                raise refused(outcome)
    return answer(answer_of(made), 201)


async def post_site_transfer(request: web.Request) -> web.Response:
    """Let a tap pass to another owner, asked for at the site itself: 201 pending, 200 it was asked for already."""
    return await post_transfer(request)


async def _decided(request: web.Request, asked: Asked, begun: Begun, passcode: str) -> Transfer:
    """Look at the passcode, outside of any transaction, then finish the try in one."""
    right = await asyncio.to_thread(opens, begun.argon2id, passcode)
    _log(asked, "right" if right else "wrong")
    outcome = await request.app[DATABASE].write(
        store.decide, asked, begun, right=right, now=now(request), tell=request.app[TELL_OWNER]
    )
    if not isinstance(outcome, Transfer):
        raise refused(outcome)
    return outcome


def _log(asked: Asked, outcome: str) -> None:
    about = {"place": "/".join(asked.place), "by": asked.by.key, "to_owner": asked.to_owner}
    LOGGER.info("passcode tried", extra=about | {"outcome": outcome})


async def get_standings(request: web.Request) -> web.Response:
    """Tell a site whose its taps are, and whose they are to become."""
    return signed_answer(request, await request.app[DATABASE].read(store.standings, *site_of(request)))


async def get_site_transfers(request: web.Request) -> web.Response:
    """List the transfers of a site's taps."""
    page, path = query_of(request, PageQuery), request.match_info
    found = await request.app[DATABASE].read(
        store.transfers_at, path["community"], path["site"], page.after, page.limit
    )
    return answer(TransfersAnswer(transfers=[answer_of(each) for each in found]))


async def get_owner_transfers(request: web.Request) -> web.Response:
    """List the transfers from and to an owner, pending ones among them."""
    page, path = query_of(request, PageQuery), request.match_info
    found = await request.app[DATABASE].read(
        store.transfers_with, path["community"], path["owner"], page.after, page.limit
    )
    return answer(TransfersAnswer(transfers=[answer_of(each) for each in found]))


ASKING_PROBLEMS: tuple[ProblemKind, ...] = (
    NOT_FOUND,
    FORBIDDEN,
    TOO_MANY_TRIES,
    UNKNOWN_OWNER,
    SAME_OWNER,
    PASSCODE_REFUSED,
    PASSCODE_NOT_SET,
    TRANSFER_PENDING,
    TRANSFER_CONFLICT,
)


ENDPOINTS = (
    *passcodes_http.ENDPOINTS,
    Endpoint(
        "POST",
        f"{TAP}/transfers",
        "Let a tap pass to another owner: 201 pending from now on, 200 it was asked for already",
        post_transfer,
        scope=WITH_OWNER,
        body=TransferBody,
        answers={201: TransferAnswer, 200: TransferAnswer},
        problems=ASKING_PROBLEMS,
    ),
    Endpoint(
        "POST",
        "/v1/sites/{site}/taps/{tap}/transfers",
        "Let a tap of this site pass to another owner: 201 pending from now on, 200 it was asked for already",
        post_site_transfer,
        scope=Scope.SITE,
        body=TransferBody,
        answers={201: TransferAnswer, 200: TransferAnswer},
        problems=ASKING_PROBLEMS,
    ),
    Endpoint(
        "GET",
        "/v1/sites/{site}/taps",
        "Whose the taps of a site are, and whose they are to become",
        get_standings,
        scope=Scope.SITE,
        answers={200: TapStandingsMessage},
        signed_answer=True,
    ),
    Endpoint(
        "GET",
        "/v1/communities/{community}/sites/{site}/transfers",
        "The transfers of a site's taps",
        get_site_transfers,
        scope=READERS,
        query=PageQuery,
        answers={200: TransfersAnswer},
    ),
    Endpoint(
        "GET",
        "/v1/communities/{community}/owners/{owner}/transfers",
        "The transfers from and to an owner",
        get_owner_transfers,
        scope=(*READERS, Scope.OWNER),
        query=PageQuery,
        answers={200: TransfersAnswer},
    ),
)
