"""Staff keeps the list of a community's devices: one by one, or many from a file."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
import secrets
from typing import assert_never

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, answer, body_of, query_of, raw_body
from cloud.errors import MALFORMED, NOT_FOUND, TOO_MANY_TRIES, UNPROCESSABLE, Refused
from cloud.hub.devices.device import Device
from cloud.hub.devices.store import device_of, devices_page
from cloud.hub.logins.http import DOORS, initial_of
from cloud.hub.logins.secret import INITIAL_BYTES, INITIAL_SECONDS, PURPOSE, initial_hmac, initial_text
from cloud.hub.logins.store import login_of
from cloud.principal import CLOUD_KEY, STAFF, principal_of
from cloud.wire import time_text

from . import sheet as sheets, store
from .bodies import (
    DeviceAddedAnswer,
    DeviceAnswer,
    DeviceBody,
    DeviceChangeBody,
    DevicesAnswer,
    DevicesImportedAnswer,
    DevicesQuery,
    DrawnPassword,
    answer_of,
    item_of,
)
from .problems import DEVICE_HEARD, DEVICE_TAKEN, IMPORT_REFUSED

CHOSEN_MAX = 200  # chosen initial passwords in one file: each takes some 26 ms and 19 MiB to hash
ROWS_TOLD = 500  # bad rows in one answer


def refused(no: store.No, community: str, device: str) -> Refused:
    """Return what is raised for a no; whether an id is another community's device is not told."""
    match no:
        case "no-community":
            return Refused(NOT_FOUND, f"there is no community {community}")
        case "no-device":
            return Refused(NOT_FOUND, f"{community} has no device {device}")
        case "no-site":
            return Refused(UNPROCESSABLE, f"{community} has no such site")
        case "taken":
            return Refused(DEVICE_TAKEN, "choose another id, or look it up on your list")
        case "too-many":
            return Refused(UNPROCESSABLE, f"a community has at most {store.DEVICES_MAX} devices")
        case "heard":
            return Refused(DEVICE_HEARD, "it stays on the list, since the record names it; revoke it instead")
        case _:
            assert_never(no)


async def post_device(request: web.Request) -> web.Response:
    """Put a device on the list; the answer shows its initial password this once."""
    body, community = await body_of(request, DeviceBody), request.match_info["community"]
    device, by, now_ms = body.device_of(community), principal_of(request).subject, request.app[CLOCK_MS]()
    text, initial = None, None
    if body.source is None:
        text, initial = await initial_of(request, body.device, body.initial_password)
    no = await request.app[DATABASE].write(store.add, device, initial, by=by, now_ms=now_ms)
    if no is not None:
        raise refused(no, community, body.device)
    request.app[DOORS].forget(body.device)
    until = None if initial is None else time_text(initial[1])
    added = DeviceAddedAnswer(**item_of(device).model_dump(), initial_password=text, initial_until=until)
    return answer(added, 201)


async def get_devices(request: web.Request) -> web.Response:
    """List a community's devices."""
    query, community = query_of(request, DevicesQuery), request.match_info["community"]
    where = query.model_dump(include={"kind", "state", "source"}, exclude_none=True)
    found = await request.app[DATABASE].read(devices_page, community, where, query.after, query.limit)
    last = found[-1].device if len(found) == query.limit else None
    return answer(DevicesAnswer(devices=[item_of(device) for device in found], next=last))


async def get_device(request: web.Request) -> web.Response:
    """Tell what is known of a device."""
    community, name = request.match_info["community"], request.match_info["device"]
    device = await request.app[DATABASE].read(device_of, community, name)
    if device is None:
        raise refused("no-device", community, name)
    return answer(answer_of(device, await request.app[DATABASE].read(login_of, name)))


async def patch_device(request: web.Request) -> web.Response:
    """Change what is known of a device."""
    community, name = request.match_info["community"], request.match_info["device"]
    body = await body_of(request, DeviceChangeBody)
    values = body.model_dump(include=body.model_fields_set)
    if wrong := [member for member in ("kind", "name") if member in values and values[member] is None]:
        raise Refused(MALFORMED, f"{wrong[0]}: cannot be taken away")
    if len({"latitude_e6", "longitude_e6"} & values.keys()) == 1:
        raise Refused(MALFORMED, "body: a place has a latitude and a longitude")
    by, now_ms = principal_of(request).subject, request.app[CLOCK_MS]()
    after = await request.app[DATABASE].write(store.change, community, name, values, by=by, now_ms=now_ms)
    if not isinstance(after, Device):
        raise refused(after, community, name)
    request.app[DOORS].forget(name)
    return answer(answer_of(after, await request.app[DATABASE].read(login_of, name)))


