"""Communities and sites for those who run or read them; its settings for a site."""

from dataclasses import asdict
from typing import assert_never

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, body_of, now, query_of, signed_answer
from cloud.errors import FORBIDDEN, MALFORMED, NOT_FOUND, Refused
from cloud.principal import READERS, STAFF, Scope, principal_of, site_of
from cloud.wire import time_text

from . import store
from .bodies import CommunitiesAnswer, CommunityAnswer, CommunityBody, SettingsMessage, SiteItem, SitesAnswer
from .problems import INTERVAL_FIXED
from .store import Changed, Community

OPERATORS_MEMBERS = ("time_zone", "interval_seconds", "currency", "points_per_unit")
CYCLES = (1800, 3600, 86_400, 604_800)
CYCLES_SAID = "1800, 3600, 86400 (the local day) and 604800 (the local week)"
CHANGED: web.AppKey[Changed] = web.AppKey("changed")  # what else happens when a community changes; wired by the app


async def put_community(request: web.Request) -> web.Response:
    """Create a community or change its settings; its manager changes those that touch nobody's money or measuring."""
    name = request.match_info["community"]
    body = await body_of(request, CommunityBody)
    cycle_seconds = body.cycle_seconds or body.interval_seconds
    if cycle_seconds not in (body.interval_seconds, *CYCLES):
        raise Refused(MALFORMED, f"cycle_seconds is the interval or one of {CYCLES_SAID}")
    wanted = Community(**body.model_dump() | {"community": name, "cycle_seconds": cycle_seconds})
    fixed = OPERATORS_MEMBERS if principal_of(request).scope is Scope.MANAGER else ()
    outcome = await request.app[DATABASE].write(
        store.put_community, wanted, now(request), request.app[CHANGED], fixed=fixed
    )
    match outcome:
        case "kept":
            return answer(_community(wanted))
        case "interval-fixed":
            raise Refused(INTERVAL_FIXED, "a community's interval cannot change once a site has paired")
        case "others-members":
            raise Refused(FORBIDDEN, f"only the operator creates a community and changes {', '.join(fixed)}")
        case _:
            assert_never(outcome)


async def get_community(request: web.Request) -> web.Response:
    """Tell a community's settings."""
    return answer(_community(await known_community(request, request.match_info["community"])))


async def known_community(request: web.Request, name: str) -> Community:
    """Return the community of this name, or refuse: there is none."""
    found = await request.app[DATABASE].read(store.community_of, name)
    if found is None:
        raise Refused(NOT_FOUND, f"there is no community {name}")
    return found


async def get_communities(request: web.Request) -> web.Response:
    """List the communities the caller reaches: its own, or all."""
    page, only = query_of(request, PageQuery), principal_of(request).community
    found = await request.app[DATABASE].read(store.communities_page, only, page.after, page.limit)
    last = found[-1].community if len(found) == page.limit else None
    return answer(CommunitiesAnswer(communities=[_community(community) for community in found], next=last))


def _community(community: Community) -> CommunityAnswer:
    return CommunityAnswer.model_construct(**asdict(community))


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
        "GET",
        "/v1/communities",
        "The communities the caller reaches",
        get_communities,
        scope=READERS,
        query=PageQuery,
        answers={200: CommunitiesAnswer},
    ),
    Endpoint(
        "PUT",
        COMMUNITY,
        "Create a community or change its settings",
        put_community,
        scope=STAFF,
        body=CommunityBody,
        answers={200: CommunityAnswer},
        problems=(INTERVAL_FIXED,),
    ),
    Endpoint(
        "GET",
        COMMUNITY,
        "A community's settings",
        get_community,
        scope=(*READERS, Scope.OWNER),
        answers={200: CommunityAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/sites",
        "The sites of a community",
        get_sites,
        scope=READERS,
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
