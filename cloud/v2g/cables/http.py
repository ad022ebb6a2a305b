"""Cables of an owner: registered with a proof, listed with their history, reported stolen, recovered, revoked."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of, signed_answer
from cloud.errors import NOT_FOUND, UNPROCESSABLE, ProblemKind, Refused
from cloud.notice.http import BELL
from cloud.principal import STAFF, WITH_OWNER, Scope, principal_of, site_of
from cloud.sites import store as sites
from cloud.v2g.http import signed_body
from cloud.wire import time_text
from cloud.wire.ocmf import Refused as NotProven

from . import store
from .bodies import (
    CableAnswer,
    CableChangeItem,
    CableHistoryAnswer,
    CableNoteBody,
    CablesAnswer,
    RecoveredCableBody,
    RegisterCableBody,
)
from .cable import CABLES_OF_OWNER_MAX, By, Cable, State
from .history.store import History, history_of, numbered
from .problems import CABLE_KEY_TAKEN, CABLE_STATE, CABLE_TAKEN, PROOF_REFUSED
from .signature import proven
from .told.store import change_and_tell, register_and_tell

REFUSALS: dict[store.NotRegistered, tuple[ProblemKind, str]] = {
    "no-community": (NOT_FOUND, "there is no such community"),
    "no-owner": (NOT_FOUND, "the community has no such owner"),
    "too-many-cables": (UNPROCESSABLE, f"an owner has at most {CABLES_OF_OWNER_MAX} cables"),
    "cable-taken": (CABLE_TAKEN, "this serial number is registered for another owner or with another key"),
    "key-taken": (CABLE_KEY_TAKEN, "this key is registered for another serial number; every cable has its own"),
}


def _names(request: web.Request) -> tuple[str, str]:
    return request.match_info["community"], request.match_info["owner"]


def by_caller(request: web.Request) -> By:
    """Return who says something of a cable by this request."""
    principal = principal_of(request)
    return By(principal.subject, principal.scope.value)


async def register_cable(request: web.Request) -> web.Response:
    """Register a cable for an owner."""
    cable, created = await _register(request, *_names(request))
    return answer(await _told(request, cable), 201 if created else 200)


async def register_cable_of_site(request: web.Request) -> web.Response:
    """Register a cable for the main owner of the calling site."""
    await signed_body(request)
    cable, created = await _register(request, *await _main_owner(request))
    return signed_answer(request, await _told(request, cable), 201 if created else 200)


async def _register(request: web.Request, community: str, owner: str) -> tuple[Cable, bool]:
    body, at = await body_of(request, RegisterCableBody), now(request)
    proof = proven(body.cable, body.public_key, body.ocmf)
    if isinstance(proof, NotProven):
        raise Refused(PROOF_REFUSED, f"{proof.reason}: {proof.where}")
    key, number = proof
    wanted = Cable(body.cable, community, owner, body.name, key, "active", at, at, number)
    outcome = await request.app[DATABASE].write(register_and_tell, wanted, body.ocmf, by_caller(request), at)
    if isinstance(outcome, str):
        raise Refused(*REFUSALS[outcome])
    request.app[BELL].ring()
    return outcome


async def _main_owner(request: web.Request) -> tuple[str, str]:
    community, site = site_of(request)
    found = await request.app[DATABASE].read(sites.site_of, community, site)
    if found is None:
        raise Refused(NOT_FOUND, "this site is not known any more")
    return community, found.main_owner


async def get_cables(request: web.Request) -> web.Response:
    """List an owner's cables."""
    (community, owner), page = _names(request), query_of(request, PageQuery)
    found = await request.app[DATABASE].read(store.cables_of, community, owner, page.after, page.limit)
    if found is None:
        raise Refused(NOT_FOUND, f"{community} has no owner {owner}")
    last = await request.app[DATABASE].read(numbered, [cable.cable for cable in found], now(request))
    items = [_answer(cable, last[cable.cable]) for cable in found]
    return answer(CablesAnswer(cables=items, next=found[-1].cable if len(found) == page.limit else None))


async def get_cable(request: web.Request) -> web.Response:
    """Tell an owner's cable with its history."""
    found = await request.app[DATABASE].read(history_of, request.match_info["cable"], now(request))
    if found is None or (found.cable.community, found.cable.owner) != _names(request):
        raise _no_cable(request)
    return answer(_history(found))


async def post_stolen(request: web.Request) -> web.Response:
    """Note that a cable was stolen: from now on it moves no energy anywhere."""
    return await _change(request, "stolen", (await body_of(request, CableNoteBody)).note)


async def post_recovered(request: web.Request) -> web.Response:
    """Note that a cable may be used again, and why."""
    return await _change(request, "active", (await body_of(request, RecoveredCableBody)).note)


async def post_revoke(request: web.Request) -> web.Response:
    """Note that a cable's key is not to be believed any more, for good."""
    return await _change(request, "revoked", (await body_of(request, CableNoteBody)).note)


async def _change(request: web.Request, state: State, note: str | None) -> web.Response:
    return answer(await _changed(request, _names(request), state, note))


