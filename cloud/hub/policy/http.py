"""Staff says for how long the hub of a community keeps what happened."""

from dataclasses import asdict

from aiohttp import web

from cloud.endpoint import CLOCK_MS, DATABASE, Endpoint, answer, body_of
from cloud.errors import NOT_FOUND
from cloud.principal import STAFF, principal_of
from cloud.sites.http import known_community

from . import store
from .bodies import PolicyBody


async def get_hub_policy(request: web.Request) -> web.Response:
    """Tell for how long things are kept."""
    community = (await known_community(request, request.match_info["community"])).community
    found = await request.app[DATABASE].read(store.policy_of, community)
    return answer(PolicyBody(**asdict(found)))


async def put_hub_policy(request: web.Request) -> web.Response:
    """Say for how long things are kept."""
    body = await body_of(request, PolicyBody)
    community = (await known_community(request, request.match_info["community"])).community
    by, now_ms = principal_of(request).subject, request.app[CLOCK_MS]()
    await request.app[DATABASE].write(store.put_policy, community, body.policy(), by, now_ms)
    return answer(body)


POLICY = "/v1/communities/{community}/hub/policy"

ENDPOINTS = (
    Endpoint(
        "GET",
        POLICY,
        "For how long a community's hub keeps things",
        get_hub_policy,
        scope=STAFF,
        answers={200: PolicyBody},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "PUT",
        POLICY,
        "Say for how long a community's hub keeps things",
        put_hub_policy,
        scope=STAFF,
        body=PolicyBody,
        answers={200: PolicyBody},
        problems=(NOT_FOUND,),
    ),
)
