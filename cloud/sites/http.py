"""Communities, owners and sites for the operator; its settings for a site."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of, signed_answer
from cloud.errors import NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import Scope, site_of
from cloud.wire import time_text
from cloud.wire.session import OWNERS_MAX

from . import store
from .bodies import CommunityAnswer, CommunityBody, OwnerAnswer, OwnerBody, SettingsMessage, SiteItem, SitesAnswer
from .problems import INTERVAL_FIXED
from .store import Changed, Community

CHANGED: web.AppKey[Changed] = web.AppKey("changed")  # what else happens when a community changes; wired by the app


async def put_community(request: web.Request) -> web.Response:
    """Create a community or change its settings."""
    name = request.match_info["community"]
    body = await body_of(request, CommunityBody)
    cycle_seconds = body.cycle_seconds or body.interval_seconds
    wanted = Community(**body.model_dump() | {"community": name, "cycle_seconds": cycle_seconds})
    if not await request.app[DATABASE].write(store.put_community, wanted, now(request), request.app[CHANGED]):
        raise Refused(INTERVAL_FIXED, "a community's interval cannot change once a site has paired")
    return answer(CommunityAnswer(**body.model_dump() | {"community": name, "cycle_seconds": cycle_seconds}))


async def put_owner(request: web.Request) -> web.Response:
    """Create an owner or change its name."""
    community, owner = request.match_info["community"], request.match_info["owner"]
    body = await body_of(request, OwnerBody)
    kept = await request.app[DATABASE].write(
        store.put_owner, community, owner, body.name, now(request), changed=request.app[CHANGED]
    )
    if kept == "no-community":
        raise Refused(NOT_FOUND, f"there is no community {community}")
    if kept == "too-many-owners":
        raise Refused(UNPROCESSABLE, f"a community has at most {OWNERS_MAX} owners")
    return answer(OwnerAnswer(community=community, owner=owner, name=body.name))


async def get_sites(request: web.Request) -> web.Response:
    """List the sites of a community, and whether one is quarantined."""
    page = query_of(request, PageQuery)
    sites = await request.app[DATABASE].read(store.sites_of, request.match_info["community"], page.after, page.limit)
    return answer(SitesAnswer(sites=[_item(site) for site in sites]))


def _item(site: store.Site) -> SiteItem:
    quarantined_at = None if site.quarantined_at is None else time_text(site.quarantined_at)
    return SiteItem(
        site=site.site,
        name=site.name,
        main_owner=site.main_owner,
        time_scale=site.time_scale,
        paired_at=time_text(site.paired_at),
        quarantined_at=quarantined_at,
    )


async def get_settings(request: web.Request) -> web.Response:
    """Tell a site how long its intervals are and who owns in its community."""
    settings = await request.app[DATABASE].read(store.settings_of, *site_of(request))
    if settings is None:
        raise Refused(NOT_FOUND, "this site is not known any more")
    return signed_answer(request, settings)


COMMUNITY = "/v1/communities/{community}"

ENDPOINTS = (
    Endpoint(
        "PUT",
        COMMUNITY,
        "Create a community or change its settings",
        put_community,
        scope=Scope.OPERATOR,
        body=CommunityBody,
        answers={200: CommunityAnswer},
        problems=(INTERVAL_FIXED,),
    ),
    Endpoint(
        "PUT",
        COMMUNITY + "/owners/{owner}",
        "Create an owner or change its name",
        put_owner,
        scope=Scope.OPERATOR,
        body=OwnerBody,
        answers={200: OwnerAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/sites",
        "The sites of a community",
        get_sites,
        scope=Scope.OPERATOR,
        query=PageQuery,
        answers={200: SitesAnswer},
    ),
    Endpoint(
        "GET",
        "/v1/sites/{site}/settings",
        "What the cloud decides for a site",
        get_settings,
        scope=Scope.SITE,
        answers={200: SettingsMessage},
        signed_answer=True,
        problems=(NOT_FOUND,),
    ),
)