async def post_stolen_of_site(request: web.Request) -> web.Response:
    """Note that a cable of the calling site's main owner was stolen."""
    await signed_body(request)
    owner, note = await _main_owner(request), (await body_of(request, CableNoteBody)).note
    return signed_answer(request, await _changed(request, owner, "stolen", note))


async def _changed(request: web.Request, owner: tuple[str, str], state: State, note: str | None) -> CableAnswer:
    name, database = request.match_info["cable"], request.app[DATABASE]
    before = await database.read(store.cable_of, name)
    if before is None or (before.community, before.owner) != owner:
        raise _no_cable(request)
    outcome = await database.write(change_and_tell, name, state, by=by_caller(request), note=note, now=now(request))
    match outcome:
        case Cable():
            request.app[BELL].ring()
            return await _told(request, outcome)
        case "no-cable":
            raise _no_cable(request)
        case "revoked":
            raise Refused(CABLE_STATE, "its key was revoked, which is for good")
        case "not-so":
            raise Refused(CABLE_STATE, f"a cable that is {before.state} does not become {state}")


def _no_cable(request: web.Request) -> Refused:
    return Refused(NOT_FOUND, f"the owner has no cable {request.match_info['cable']}")


async def _told(request: web.Request, cable: Cable) -> CableAnswer:
    last = await request.app[DATABASE].read(numbered, [cable.cable], now(request))
    return _answer(cable, last[cable.cable])


def _answer(cable: Cable, last_number: int) -> CableAnswer:
    return CableAnswer(
        cable=cable.cable,
        community=cable.community,
        owner=cable.owner,
        name=cable.name,
        public_key=cable.public_key,
        state=cable.state,
        since=time_text(cable.since),
        registered_at=time_text(cable.registered_at),
        last_number=last_number,
    )


def _history(found: History) -> CableHistoryAnswer:
    history = [
        CableChangeItem(at=time_text(item.at), state=item.state, by=item.by.client, role=item.by.role, note=item.note)
        for item in found.changes
    ]
    return CableHistoryAnswer(**_answer(found.cable, found.last_number).model_dump(), history=history)


OWNERS_CABLES = "/v1/communities/{community}/owners/{owner}/cables"
CABLE = OWNERS_CABLES + "/{cable}"
REGISTER_PROBLEMS = (NOT_FOUND, CABLE_TAKEN, CABLE_KEY_TAKEN, PROOF_REFUSED, UNPROCESSABLE)
CHANGE_PROBLEMS = (NOT_FOUND, CABLE_STATE)

ENDPOINTS = (
    Endpoint(
        "POST",
        OWNERS_CABLES,
        "Register a V2G cable for an owner: 201 created, 200 it was so already",
        register_cable,
        scope=WITH_OWNER,
        body=RegisterCableBody,
        answers={201: CableAnswer, 200: CableAnswer},
        problems=REGISTER_PROBLEMS,
    ),
    Endpoint(
        "GET",
        OWNERS_CABLES,
        "An owner's V2G cables",
        get_cables,
        scope=WITH_OWNER,
        query=PageQuery,
        answers={200: CablesAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        CABLE,
        "A V2G cable with its history",
        get_cable,
        scope=WITH_OWNER,
        answers={200: CableHistoryAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "POST",
        CABLE + "/stolen",
        "A V2G cable was stolen: it moves no energy anywhere any more",
        post_stolen,
        scope=WITH_OWNER,
        body=CableNoteBody,
        answers={200: CableAnswer},
        problems=CHANGE_PROBLEMS,
    ),
    Endpoint(
        "POST",
        CABLE + "/recovered",
        "A V2G cable that was stolen, or seen at two places, may be used again",
        post_recovered,
        scope=STAFF,
        body=RecoveredCableBody,
        answers={200: CableAnswer},
        problems=CHANGE_PROBLEMS,
    ),
    Endpoint(
        "POST",
        CABLE + "/revoke",
        "The key of a V2G cable is not to be believed any more, for good",
        post_revoke,
        scope=WITH_OWNER,
        body=CableNoteBody,
        answers={200: CableAnswer},
        problems=CHANGE_PROBLEMS,
    ),
    Endpoint(
        "POST",
        "/v1/sites/{site}/cables",
        "Register a V2G cable for the site's main owner: 201 created, 200 it was so already",
        register_cable_of_site,
        scope=Scope.SITE,
        body=RegisterCableBody,
        signed_body=True,
        answers={201: CableAnswer, 200: CableAnswer},
        signed_answer=True,
        problems=REGISTER_PROBLEMS,
    ),
    Endpoint(
        "POST",
        "/v1/sites/{site}/cables/{cable}/stolen",
        "A V2G cable of the site's main owner was stolen",
        post_stolen_of_site,
        scope=Scope.SITE,
        body=CableNoteBody,
        signed_body=True,
        answers={200: CableAnswer},
        signed_answer=True,
        problems=CHANGE_PROBLEMS,
    ),
)
