"""Staff says how far an upper system sees; of a client that is bound to no community only the operator does."""

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, answer, body_of
from cloud.errors import NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import STAFF, Principal, Scope, principal_of
from cloud.sites.access.clients.role import Listed
from cloud.wire import time_text

from . import store
from .bodies import ReachAnswer, ReachBody, members_of

PATH = "/v1/communities/{community}/clients/{client}/reach"


async def put_reach(request: web.Request) -> web.Response:
    """Say how far a client sees; extractions of it that run are ended."""
    reach = (await body_of(request, ReachBody)).reach()
    client, by, now_ms = await _client(request), principal_of(request).subject, request.app[CLOCK_MS]()
    community = request.match_info["community"]
    await request.app[DATABASE].write(store.put_reach, community, client.client_id, reach, by=by, now_ms=now_ms)
    members = members_of(reach) | {"community": community, "client": client.client_id}
    return answer(ReachAnswer.model_validate(members | {"set_by": by, "set_at": time_text(now_ms // 1000)}))


async def get_reach(request: web.Request) -> web.Response:
    """Tell how far a client sees."""
    client, community = await _client(request), request.match_info["community"]
    stored = await request.app[DATABASE].read(store.stored_reach, community, client.client_id)
    if stored is None:
        raise Refused(NOT_FOUND, f"nothing is out of reach of {client.client_id} in {community}")
    reach, by, at = stored
    members = members_of(reach) | {"community": community, "client": client.client_id}
    return answer(ReachAnswer.model_validate(members | {"set_by": by, "set_at": time_text(at)}))


async def delete_reach(request: web.Request) -> web.Response:
    """Let a client see the whole community again."""
    client, community = await _client(request), request.match_info["community"]
    by, now_ms = principal_of(request).subject, request.app[CLOCK_MS]()
    await request.app[DATABASE].write(store.delete_reach, community, client.client_id, by=by, now_ms=now_ms)
    return web.Response(status=204)


async def _client(request: web.Request) -> Listed:
    """Return the client whose reach this request is about; who may not say of it hears that it is not there."""
    community, name = request.match_info["community"], request.match_info["client"]
    client = await request.app[DATABASE].read(store.client_in, community, name)
    if client is None or not _may_say(principal_of(request), client, community):
        raise Refused(NOT_FOUND, f"{community} has no client {name}")
    if client.scope is not Scope.UPPER:
        raise Refused(UNPROCESSABLE, f"only an upper system has a reach, {name} is of scope {client.scope}")
    return client


def _may_say(principal: Principal, client: Listed, community: str) -> bool:
    if client.community is None:
        return principal.scope is Scope.OPERATOR
    return client.community == community


ENDPOINTS = (
    Endpoint(
        "PUT",
        PATH,
        "Say how far an upper system sees in a community",
        put_reach,
        scope=STAFF,
        body=ReachBody,
        answers={200: ReachAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        PATH,
        "How far an upper system sees in a community",
        get_reach,
        scope=STAFF,
        answers={200: ReachAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "DELETE",
        PATH,
        "Let an upper system see the whole community",
        delete_reach,
        scope=STAFF,
        answers={204: None},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
)
