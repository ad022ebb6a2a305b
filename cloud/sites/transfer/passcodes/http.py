"""Sets the passcodes of taps; hashing goes through a gate, a few at a time, so that nobody can exhaust the machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import logging

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of
from cloud.errors import FORBIDDEN, NOT_FOUND, TOO_MANY_TRIES, ProblemKind, Refused
from cloud.principal import STAFF, WITH_OWNER, Scope, principal_of
from cloud.sites.problems import UNKNOWN_OWNER
from cloud.sites.transfer import store as transfers
from cloud.sites.transfer.asking import No, asker_of
from cloud.sites.transfer.bodies import PasscodeBody, TriesAnswer, TryItem
from cloud.sites.transfer.problems import (
    PASSCODE_NOT_SET,
    PASSCODE_REFUSED,
    PASSCODE_SET,
    SAME_OWNER,
    TRANSFER_CONFLICT,
    TRANSFER_PENDING,
)
from cloud.wire import time_text

from . import store
from .argon import hashed

HASHES_AT_ONCE = 2  # each takes 19 MiB and a core
HASHES_WAITING_MAX = 20  # about half a second's work
RETRY_AFTER_S = 2

LOGGER = logging.getLogger(__name__)

SAID: dict[No, tuple[ProblemKind, str]] = {
    "not-found": (NOT_FOUND, "the site has no such tap"),
    "forbidden": (FORBIDDEN, "the passcode of this tap is not yours to set"),
    "passcode-refused": (PASSCODE_REFUSED, "the passcode is wrong"),
    "passcode-not-set": (PASSCODE_NOT_SET, "the tap's owner sets a passcode first"),
    "passcode-set": (PASSCODE_SET, "only the tap's owner, or staff, can set another one"),
    "same-owner": (SAME_OWNER, "the tap would not change hands"),
    "unknown-owner": (UNKNOWN_OWNER, "the community has no such owner"),
    "transfer-pending": (TRANSFER_PENDING, "wait until the site has carried it out"),
    "transfer-conflict": (TRANSFER_CONFLICT, "this id is another transfer's, or the tap changed meanwhile"),
}


class Gate:
    """Lets a few callers hash at a time, a few more wait, and sends the others away."""

    def __init__(self) -> None:
        """Begin with nobody inside."""
        self._free = asyncio.Semaphore(HASHES_AT_ONCE)
        self._here = 0

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """Wait for a place; raises Refused where too many wait already."""
        if self._here >= HASHES_AT_ONCE + HASHES_WAITING_MAX:
            raise Refused(TOO_MANY_TRIES, "too many passcodes at once, come again", retry_after_s=RETRY_AFTER_S)
        self._here += 1
        try:
            async with self._free:
                yield
        finally:
            self._here -= 1


GATE = web.AppKey("passcode_gate", Gate)


def place_of(request: web.Request) -> tuple[str, str, str]:
    """Return community, site and tap of a request; a site's own path does not name its community."""
    community = request.match_info.get("community") or principal_of(request).community
    assert community is not None
    return community, request.match_info["site"], request.match_info["tap"]


def refused(no: No) -> Refused:
    """Return what is raised for a no."""
    return Refused(*SAID[no])


async def put_passcode(request: web.Request) -> web.Response:
    """Set the passcode a tap can be transferred with."""
    body, by = await body_of(request, PasscodeBody), asker_of(principal_of(request))
    async with request.app[GATE].passed():
        argon2id = await asyncio.to_thread(hashed, body.passcode)
    place = place_of(request)
    no = await request.app[DATABASE].write(transfers.keep_passcode, place, argon2id, by=by, now=now(request))
    if no is not None:
        raise refused(no)
    LOGGER.info("passcode set", extra={"place": "/".join(place), "by": by.key})
    return web.Response(status=204)


async def put_site_passcode(request: web.Request) -> web.Response:
    """Set the first passcode of a tap of the site's main owner."""
    return await put_passcode(request)


async def get_tries(request: web.Request) -> web.Response:
    """List who tried a tap's passcode, and when."""
    page = query_of(request, PageQuery)
    found = await request.app[DATABASE].read(store.tries, place_of(request), page.after, page.limit)
    return answer(
        TriesAnswer(
            tries=[
                TryItem(id=one.id, tried_at=time_text(one.tried_at), tried_by=one.tried_by, outcome=one.outcome)
                for one in found
            ]
        )
    )


TAP = "/v1/communities/{community}/sites/{site}/taps/{tap}"

ENDPOINTS = (
    Endpoint(
        "PUT",
        f"{TAP}/passcode",
        "Set the passcode a tap can be transferred with",
        put_passcode,
        scope=WITH_OWNER,
        body=PasscodeBody,
        answers={204: None},
        problems=(FORBIDDEN, NOT_FOUND, TOO_MANY_TRIES, TRANSFER_PENDING),
    ),
    Endpoint(
        "PUT",
        "/v1/sites/{site}/taps/{tap}/passcode",
        "Set the first passcode of a tap of the site's main owner",
        put_site_passcode,
        scope=Scope.SITE,
        body=PasscodeBody,
        answers={204: None},
        problems=(FORBIDDEN, NOT_FOUND, TOO_MANY_TRIES, TRANSFER_PENDING, PASSCODE_SET),
    ),
    Endpoint(
        "GET",
        f"{TAP}/passcode-tries",
        "Who tried the passcode of a tap",
        get_tries,
        scope=STAFF,
        query=PageQuery,
        answers={200: TriesAnswer},
    ),
)
