"""Operators register formats, try them on bytes before that, and take them out of use; staff and upper systems read."""

import asyncio

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of
from cloud.errors import CONFLICT, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.hub.messages.bodies import FaultItem
from cloud.hub.messages.http import HUB
from cloud.principal import READERS, Scope, principal_of
from cloud.wire import parse_time

from . import store
from .bodies import (
    SHOWN_MAX,
    DryRunAnswer,
    DryRunBody,
    FormatItem,
    FormatsAnswer,
    VersionsAnswer,
    dry_reading,
    fault_item,
    kept_item,
    own_item,
    version_item,
)
from .book import Book, Format
from .builtin import BUILT_IN
from .compiled import compiled
from .definition import Definition
from .dry_run import NOBODY, Outcome, dry_run
from .path import DefinitionError


async def put_format(request: web.Request) -> web.Response:
    """Register a format, or its next version where it differs from the one in use."""
    definition, code = await body_of(request, Definition), request.match_info["format"]
    _not_ours(code)
    try:
        compiled(code, 1, definition)
    except DefinitionError as error:
        raise Refused(UNPROCESSABLE, f"the definition cannot be used: {error}") from None
    by = principal_of(request).subject
    kept = await request.app[DATABASE].write(store.put_format, code, definition, by, now(request))
    if kept == "too-many":
        raise Refused(UNPROCESSABLE, f"there are {store.FORMATS_MAX} formats, as many as there can be")
    request.app[HUB].forget_formats()
    return answer(kept_item(kept.kept), 201 if kept.new else 200)


def _not_ours(code: str) -> None:
    if code in BUILT_IN or code == NOBODY:
        raise Refused(CONFLICT, f"{code} is the hub's own; choose another code")


async def get_formats(request: web.Request) -> web.Response:
    """List formats by code: the hub's own and those that are registered, retired ones too."""
    page = query_of(request, PageQuery)
    kept = await request.app[DATABASE].read(store.newest_of_each, page.after, page.limit)
    ours = [_item(own) for code, own in BUILT_IN.items() if code > page.after]
    items = sorted([*ours, *map(kept_item, kept)], key=lambda item: item.format)[: page.limit]
    return answer(FormatsAnswer(formats=items, next=items[-1].format if len(items) == page.limit else None))


def _item(own: Format) -> FormatItem:
    return FormatItem.model_validate(own_item(own).model_dump(exclude={"definition"}))


async def get_format(request: web.Request) -> web.Response:
    """Read every version of a format."""
    code = request.match_info["format"]
    if (own := BUILT_IN.get(code)) is not None:
        return answer(VersionsAnswer(versions=[own_item(own)]))
    versions = await request.app[DATABASE].read(store.versions_of, code)
    if not versions:
        raise Refused(NOT_FOUND, f"there is no format {code}")
    return answer(VersionsAnswer(versions=[version_item(kept) for kept in versions]))


async def post_format_retire(request: web.Request) -> web.Response:
    """Take a format out of use: no message is read by it any more; what was read by it stays."""
    code = request.match_info["format"]
    _not_ours(code)
    by = principal_of(request).subject
    kept = await request.app[DATABASE].write(store.retire, code, by, now(request))
    if kept is None:
        raise Refused(NOT_FOUND, f"there is no format {code}")
    request.app[HUB].forget_formats()
    return answer(kept_item(kept))


async def post_formats_dry_run(request: web.Request) -> web.Response:
    """Read bytes as a message would be read, and keep nothing."""
    body = await body_of(request, DryRunBody)
    received_ms = request.app[CLOCK_MS]()
    if body.received_at is not None:
        received_ms = parse_time(body.received_at, "received_at") * 1000
    book = await request.app[DATABASE].read(store.book_of)
    return answer(await asyncio.to_thread(_tried, body, book, received_ms))


def _tried(body: DryRunBody, book: Book, received_ms: int) -> DryRunAnswer:
    hint = body.format
    if body.definition is not None:
        hint = body.format or NOBODY
        try:
            book = book.with_format(compiled(hint, 1, body.definition))
        except DefinitionError as error:
            fault = FaultItem(row=None, reason="wrong-definition", where=error.where, why=error.why)
            return _told(Outcome((), None, (), ()), [fault])
    outcome = dry_run(book, body.raw(), received_ms, hint)
    return _told(outcome, [fault_item(fault) for fault in outcome.faults])


def _told(outcome: Outcome, faults: list[FaultItem]) -> DryRunAnswer:
    parsed = outcome.parsed
    return DryRunAnswer(
        found=list(outcome.found),
        format=None if parsed is None else parsed.format,
        version=None if parsed is None else parsed.version,
        sent_ms=None if parsed is None else parsed.sent_ms,
        count=len(outcome.readings),
        readings=[dry_reading(reading, row) for reading, row in outcome.readings[:SHOWN_MAX]],
        faults=faults,
    )


FORMATS = "/v1/hub/formats"

ENDPOINTS = (
    Endpoint(
        "GET",
        FORMATS,
        "The formats the hub reads",
        get_formats,
        scope=READERS,
        query=PageQuery,
        answers={200: FormatsAnswer},
    ),
    Endpoint(
        "POST",
        FORMATS + "/dry-run",
        "Try a format on bytes; nothing is kept",
        post_formats_dry_run,
        scope=Scope.OPERATOR,
        body=DryRunBody,
        answers={200: DryRunAnswer},
    ),
    Endpoint(
        "PUT",
        FORMATS + "/{format}",
        "Register a format: 201 a new version, 200 it stood so already",
        put_format,
        scope=Scope.OPERATOR,
        body=Definition,
        answers={201: FormatItem, 200: FormatItem},
        problems=(CONFLICT, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        FORMATS + "/{format}",
        "Every version of a format",
        get_format,
        scope=READERS,
        answers={200: VersionsAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        FORMATS + "/{format}/retire",
        "Take a format out of use",
        post_format_retire,
        scope=Scope.OPERATOR,
        answers={200: FormatItem},
        problems=(NOT_FOUND, CONFLICT),
    ),
)
