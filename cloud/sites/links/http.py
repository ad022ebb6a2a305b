"""The operator says which site hangs below which other one, and from when on."""

from typing import assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now, query_of
from cloud.errors import CONFLICT, NOT_FOUND, UNPROCESSABLE, ProblemKind, Refused
from cloud.principal import READERS, STAFF
from cloud.sites.store import site_of
from cloud.wire import parse_time, time_text

from . import store
from .bodies import UpstreamAnswer, UpstreamBody, UpstreamItem, UpstreamQuery, UpstreamsAnswer
from .forest import Link

LINK_SETTLED = ProblemKind("link-settled", 409, "Intervals are settled by the links that stand")
HISTORY_MAX = 1000  # links of one site in one answer


async def put_upstream(request: web.Request) -> web.Response:
    """Hang a site below a tap of another one from a time on; the same again changes nothing."""
    body = await body_of(request, UpstreamBody)
    valid_from = parse_time(body.valid_from, "valid_from")
    return await _keep(request, Link(request.match_info["site"], valid_from, body.upstream_site, body.upstream_tap))


async def delete_upstream(request: web.Request) -> web.Response:
    """Hang a site on the grid again from a time on; what was before stays as it was."""
    valid_from = parse_time(query_of(request, UpstreamQuery).valid_from, "valid_from")
    return await _keep(request, Link(request.match_info["site"], valid_from, None, None))


async def _keep(request: web.Request, link: Link) -> web.Response:
    community = request.match_info["community"]
    verdict = await request.app[DATABASE].write(store.put, community, link, now(request))
    match verdict:
        case "created" | "exists" | "replaced":
            members = _item(link).model_dump() | {"site": link.site, "result": verdict}
            return answer(UpstreamAnswer(**members), 201 if verdict == "created" else 200)
        case "no-site":
            raise Refused(NOT_FOUND, f"{community} has no site {link.site}")
        case "no-upstream":
            raise Refused(UNPROCESSABLE, f"{community} has no site {link.upstream_site} to hang below")
        case "no-tap":
            raise Refused(UNPROCESSABLE, f"the newest tree of {link.upstream_site} has no tap {link.upstream_tap}")
        case "itself":
            raise Refused(UNPROCESSABLE, "a site cannot hang below itself")
        case "loop":
            raise Refused(CONFLICT, "then a site would hang below itself by way of others")
        case "off-boundary":
            raise Refused(UNPROCESSABLE, "valid_from is not a boundary of the community's intervals")
        case "settled":
            raise Refused(LINK_SETTLED, f"intervals after {time_text(link.valid_from)} are settled already")
        case _:
            assert_never(verdict)


async def get_upstream(request: web.Request) -> web.Response:
    """Tell what a site hangs below, and hung below before."""
    community, site = request.match_info["community"], request.match_info["site"]
    if await request.app[DATABASE].read(site_of, community, site) is None:
        raise Refused(NOT_FOUND, f"{community} has no site {site}")
    links = await request.app[DATABASE].read(store.links_of, community, site)
    return answer(UpstreamsAnswer(site=site, upstreams=[_item(link) for link in links[-HISTORY_MAX:]]))


def _item(link: Link) -> UpstreamItem:
    return UpstreamItem(
        valid_from=time_text(link.valid_from), upstream_site=link.upstream_site, upstream_tap=link.upstream_tap
    )


UPSTREAM = "/v1/communities/{community}/sites/{site}/upstream"

ENDPOINTS = (
    Endpoint(
        "PUT",
        UPSTREAM,
        "Hang a site below a tap of another site from an interval boundary on",
        put_upstream,
        scope=STAFF,
        body=UpstreamBody,
        answers={200: UpstreamAnswer, 201: UpstreamAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, CONFLICT, LINK_SETTLED),
    ),
    Endpoint(
        "GET",
        UPSTREAM,
        "What a site hangs below, and hung below before",
        get_upstream,
        scope=READERS,
        answers={200: UpstreamsAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "DELETE",
        UPSTREAM,
        "Hang a site on the grid again from an interval boundary on",
        delete_upstream,
        scope=STAFF,
        query=UpstreamQuery,
        answers={200: UpstreamAnswer, 201: UpstreamAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE, CONFLICT, LINK_SETTLED),
    ),
)
