"""Gives connected systems new passwords, each shown once, and shuts the door to those that are lost."""

import secrets

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, answer, body_of
from cloud.errors import NOT_AUTHORISED, NOT_FOUND, TOO_MANY_TRIES, UNPROCESSABLE, Refused
from cloud.hub.devices.listing.problems import NOT_REGISTERED
from cloud.hub.logins import store
from cloud.hub.logins.http import DOORS, TELL_LOGIN, initial_of
from cloud.hub.logins.secret import PURPOSE, SECRET_BYTES, secret_hmac, secret_text
from cloud.principal import CLOUD_KEY, STAFF, Scope, principal_of
from cloud.wire import time_text

from .bodies import InitialAnswer, InitialBody, PasswordAnswer

DEVICE = "/v1/communities/{community}/devices/{device}"


async def post_initial_password(request: web.Request) -> web.Response:
    """Give a device another initial password: the answer to the first contact was lost, or it shall come back."""
    body, (community, device) = await body_of(request, InitialBody), _place(request)
    text, initial = await initial_of(request, device, body.initial_password)
    by, now_ms = principal_of(request).subject, request.app[CLOCK_MS]()
    no = await request.app[DATABASE].write(store.renew_initial, community, device, initial, by=by, now_ms=now_ms)
    match no:
        case "no-device":
            raise _unknown(community, device)
        case "has-source":
            raise Refused(UNPROCESSABLE, "a device that is read through a source has no password of its own")
    request.app[DOORS].forget(device)
    return answer(InitialAnswer(device=device, initial_password=text, initial_until=time_text(initial[1])), 201)


async def post_device_password(request: web.Request) -> web.Response:
    """Give a device another unique password at once: whoever has the one before is out."""
    (community, device), (text, kept) = _place(request), _drawn(request, request.match_info["device"])
    no = await request.app[DATABASE].write(
        store.replace_secret,
        community,
        device,
        (text, kept),
        by=principal_of(request).subject,
        tell=request.app[TELL_LOGIN],
        now_ms=request.app[CLOCK_MS](),
    )
    match no:
        case "no-device":
            raise _unknown(community, device)
        case "not-registered":
            raise Refused(NOT_REGISTERED, "it registers with its initial password first")
    request.app[DOORS].forget(device)
    return answer(PasswordAnswer(device=device, password=text), 201)


async def post_own_password(request: web.Request) -> web.Response:
    """Give the device that asks its next password; the one it has holds until the next is used the first time."""
    principal = principal_of(request)
    assert principal.community is not None
    text, kept = _drawn(request, principal.subject)
    offered = await request.app[DATABASE].write(
        store.offer_next,
        principal.community,
        principal.subject,
        (text, kept),
        tell=request.app[TELL_LOGIN],
        now_ms=request.app[CLOCK_MS](),
    )
    if not offered:
        raise Refused(NOT_AUTHORISED, "no device has this id and password")
    request.app[DOORS].forget(principal.subject)
    return answer(PasswordAnswer(device=principal.subject, password=text), 201)


async def revoke_device(request: web.Request) -> web.Response:
    """Let a device in no more; what it sent stands."""
    community, device = _place(request)
    revoked = await request.app[DATABASE].write(
        store.revoke,
        community,
        device,
        by=principal_of(request).subject,
        tell=request.app[TELL_LOGIN],
        now_ms=request.app[CLOCK_MS](),
    )
    if not revoked:
        raise _unknown(community, device)
    request.app[DOORS].forget(device)
    return web.Response(status=204)


def _place(request: web.Request) -> tuple[str, str]:
    return request.match_info["community"], request.match_info["device"]


def _drawn(request: web.Request, device: str) -> tuple[str, str]:
    """Return a new unique password, and what is kept of it."""
    text = secret_text(secrets.token_bytes(SECRET_BYTES))
    return text, secret_hmac(request.app[CLOUD_KEY].derive(PURPOSE), device, text)


def _unknown(community: str, device: str) -> Refused:
    return Refused(NOT_FOUND, f"{community} has no device {device}")


ENDPOINTS = (
    Endpoint(
        "POST",
        f"{DEVICE}/initial",
        "Another initial password for a device",
        post_initial_password,
        scope=STAFF,
        body=InitialBody,
        answers={201: InitialAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, TOO_MANY_TRIES),
    ),
    Endpoint(
        "POST",
        f"{DEVICE}/password",
        "Another unique password for a device, at once",
        post_device_password,
        scope=STAFF,
        answers={201: PasswordAnswer},
        problems=(NOT_FOUND, NOT_REGISTERED),
    ),
    Endpoint(
        "POST",
        f"{DEVICE}/revoke",
        "Let a device in no more",
        revoke_device,
        scope=STAFF,
        answers={204: None},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        "/v1/hub/password",
        "The next password of the device that asks",
        post_own_password,
        scope=Scope.DEVICE,
        answers={201: PasswordAnswer},
    ),
)