async def delete_device(request: web.Request) -> web.Response:
    """Take a device off the list that never registered and that nothing was heard of."""
    community, name = request.match_info["community"], request.match_info["device"]
    by, now_ms = principal_of(request).subject, request.app[CLOCK_MS]()
    no = await request.app[DATABASE].write(store.remove, community, name, by=by, now_ms=now_ms)
    if no is not None:
        raise refused(no, community, name)
    request.app[DOORS].forget(name)
    return web.Response(status=204)


async def post_device_import(request: web.Request) -> web.Response:
    """Put all devices of a table on the list, or none where a row is bad; the same file again changes nothing."""
    community = request.match_info["community"]
    sheet = await asyncio.to_thread(sheets.read, await raw_body(request))
    if isinstance(sheet, sheets.BadSheet):
        raise Refused(IMPORT_REFUSED, sheet.why)
    rows = {number: body.device_of(community) for number, body in sheet.rows.items()}
    planned = await request.app[DATABASE].read(store.plan, community, rows)
    drawn, initials = await _initials(request, sheet, _check(planned, sheet.bad, community))
    by, now_ms = principal_of(request).subject, request.app[CLOCK_MS]()
    done = _check(
        await request.app[DATABASE].write(store.import_all, community, rows, initials, by=by, now_ms=now_ms),
        (),
        community,
    )
    names = [device.device for device in done.new.values()]
    for name in names:
        request.app[DOORS].forget(name)
    imported = DevicesImportedAnswer(
        created=len(names),
        existed=done.existed,
        initial_until=time_text(now_ms // 1000 + INITIAL_SECONDS),
        passwords=[DrawnPassword(device=name, initial_password=drawn[name]) for name in names if name in drawn],
    )
    return answer(imported, 201 if names else 200)


def _check(planned: store.Plan | store.No, bad: tuple[sheets.BadRow, ...], community: str) -> store.Plan:
    """Return a plan that can be carried out, or refuse the whole list and say of each bad row why."""
    if not isinstance(planned, store.Plan):
        raise refused(planned, community, "")
    wrong = sorted((*bad, *planned.bad), key=lambda one: one.row)
    if wrong:
        told = [asdict(one) for one in wrong[:ROWS_TOLD]]
        raise Refused(IMPORT_REFUSED, f"{len(wrong)} rows cannot be taken; nothing is kept", rows=told)
    return planned


async def _initials(
    request: web.Request, sheet: sheets.Sheet, planned: store.Plan
) -> tuple[Mapping[str, str], Mapping[str, store.Initial]]:
    """Return the passwords drawn for new devices, and what is kept of these and of the chosen ones."""
    new = [sheet.rows[number] for number in planned.new]
    chosen = [body for body in new if body.initial_password is not None]
    if len(chosen) > CHOSEN_MAX:
        raise Refused(
            IMPORT_REFUSED, f"{len(chosen)} rows choose a password; send {CHOSEN_MAX} at a time, or let us draw them"
        )
    initials = {body.device: (await initial_of(request, body.device, body.initial_password))[1] for body in chosen}
    key = request.app[CLOUD_KEY].derive(PURPOSE)
    until = request.app[CLOCK_MS]() // 1000 + INITIAL_SECONDS
    drawn = {
        body.device: initial_text(secrets.token_bytes(INITIAL_BYTES))
        for body in new
        if body.initial_password is None and body.source is None
    }
    hashes = await asyncio.to_thread(lambda: {name: initial_hmac(key, name, text) for name, text in drawn.items()})
    return drawn, initials | {name: (kept, until) for name, kept in hashes.items()}


DEVICES = "/v1/communities/{community}/devices"

ENDPOINTS = (
    Endpoint(
        "POST",
        DEVICES,
        "Put a device on the list",
        post_device,
        scope=STAFF,
        body=DeviceBody,
        answers={201: DeviceAddedAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, DEVICE_TAKEN, TOO_MANY_TRIES),
    ),
    Endpoint(
        "POST",
        f"{DEVICES}/import",
        "Put the devices of a table on the list: 201 some are new, 200 all stood so already",
        post_device_import,
        scope=STAFF,
        bytes_body=True,
        body_type="text/csv",
        answers={201: DevicesImportedAnswer, 200: DevicesImportedAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, IMPORT_REFUSED, TOO_MANY_TRIES),
    ),
    Endpoint(
        "GET",
        DEVICES,
        "The devices of a community",
        get_devices,
        scope=STAFF,
        query=DevicesQuery,
        answers={200: DevicesAnswer},
    ),
    Endpoint(
        "GET",
        DEVICES + "/{device}",
        "A device",
        get_device,
        scope=STAFF,
        answers={200: DeviceAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "PATCH",
        DEVICES + "/{device}",
        "Change what is known of a device",
        patch_device,
        scope=STAFF,
        body=DeviceChangeBody,
        answers={200: DeviceAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "DELETE",
        DEVICES + "/{device}",
        "Take a device off the list that was never heard of",
        delete_device,
        scope=STAFF,
        answers={204: None},
        problems=(NOT_FOUND, DEVICE_HEARD),
    ),
)
