"""Delivers notices: pushed over one WebSocket per site, or asked for; each comes again until it is acknowledged."""

import asyncio
from contextlib import suppress
import logging

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from cloud.endpoint import DATABASE, Endpoint, answer, now
from cloud.errors import NOT_FOUND, Refused, Unavailable
from cloud.principal import CLOUD_KEY, Scope, principal_of, site_of
from cloud.wire import Notice, WireError, to_bytes
from cloud.wire.strict import identifier, load, take

from . import store
from .bodies import NoticesAnswer
from .job import Bell, Listener

BELL = web.AppKey("bell", Bell)
HEARTBEAT_SECONDS = 30
LOOK_SECONDS = 30  # a connection looks by itself this often, should it ever be missed when others are woken
SEND_SECONDS = 20  # a site that does not read this long has to come again
FRAME_BYTES_MAX = 4096  # an acknowledgement is 50 bytes

LOGGER = logging.getLogger(__name__)


async def get_notices(request: web.Request) -> web.Response:
    """List the notices the caller has not acknowledged."""
    waiting = await request.app[DATABASE].read(store.waiting, *site_of(request), now(request))
    return answer(NoticesAnswer(notices=[_signed(request, notice) for notice in waiting]))


def _signed(request: web.Request, notice: Notice) -> str:
    return request.app[CLOUD_KEY].sign_compact(to_bytes(notice))


async def post_ack(request: web.Request) -> web.Response:
    """Note that the caller has a notice; a second time changes nothing."""
    notice = request.match_info["id"]
    if not await request.app[DATABASE].write(store.acknowledge, *site_of(request), notice, now(request)):
        raise Refused(NOT_FOUND, "this site was sent no such notice")
    return web.Response(status=204)


async def get_socket(request: web.Request) -> web.StreamResponse:
    """Push notices to the caller until one of us goes; what the site answers is its acknowledgements."""
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=FRAME_BYTES_MAX, compress=False)
    await socket.prepare(request)
    with request.app[BELL].listening(site_of(request)) as listener:
        pushing = asyncio.create_task(_push(request, socket, listener))
        try:
            await _take_acks(request, socket, listener)
        finally:
            pushing.cancel()
            await asyncio.wait([pushing])
    if not pushing.cancelled() and (error := pushing.exception()) is not None:
        LOGGER.error("pushing notices failed", exc_info=error, extra={"site": principal_of(request).subject})
    return socket


async def _push(request: web.Request, socket: web.WebSocketResponse, listener: Listener) -> None:
    reason = "something unexpected happened"
    try:
        reason = await _push_news(request, socket, listener)
    except TimeoutError, ConnectionError:
        reason = "what is sent is not read"
    except Unavailable:
        reason = "the cloud cannot answer now, try again"
    finally:
        await socket.close(code=WSCloseCode.GOING_AWAY, message=reason.encode())


async def _push_news(request: web.Request, socket: web.WebSocketResponse, listener: Listener) -> str:
    """Send each waiting notice once on this connection, then wait for news; return why this ends."""
    sent: set[str] = set()
    while listener.closing is None:
        left_s = principal_of(request).expires_at - now(request)
        if left_s <= 0:
            return "the access token has expired"
        listener.news.clear()
        waiting = await request.app[DATABASE].read(store.waiting, *site_of(request), now(request))
        for notice in waiting:
            if notice.id not in sent:
                async with asyncio.timeout(SEND_SECONDS):
                    await socket.send_str(_signed(request, notice))
        sent = {notice.id for notice in waiting}
        listener.more = len(waiting) == store.NOTICES_PAGE_MAX
        with suppress(TimeoutError):
            async with asyncio.timeout(min(LOOK_SECONDS, left_s)):
                await listener.news.wait()
    return listener.closing


async def _take_acks(request: web.Request, socket: web.WebSocketResponse, listener: Listener) -> None:
    """Note what the site has; whatever is no acknowledgement ends this connection."""
    async for message in socket:
        try:
            notice = _ack_of(message)
            await request.app[DATABASE].write(store.acknowledge, *site_of(request), notice, now(request))
        except WireError:
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b'only {"ack": "<id>"} is read here')
        except Unavailable:
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"the cloud cannot answer now, try again")
        if listener.more:
            listener.news.set()


def _ack_of(message: WSMessage) -> str:
    if message.type is not WSMsgType.TEXT:
        raise WireError("frame", "is not a text")
    return identifier(take(load(message.data.encode(), "frame"), "ack", "frame"), "frame.ack")


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/sites/{site}/notices",
        "Notices not acknowledged yet",
        get_notices,
        scope=Scope.SITE,
        answers={200: NoticesAnswer},
    ),
    Endpoint(
        "POST",
        "/v1/sites/{site}/notices/{id}/ack",
        "Acknowledge a notice",
        post_ack,
        scope=Scope.SITE,
        answers={204: None},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        "/v1/sites/{site}/ws",
        'WebSocket: each notice as a text frame (compact JWS), answered by {"ack": id}',
        get_socket,
        scope=Scope.SITE,
        answers={101: None},
    ),
)
