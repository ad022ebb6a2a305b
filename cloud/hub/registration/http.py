"""Lets a system in with its initial password, and takes its first data in the same message; tells it what is known."""

import asyncio
import logging
import secrets
from typing import Any

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, address_of, answer, body_of
from cloud.errors import NOT_AUTHORISED, TOO_MANY_TRIES, ProblemKind, Refused
from cloud.hub.devices.device import Device
from cloud.hub.devices.listing.bodies import item_of
from cloud.hub.devices.store import device_of, sender_of_device
from cloud.hub.logins.http import DOORS, TELL_LOGIN
from cloud.hub.logins.secret import PURPOSE, SECRET_BYTES, initial_opens, secret_hmac, secret_text
from cloud.hub.logins.store import login_of
from cloud.hub.messages.http import HUB
from cloud.principal import CLOUD_KEY, Scope, principal_of
from cloud.sites.access.pairing import counted_address
from cloud.sites.transfer.passcodes.http import GATE

from . import store
from .bodies import FirstContactBody, FirstMessage, FirstTaken, OwnDeviceAnswer, RegisteredDeviceAnswer, first_taken

LOGGER = logging.getLogger(__name__)

REGISTRATION_REFUSED = ProblemKind("registration-refused", 403, "This device and initial password let nobody in")
REFUSED = "unknown device, or its initial password is wrong, used, expired or locked; ask who put it on the list"


async def post_device_registration(request: web.Request) -> web.Response:
    """Give a device its unique password for its initial one, once; then take its first message, if it has one."""
    body, now_ms = await body_of(request, FirstContactBody), request.app[CLOCK_MS]()
    address = counted_address(address_of(request))
    key = request.app[CLOUD_KEY].derive(PURPOSE)
    _check(await request.app[DATABASE].read(store.wait_of, address, now_ms // 1000))
    async with request.app[GATE].passed():  # a try that is sent away here was not looked at, and is not counted
        tried = _check(await request.app[DATABASE].write(store.begin, body.device, address, now_ms // 1000))
        right = await asyncio.to_thread(initial_opens, tried.kept, key, body.device, body.initial_password)
    secret = secret_text(secrets.token_bytes(SECRET_BYTES))
    device = await _register(request, body, tried, secret, address=address, now_ms=now_ms) if right else None
    if device is None:
        await _refuse(request, body.device, address, tried, now_ms)
        raise Refused(REGISTRATION_REFUSED, REFUSED)
    request.app[DOORS].forget(device.device)
    taken = None if body.message is None else await _take(request, device, body.message, now_ms)
    registered = RegisteredDeviceAnswer(
        community=device.community, device=device.device, password=secret, message=taken
    )
    return answer(registered, 201)


def _check[T](found: T | store.Wait) -> T:
    """Return what was found, or send away an address that must wait."""
    if isinstance(found, store.Wait):
        raise Refused(TOO_MANY_TRIES, "too many wrong initial passwords, wait", retry_after_s=found.seconds)
    return found


async def _register(
    request: web.Request, body: FirstContactBody, tried: store.Try, secret: str, *, address: str, now_ms: int
) -> Device | None:
    key = request.app[CLOUD_KEY].derive(PURPOSE)
    filled: dict[str, Any] = body.model_dump(exclude={"device", "initial_password", "message"}, exclude_none=True)
    return await request.app[DATABASE].write(
        store.register,
        body.device,
        tried,
        (secret, secret_hmac(key, body.device, secret)),
        filled,
        address=address,
        tell=request.app[TELL_LOGIN],
        now_ms=now_ms,
    )


async def _refuse(request: web.Request, device: str, address: str, tried: store.Try, now_ms: int) -> None:
    if await request.app[DATABASE].write(store.end_wrong, device, address, tried, now_ms):
        await request.app[DATABASE].write(store.note_address_locked, address, now_ms)


async def _take(request: web.Request, device: Device, message: FirstMessage, now_ms: int) -> FirstTaken:
    """Take the first message; the device is registered whatever becomes of it, so nothing of this is refused."""
    sender = await request.app[DATABASE].read(sender_of_device, device.community, device.device)
    address = counted_address(address_of(request))
    taking = request.app[HUB].take(sender, "push", message.raw(), now_ms, hint=message.format, address=address)
    [taken] = await asyncio.gather(taking, return_exceptions=True)
    if isinstance(taken, BaseException):  # the password must be answered whatever happens: it is shown this once
        LOGGER.error("a first message could not be taken", exc_info=taken, extra={"device": device.device})
        return FirstTaken(result="unavailable")
    return first_taken(taken)


async def get_own_device(request: web.Request) -> web.Response:
    """Tell a device what the hub knows of it."""
    principal = principal_of(request)
    assert principal.community is not None
    device = await request.app[DATABASE].read(device_of, principal.community, principal.subject)
    login = await request.app[DATABASE].read(login_of, principal.subject)
    if device is None or login is None:
        raise Refused(NOT_AUTHORISED, "no device has this id and password")
    rotating = login.next_hmac is not None
    members = item_of(device).model_dump()
    return answer(OwnDeviceAnswer(**members, community=device.community, rotating=rotating))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/hub/devices",
        "Register a device with its initial password, once",
        post_device_registration,
        body=FirstContactBody,
        answers={201: RegisteredDeviceAnswer},
        problems=(REGISTRATION_REFUSED, TOO_MANY_TRIES),
    ),
    Endpoint(
        "GET",
        "/v1/hub/device",
        "What the hub knows of the device that asks",
        get_own_device,
        scope=Scope.DEVICE,
        answers={200: OwnDeviceAnswer},
    ),
)
