"""Clients of a community for its staff: made with a secret that is shown once, listed, and stopped."""

import secrets
from typing import Any

from aiohttp import web

from cloud.database import new_id
from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of
from cloud.errors import FORBIDDEN, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import CLOUD_KEY, STAFF, Scope, principal_of
from cloud.sites.access.credentials import SECRET_BYTES, Client, secret_hmac, secret_text
from cloud.sites.access.http import STOPPED, secret_key
from cloud.sites.problems import UNKNOWN_OWNER
from cloud.wire import time_text

from . import store
from .bodies import ClientAnswer, ClientBody, ClientItem, ClientsAnswer
from .role import Listed, may_grant


async def post_client(request: web.Request) -> web.Response:
    """Make a client of this community."""
    community, body, at = request.match_info["community"], await body_of(request, ClientBody), now(request)
    scope, secret = Scope(body.scope), secret_text(secrets.token_bytes(SECRET_BYTES))
    _check_grant(request, scope)
    stored = secret_hmac(secret_key(request.app[CLOUD_KEY]), secret)
    client = Client(new_id(), scope, community, stored, body.owner)
    match await request.app[DATABASE].write(store.add, client, body.name, at):
        case "no-community":
            raise Refused(NOT_FOUND, f"there is no community {community}")
        case "no-owner":
            raise Refused(UNKNOWN_OWNER, f"community {community} has no owner {body.owner}")
        case "too-many-clients":
            raise Refused(UNPROCESSABLE, f"a community has at most {store.CLIENTS_MAX} clients")
    listed = Listed(client.client_id, scope, community, body.owner, body.name, at)
    return answer(ClientAnswer(**_members(listed), client_secret=secret), 201)


def _check_grant(request: web.Request, scope: Scope) -> None:
    role = principal_of(request).scope
    if not may_grant(role, scope):
        raise Refused(FORBIDDEN, f"a client of scope {role} neither makes nor stops one of scope {scope}")


async def get_clients(request: web.Request) -> web.Response:
    """List the clients of this community; sites are listed as sites."""
    page, community = query_of(request, PageQuery), request.match_info["community"]
    found = await request.app[DATABASE].read(store.listed, community, page.after, page.limit)
    last = found[-1].client_id if len(found) == page.limit else None
    return answer(ClientsAnswer(clients=[ClientItem(**_members(client)) for client in found], next=last))


def _members(client: Listed) -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "scope": client.scope.value,
        "community": client.community,
        "owner": client.owner,
        "name": client.name,
        "created_at": time_text(client.created_at),
    }


async def delete_client(request: web.Request) -> web.Response:
    """Stop a client of this community: its secret and its tokens open nothing any more."""
    community, client_id = request.match_info["community"], request.match_info["client"]
    client = await request.app[DATABASE].read(store.found, client_id, community)
    if client is None:
        raise Refused(NOT_FOUND, f"{community} has no client {client_id}")
    _check_grant(request, client.scope)
    await request.app[DATABASE].write(store.remove, client_id, now(request))
    request.app[STOPPED].forget()
    return web.Response(status=204)


CLIENTS = "/v1/communities/{community}/clients"

ENDPOINTS = (
    Endpoint(
        "POST",
        CLIENTS,
        "Make a client of a community",
        post_client,
        scope=STAFF,
        body=ClientBody,
        answers={201: ClientAnswer},
        problems=(NOT_FOUND, UNKNOWN_OWNER, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        CLIENTS,
        "The clients of a community",
        get_clients,
        scope=STAFF,
        query=PageQuery,
        answers={200: ClientsAnswer},
    ),
    Endpoint(
        "DELETE",
        CLIENTS + "/{client}",
        "Stop a client of a community",
        delete_client,
        scope=STAFF,
        answers={204: None},
        problems=(NOT_FOUND,),
    ),
)
