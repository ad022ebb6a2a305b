"""Owners' records for staff, and for each owner its own."""

import secrets

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of, raw_body
from cloud.errors import BODY_TOO_LARGE, CONFLICT, FORBIDDEN, MALFORMED, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import CLOUD_KEY, STAFF, WITH_OWNER, Scope, principal_of
from cloud.sites.access.credentials import SECRET_BYTES, secret_hmac, secret_text
from cloud.sites.access.http import STOPPED, secret_key
from cloud.sites.http import CHANGED
from cloud.wire import time_text
from cloud.wire.session import OWNERS_MAX

from . import store
from .bodies import (
    CARD_WORDS,
    RECORD_BYTES_MAX,
    OwnerAnswer,
    OwnerBody,
    OwnerChangeBody,
    OwnersAnswer,
    RecordBody,
    RecordChangesAnswer,
    SecretAnswer,
    TapItem,
    TapsAnswer,
    answer_of,
    item_of,
)
from .card import holds_card
from .record import By, not_allowed


async def record_of[M: RecordBody](request: web.Request, model: type[M]) -> M:
    """Return the body of a request about an owner's record; it is small, since each text in it is looked through."""
    if len(await raw_body(request)) > RECORD_BYTES_MAX:
        raise Refused(BODY_TOO_LARGE, f"what is kept of an owner has at most {RECORD_BYTES_MAX} bytes")
    return await body_of(request, model)


def by_caller(request: web.Request) -> By:
    """Return who changes a record by this request."""
    principal = principal_of(request)
    return By(principal.subject, principal.scope.value)


def _names(request: web.Request) -> tuple[str, str]:
    return request.match_info["community"], request.match_info["owner"]


async def put_owner(request: web.Request) -> web.Response:
    """Create an owner, or set the members that are sent of one that stands."""
    community, owner = _names(request)
    body = await record_of(request, OwnerBody)
    if holds_card(owner):
        raise Refused(MALFORMED, f"owner in the path {CARD_WORDS}")
    kept = await request.app[DATABASE].write(
        store.put_record,
        community,
        owner,
        body.members(),
        by=by_caller(request),
        now=now(request),
        changed=request.app[CHANGED],
    )
    refuse_unkept(kept, community, owner)
    return await _answer(request)


def refuse_unkept(kept: store.Kept | store.NotKept, community: str, owner: str) -> None:
    """Refuse what could not be kept."""
    match kept:
        case "no-community":
            raise Refused(NOT_FOUND, f"there is no community {community}")
        case "no-owner":
            raise Refused(NOT_FOUND, f"{community} has no owner {owner}")
        case "too-many-owners":
            raise Refused(UNPROCESSABLE, f"a community has at most {OWNERS_MAX} owners")


async def patch_owner(request: web.Request) -> web.Response:
    """Change members of an owner's record; what is not sent stays."""
    community, owner = _names(request)
    members = (await record_of(request, OwnerChangeBody)).members()
    if (why := not_allowed(members, principal_of(request).scope)) is not None:
        raise Refused(FORBIDDEN, why)
    kept = await request.app[DATABASE].write(
        store.change_record,
        community,
        owner,
        members,
        by=by_caller(request),
        now=now(request),
        changed=request.app[CHANGED],
    )
    refuse_unkept(kept, community, owner)
    return await _answer(request)


async def get_owner(request: web.Request) -> web.Response:
    """Tell an owner's record."""
    return await _answer(request)


async def _answer(request: web.Request) -> web.Response:
    community, owner = _names(request)
    found = await request.app[DATABASE].read(store.owner_of, community, owner)
    if found is None:
        raise Refused(NOT_FOUND, f"{community} has no owner {owner}")
    return answer(answer_of(found))


async def get_owners(request: web.Request) -> web.Response:
    """List the owners of a community."""
    page, community = query_of(request, PageQuery), request.match_info["community"]
    found = await request.app[DATABASE].read(store.records_of, community, page.after, page.limit)
    if found is None:
        raise Refused(NOT_FOUND, f"there is no community {community}")
    last = found[-1].owner if len(found) == page.limit else None
    return answer(OwnersAnswer(owners=[answer_of(owner) for owner in found], next=last))


async def get_owner_changes(request: web.Request) -> web.Response:
    """Tell who changed an owner's record, when, and which members."""
    page, (community, owner) = query_of(request, PageQuery), _names(request)
    found = await request.app[DATABASE].read(store.changes_of, community, owner, page.after, page.limit)
    if found is None:
        raise Refused(NOT_FOUND, f"{community} has no owner {owner}")
    last = found[-1].change if len(found) == page.limit else None
    return answer(RecordChangesAnswer(changes=[item_of(change) for change in found], next=last))


async def get_owner_taps(request: web.Request) -> web.Response:
    """List the taps that are an owner's now."""
    page, (community, owner) = query_of(request, PageQuery), _names(request)
    found = await request.app[DATABASE].read(
        store.taps_of, community, owner, now(request), after=page.after, limit=page.limit
    )
    if found is None:
        raise Refused(NOT_FOUND, f"{community} has no owner {owner}")
    taps = [
        TapItem(site=tap.site, site_name=tap.site_name, tap=tap.tap, name=tap.name, since=time_text(tap.since))
        for tap in found
    ]
    last = taps[-1].site if len({tap.site for tap in taps}) == page.limit else None
    return answer(TapsAnswer(taps=taps, next=last))


async def post_owner_secret(request: web.Request) -> web.Response:
    """Give the caller another secret: the old one and every token from before open nothing any more."""
    community, owner = _names(request)
    caller, secret = principal_of(request), secret_text(secrets.token_bytes(SECRET_BYTES))
    renewed = await request.app[DATABASE].write(
        store.renew_secret,
        community,
        owner,
        secret_hmac(secret_key(request.app[CLOUD_KEY]), secret),
        by=by_caller(request),
        generation=caller.generation,
        now=now(request),
    )
    if not renewed:
        raise Refused(CONFLICT, "this client was removed, or has another secret now")
    request.app[STOPPED].forget()
    return answer(SecretAnswer(client_id=caller.subject, client_secret=secret))


OWNERS = "/v1/communities/{community}/owners"
OWNER = OWNERS + "/{owner}"

ENDPOINTS = (
    Endpoint(
        "GET",
        OWNERS,
        "The owners of a community",
        get_owners,
        scope=STAFF,
        query=PageQuery,
        answers={200: OwnersAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "PUT",
        OWNER,
        "Create an owner, or set the members sent of one that stands",
        put_owner,
        scope=STAFF,
        body=OwnerBody,
        answers={200: OwnerAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "PATCH",
        OWNER,
        "Change an owner's record",
        patch_owner,
        scope=WITH_OWNER,
        body=OwnerChangeBody,
        answers={200: OwnerAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        OWNER,
        "An owner's record",
        get_owner,
        scope=WITH_OWNER,
        answers={200: OwnerAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        OWNER + "/changes",
        "Who changed an owner's record, when, and which members",
        get_owner_changes,
        scope=STAFF,
        query=PageQuery,
        answers={200: RecordChangesAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        OWNER + "/taps",
        "The taps of an owner",
        get_owner_taps,
        scope=WITH_OWNER,
        query=PageQuery,
        answers={200: TapsAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        OWNER + "/secret",
        "Give the calling owner's client another secret",
        post_owner_secret,
        scope=Scope.OWNER,
        answers={200: SecretAnswer},
        problems=(CONFLICT,),
    ),
)
