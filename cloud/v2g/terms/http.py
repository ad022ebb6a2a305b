"""Staff sets the terms of V2G in a community; whoever reads it, its owners and its sites can see them."""

from dataclasses import asdict

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now, signed_answer
from cloud.errors import NOT_FOUND, Refused
from cloud.principal import READERS, STAFF, Scope, principal_of, site_of
from cloud.sites.http import known_community

from . import store
from .bodies import SiteTermsAnswer, TermsAnswer, TermsBody, TermsPutAnswer, item_of

HISTORY_MAX = 100  # shown of the terms there were


async def put_terms(request: web.Request) -> web.Response:
    """Set the terms of a community from the next boundary on; the same again changes nothing."""
    community, body = request.match_info["community"], await body_of(request, TermsBody)
    by = principal_of(request).subject
    kept = await request.app[DATABASE].write(store.put_terms, community, body.terms(), by=by, now=now(request))
    if kept is None:
        raise Refused(NOT_FOUND, f"there is no community {community}")
    found, first = kept
    return answer(TermsPutAnswer(terms=item_of(found), result="created" if first else "exists"), 201 if first else 200)


async def get_terms(request: web.Request) -> web.Response:
    """Tell the terms of a community, and what they were before."""
    community = (await known_community(request, request.match_info["community"])).community
    found = await request.app[DATABASE].read(store.history, community, limit=HISTORY_MAX)
    terms = item_of(found[0] if found else None)
    return answer(TermsAnswer(terms=terms, history=[item_of(kept) for kept in found[1:]]))


async def get_site_terms(request: web.Request) -> web.Response:
    """Tell a site the terms of its community."""
    community, _ = site_of(request)
    terms = await request.app[DATABASE].read(store.terms_of, community)
    return signed_answer(request, SiteTermsAnswer(v=1, terms=TermsBody(**asdict(terms))))


TERMS = "/v1/communities/{community}/v2g/terms"

ENDPOINTS = (
    Endpoint(
        "PUT",
        TERMS,
        "Set the terms of V2G from the next interval boundary on: 201 set, 200 they stand so already",
        put_terms,
        scope=STAFF,
        body=TermsBody,
        answers={201: TermsPutAnswer, 200: TermsPutAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        TERMS,
        "The terms of V2G, and what they were before",
        get_terms,
        scope=READERS,
        answers={200: TermsAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        "/v1/sites/{site}/v2g/terms",
        "The terms of V2G at this site",
        get_site_terms,
        scope=Scope.SITE,
        answers={200: SiteTermsAnswer},
        signed_answer=True,
    ),
)
