"""Takes messages by HTTPS, from devices themselves or uploaded by staff, and shows what became of them."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
import json
from typing import Any, assert_never

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, address_of, answer, query_of, raw_body
from cloud.errors import CONFLICT, MALFORMED, NOT_FOUND, TOO_MANY_TRIES, ProblemKind, Refused
from cloud.hub.clocks.http import notice_item
from cloud.hub.devices.store import device_of, sender_of_device
from cloud.principal import STAFF, Scope, principal_of
from cloud.wire import SENT_HEADER
from cloud.wire.strict import INTEGER_MAX

from .bodies import FaultItem, FormatQuery, MessageAnswer, MessageItem, MessagesAnswer, MessagesQuery, TakenAnswer
from .job import Intake
from .listing import store
from .listing.store import Kept
from .message import Fault, Taken
from .outcome import plain_faults

HUB = web.AppKey("hub", Intake)
NOT_TAKEN = ProblemKind("not-taken", 422, "Nothing of this message could be taken; its bytes are kept")


async def push_readings(request: web.Request) -> web.Response:
    """Take a message of the device that sends it."""
    query, device = query_of(request, FormatQuery), principal_of(request)
    received_ms, sent_ms, hub = request.app[CLOCK_MS](), _sent_ms(request), request.app[HUB]
    assert device.community is not None
    sender = await hub.sender(device.community, device.subject, received_ms)
    raw, address = await raw_body(request), address_of(request)
    taken = await hub.take(sender, "push", raw, received_ms, hint=query.format, sent_ms=sent_ms, address=address)
    return _answer(taken)


async def post_device_readings(request: web.Request) -> web.Response:
    """Take a message that staff uploads for a device, such as a table of prices."""
    query, raw, received_ms = query_of(request, FormatQuery), await raw_body(request), request.app[CLOCK_MS]()
    community, device = request.match_info["community"], request.match_info["device"]
    if await request.app[DATABASE].read(device_of, community, device) is None:
        raise Refused(NOT_FOUND, f"{community} has no device {device}")
    found = await request.app[DATABASE].read(sender_of_device, community, device)
    sender = replace(found, who=principal_of(request).subject)
    address = address_of(request)
    taken = await request.app[HUB].take(sender, "upload", raw, received_ms, hint=query.format, address=address)
    return _answer(taken)


def _sent_ms(request: web.Request) -> int | None:
    text = request.headers.get(SENT_HEADER)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 16 or int(text) > INTEGER_MAX:
        raise Refused(MALFORMED, f"{SENT_HEADER} is not a whole number of milliseconds")
    return int(text)


def _answer(taken: Taken) -> web.Response:
    if taken.faults and not (taken.stored or taken.existed or taken.revised):
        raise Refused(NOT_TAKEN, _told(taken.faults), message=taken.message, reason=taken.faults[0].reason)
    return answer(taken_answer(taken), 201 if taken.stored or taken.revised else 200)


def taken_answer(taken: Taken) -> TakenAnswer:
    """Return what became of a message, as it is answered."""
    return TakenAnswer(
        message=taken.message,
        stored=taken.stored,
        existed=taken.existed,
        revised=taken.revised,
        fault_count=len(taken.faults),
        faults=[FaultItem.model_validate(fault) for fault in plain_faults(taken.faults)],
        clock=notice_item(taken.notice),
    )


def _told(faults: Sequence[Fault]) -> str:
    """Return the first faults in one line."""
    told = [_words(fault) for fault in plain_faults(faults[:3])]
    more = len(faults) - len(told)
    return "; ".join([*told, f"and {more} more"] if more else told)[:1000]


def _words(fault: Mapping[str, str | int | None]) -> str:
    where = f" {fault['where']}" if fault["where"] else ""
    return f"{'' if fault['row'] is None else f'row {fault["row"]}: '}{fault['reason']}{where}: {fault['why']}"


async def get_messages(request: web.Request) -> web.Response:
    """List a community's messages, without their bytes."""
    query, community = query_of(request, MessagesQuery), request.match_info["community"]
    found = await request.app[DATABASE].read(
        store.messages_of, community, who=query.who, faults=query.faults, after=query.after, limit=query.limit
    )
    items = [MessageItem(**_members(kept)) for kept in found]
    return answer(MessagesAnswer(messages=items, next=found[-1].message if len(found) == query.limit else None))


def _members(kept: Kept) -> dict[str, Any]:
    return {
        "message": kept.message,
        "who": kept.who,
        "device": kept.device,
        "way": kept.way,
        "received_at_ms": kept.received_ms,
        "sent_at_ms": kept.sent_ms,
        "format": kept.format,
        "version": kept.version,
        "hash": kept.hash,
        "bytes": kept.bytes,
        "stored": kept.stored,
        "existed": kept.existed,
        "revised": kept.revised,
        "fault_count": kept.faults,
        "faults": [] if kept.fault is None else [FaultItem(**fault) for fault in json.loads(kept.fault)],
    }


async def get_message(request: web.Request) -> web.Response:
    """Show one message with its bytes."""
    community, message = request.match_info["community"], request.match_info["message"]
    found = await request.app[DATABASE].read(store.message_of, community, message)
    if found is None:
        raise Refused(NOT_FOUND, f"{community} has no message {message}")
    kept, raw = found
    return answer(MessageAnswer(**_members(kept), raw=None if raw is None else b64encode(raw).decode()))


async def post_message_again(request: web.Request) -> web.Response:
    """Take a kept message again: after its format was mended, or its device was registered."""
    community, message = request.match_info["community"], request.match_info["message"]
    taken = await request.app[HUB].again(community, message, request.app[CLOCK_MS]())
    match taken:
        case "unknown":
            raise Refused(NOT_FOUND, f"{community} has no message {message}")
        case "gone":
            raise Refused(CONFLICT, "the policy has let its bytes go")
        case Taken():
            return answer(taken_answer(taken))
        case _:
            assert_never(taken)


COMMUNITY = "/v1/communities/{community}"

ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/hub/readings",
        "Push readings: 201 stored, all or in part; 200 nothing new",
        push_readings,
        scope=Scope.DEVICE,
        query=FormatQuery,
        bytes_body=True,
        body_type="*/*",
        answers={201: TakenAnswer, 200: TakenAnswer},
        problems=(NOT_TAKEN, TOO_MANY_TRIES),
    ),
    Endpoint(
        "POST",
        COMMUNITY + "/devices/{device}/readings",
        "Upload readings for a device: 201 stored, all or in part; 200 nothing new",
        post_device_readings,
        scope=STAFF,
        query=FormatQuery,
        bytes_body=True,
        body_type="*/*",
        answers={201: TakenAnswer, 200: TakenAnswer},
        problems=(NOT_TAKEN, NOT_FOUND),
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/hub/messages",
        "What arrived, and what became of it",
        get_messages,
        scope=STAFF,
        query=MessagesQuery,
        answers={200: MessagesAnswer},
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/hub/messages/{message}",
        "A message with its bytes",
        get_message,
        scope=STAFF,
        answers={200: MessageAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        COMMUNITY + "/hub/messages/{message}/again",
        "Take a message again with today's formats",
        post_message_again,
        scope=STAFF,
        answers={200: TakenAnswer},
        problems=(NOT_FOUND, CONFLICT),
    ),
)
