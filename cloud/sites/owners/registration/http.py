"""Invitations for staff to hand out, and the one door through which an owner comes in with a code."""

import secrets
from typing import Any, assert_never

from aiohttp import web

from cloud.database import new_id
from cloud.endpoint import DATABASE, Endpoint, PageQuery, address_of, answer, body_of, now, query_of
from cloud.errors import BODY_TOO_LARGE, FORBIDDEN, NOT_FOUND, TOO_MANY_TRIES, UNPROCESSABLE, ProblemKind, Refused
from cloud.principal import CLOUD_KEY, STAFF, principal_of
from cloud.sites.access.credentials import SECRET_BYTES, secret_hmac, secret_text
from cloud.sites.access.http import secret_key
from cloud.sites.access.pairing import CODE_BYTES, code_hmac, code_text, counted_address
from cloud.sites.http import CHANGED
from cloud.sites.owners.http import record_of
from cloud.wire import time_text

from . import store
from .bodies import (
    InvitationAnswer,
    InvitationBody,
    InvitationItem,
    InvitationsAnswer,
    RegisteredAnswer,
    RegistrationBody,
)
from .invitation import INVITATION_SECONDS, Invitation, Reason, Refusal, Registered

INVITATION_REFUSED = ProblemKind("invitation-refused", 403, "This code lets nobody in")
OWNER_TAKEN = ProblemKind("owner-taken", 409, "Another owner has this id already")

REFUSALS: dict[Reason, tuple[ProblemKind, str]] = {
    "refused": (
        INVITATION_REFUSED,
        "the code is wrong, used up, withdrawn or expired; ask your community for a new one",
    ),
    "other-owner": (INVITATION_REFUSED, "the invitation is for another owner; leave `owner` out"),
    "owner-missing": (UNPROCESSABLE, "with this invitation a new owner comes in: say which id and name it shall have"),
    "owner-taken": (OWNER_TAKEN, "choose another id; if it is yours, ask your community for an invitation to it"),
    "not-allowed": (FORBIDDEN, "only the community's staff ends prepaid supply"),
    "too-many-owners": (UNPROCESSABLE, "the community has as many owners as it can have"),
    "too-many-clients": (UNPROCESSABLE, "the community has as many clients as it can have"),
    "too-many-tries": (TOO_MANY_TRIES, "too many wrong codes, wait"),
}


async def post_owner_invitation(request: web.Request) -> web.Response:
    """Invite one owner that stands: its code works once."""
    return await _invite(request, request.match_info["owner"], 1)


async def post_invitation(request: web.Request) -> web.Response:
    """Invite so many new owners with one code."""
    return await _invite(request, None, (await body_of(request, InvitationBody)).uses_max)


async def _invite(request: web.Request, owner: str | None, uses_max: int) -> web.Response:
    community, at = request.match_info["community"], now(request)
    invitation = Invitation(
        new_id(),
        community,
        owner,
        uses_max,
        uses=0,
        made_by=principal_of(request).subject,
        created_at=at,
        expires_at=at + INVITATION_SECONDS,
        withdrawn_at=None,
    )
    text = code_text(secrets.token_bytes(CODE_BYTES))
    match await request.app[DATABASE].write(store.add_invitation, code_hmac(_code_key(request), text), invitation):
        case "no-community":
            raise Refused(NOT_FOUND, f"there is no community {community}")
        case "no-owner":
            raise Refused(NOT_FOUND, f"{community} has no owner {owner}")
    return answer(InvitationAnswer(**_members(invitation), code=text), 201)


def _code_key(request: web.Request) -> bytes:
    return request.app[CLOUD_KEY].derive("invitation code")


async def get_invitations(request: web.Request) -> web.Response:
    """List the invitations of a community, without their codes."""
    page, community = query_of(request, PageQuery), request.match_info["community"]
    found = await request.app[DATABASE].read(store.invitations_of, community, page.after, page.limit)
    last = found[-1].invitation if len(found) == page.limit else None
    items = [InvitationItem(**_members(invitation)) for invitation in found]
    return answer(InvitationsAnswer(invitations=items, next=last))


def _members(invitation: Invitation) -> dict[str, Any]:
    withdrawn = invitation.withdrawn_at
    return {
        "invitation": invitation.invitation,
        "owner": invitation.owner,
        "uses_max": invitation.uses_max,
        "uses": invitation.uses,
        "made_by": invitation.made_by,
        "created_at": time_text(invitation.created_at),
        "expires_at": time_text(invitation.expires_at),
        "withdrawn_at": None if withdrawn is None else time_text(withdrawn),
    }


async def delete_invitation(request: web.Request) -> web.Response:
    """Withdraw an invitation: its code lets nobody in any more; who came in with it stays."""
    community, invitation = request.match_info["community"], request.match_info["invitation"]
    if not await request.app[DATABASE].write(store.withdraw, community, invitation, now(request)):
        raise Refused(NOT_FOUND, f"{community} has no invitation {invitation}")
    return web.Response(status=204)


async def post_registration(request: web.Request) -> web.Response:
    """Let an owner in with a code, and give it a client of its own."""
    body, secret = await record_of(request, RegistrationBody), secret_text(secrets.token_bytes(SECRET_BYTES))
    outcome = await request.app[DATABASE].write(
        store.register,
        body.owner,
        body.members(),
        code_hmac=code_hmac(_code_key(request), body.code),
        secret_hmac=secret_hmac(secret_key(request.app[CLOUD_KEY]), secret),
        address=counted_address(address_of(request)),
        now=now(request),
        changed=request.app[CHANGED],
    )
    match outcome:
        case Registered(community, owner, client_id):
            registered = RegisteredAnswer(community=community, owner=owner, client_id=client_id, client_secret=secret)
            return answer(registered, 201)
        case Refusal(reason, wait_s):
            kind, detail = REFUSALS[reason]
            raise Refused(kind, detail, retry_after_s=wait_s)
        case _:
            assert_never(outcome)


COMMUNITY = "/v1/communities/{community}"

ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/owners",
        "Register with an invitation's code",
        post_registration,
        body=RegistrationBody,
        answers={201: RegisteredAnswer},
        problems=(INVITATION_REFUSED, FORBIDDEN, OWNER_TAKEN, UNPROCESSABLE, TOO_MANY_TRIES, BODY_TOO_LARGE),
    ),
    Endpoint(
        "POST",
        COMMUNITY + "/owners/{owner}/invitations",
        "Invite an owner that stands",
        post_owner_invitation,
        scope=STAFF,
        answers={201: InvitationAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        COMMUNITY + "/invitations",
        "Invite new owners",
        post_invitation,
        scope=STAFF,
        body=InvitationBody,
        answers={201: InvitationAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/invitations",
        "The invitations of a community",
        get_invitations,
        scope=STAFF,
        query=PageQuery,
        answers={200: InvitationsAnswer},
    ),
    Endpoint(
        "DELETE",
        COMMUNITY + "/invitations/{invitation}",
        "Withdraw an invitation",
        delete_invitation,
        scope=STAFF,
        answers={204: None},
        problems=(NOT_FOUND,),
    ),
)
