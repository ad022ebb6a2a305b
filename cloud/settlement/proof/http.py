"""Statements: for staff and for the owner, and signed for a site where the owner has a tap."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, now, query_of, signed_answer
from cloud.errors import FORBIDDEN, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import WITH_OWNER, Scope, site_of
from cloud.settlement.cycle import last_ended
from cloud.settlement.sums.store import Ask, page_of
from cloud.sites.http import known_community
from cloud.sites.store import owners_of, site_of as known_site
from cloud.wire import parse_time

from .bodies import SiteStatementQuery, StatementAnswer, StatementQuery

STATEMENT_INTERVALS_MAX = 3000  # two months of half hours
SITE_STATEMENT_SECONDS_MAX = 400 * 86_400  # a site asks page by page, of as much as it keeps
DAY_SECONDS = 86_400


async def get_statement(request: web.Request) -> web.Response:
    """Tell an owner's intervals over a time, what moved beside them, their sums, and the balance before and after."""
    community, owner = await known_community(request, request.match_info["community"]), request.match_info["owner"]
    query = query_of(request, StatementQuery)
    most = STATEMENT_INTERVALS_MAX * community.interval_seconds
    period = _period(query, community.interval_seconds, now(request), most)
    if owner not in await request.app[DATABASE].read(owners_of, community.community):
        raise Refused(NOT_FOUND, f"{community.community} has no owner {owner}")
    ask = Ask(now(request), query.proof)
    page = await request.app[DATABASE].read(page_of, community, owner, period, ask)
    assert page is not None
    return answer(page)


async def get_site_statement(request: web.Request) -> web.Response:
    """Tell a site, signed, the statement of an owner who has a tap there: it is kept, and verified without us."""
    name, site = site_of(request)
    community, query = await known_community(request, name), query_of(request, SiteStatementQuery)
    period = _period(query, community.interval_seconds, now(request), SITE_STATEMENT_SECONDS_MAX)
    known = await request.app[DATABASE].read(known_site, name, site)
    assert known is not None
    ask = Ask(now(request), query.proof, site, known.main_owner)
    page = await request.app[DATABASE].read(page_of, community, query.owner or known.main_owner, period, ask)
    if page is None:
        raise Refused(FORBIDDEN, f"{query.owner} had no tap at this site in that time")
    return signed_answer(request, page)


def _period(query: StatementQuery, interval_seconds: int, now_s: int, most_seconds: int) -> tuple[int, int]:
    newest_end = last_ended(now_s, interval_seconds) + interval_seconds
    end = newest_end if query.end is None else parse_time(query.end, "to")
    start = max(0, end - DAY_SECONDS) if query.start is None else parse_time(query.start, "from")
    if start >= end:
        raise Refused(UNPROCESSABLE, "the statement would end before it begins")
    if end - start > most_seconds:
        intervals = most_seconds // interval_seconds
        raise Refused(UNPROCESSABLE, f"a statement holds at most {intervals} intervals; ask for less time")
    return start, end


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/communities/{community}/owners/{owner}/statement",
        "An owner's statement over a time",
        get_statement,
        scope=WITH_OWNER,
        query=StatementQuery,
        answers={200: StatementAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        "/v1/sites/{site}/statement",
        "The statement of an owner with a tap at this site, signed",
        get_site_statement,
        scope=Scope.SITE,
        query=SiteStatementQuery,
        answers={200: StatementAnswer},
        signed_answer=True,
        problems=(UNPROCESSABLE,),
    ),
)
