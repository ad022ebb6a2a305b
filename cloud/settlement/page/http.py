"""Hands out links to statements, shows them in a browser, and gives all owners' sums to whoever runs the community."""

from urllib.parse import urlencode

from aiohttp import web

from cloud.endpoint import DATABASE, PUBLIC_URL, Endpoint, answer, body_of, now, query_of, text_answer
from cloud.errors import NOT_AUTHORISED, NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import CLOUD_KEY, READERS, WITH_OWNER
from cloud.sites.http import known_community
from cloud.sites.owners.store import owner_of
from cloud.sites.store import Community
from cloud.wire import parse_time, time_text

from . import store
from .bodies import LinkAnswer, LinkBody, PeriodQuery, TicketQuery
from .laid import sheet_of
from .page import page, style_policy
from .sheet import Sheet, Terms
from .summary import Account, summary
from .table import table
from .ticket import TICKET_SECONDS, Ticket, issue, read
from .words import Language

PATH, CSV_PATH = "/statement", "/statement.csv"
DEFAULT_SECONDS = 31 * 86_400
PERIOD_SECONDS_MAX = 366 * 86_400
LINES_MAX = 20_000  # a year of half hours; a community of shorter intervals asks for less time
LINES_OF_ALL_MAX = 200_000  # of all owners together


async def post_link(request: web.Request) -> web.Response:
    """Make a link that shows an owner's statement to whoever has it, for an hour."""
    community, owner = await known_community(request, request.match_info["community"]), request.match_info["owner"]
    body = await body_of(request, LinkBody)
    record = await request.app[DATABASE].read(owner_of, community.community, owner)
    if record is None:
        raise Refused(NOT_FOUND, f"{community.community} has no owner {owner}")
    language: Language = body.language or ("ja" if record.language == "ja" else "en")
    start, end = _period(body, community, now(request), LINES_MAX * community.interval_seconds)
    expires_at = now(request) + TICKET_SECONDS
    ticket = Ticket(community.community, owner, start, end, language, expires_at)
    text = issue(request.app[CLOUD_KEY], ticket, request.app[PUBLIC_URL], now(request))
    url, csv_url = (f"{request.app[PUBLIC_URL]}{path}?{urlencode({'ticket': text})}" for path in (PATH, CSV_PATH))
    return answer(LinkAnswer(url=url, csv_url=csv_url, expires_at=time_text(expires_at)), 201)


async def get_page(request: web.Request) -> web.Response:
    """Show the statement a ticket opens."""
    ticket = query_of(request, TicketQuery).ticket
    sheet = await _sheet(request, ticket)
    headers = {
        "Content-Security-Policy": style_policy(),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return text_answer(page(sheet, f"{CSV_PATH}?{urlencode({'ticket': ticket})}"), "text/html", headers)


async def get_table(request: web.Request) -> web.Response:
    """Give the statement a ticket opens as a table."""
    sheet = await _sheet(request, query_of(request, TicketQuery).ticket)
    name = f"statement-{time_text(sheet.start)[:10]}.csv"
    return text_answer(table(sheet), "text/csv", {"Content-Disposition": f'attachment; filename="{name}"'})


async def _sheet(request: web.Request, text: str) -> Sheet:
    ticket = read(request.app[CLOUD_KEY], text, request.app[PUBLIC_URL], now(request))
    community = await known_community(request, ticket.community)
    record = await request.app[DATABASE].read(owner_of, community.community, ticket.owner)
    if record is None:
        raise Refused(NOT_FOUND, f"{community.community} has no owner {ticket.owner} any more")
    period = (ticket.start, ticket.end)
    found = await request.app[DATABASE].read(store.whole, community, ticket.owner, period, now(request))
    terms = Terms(community.time_zone, ticket.language, community.currency, community.points_per_unit)
    names = (community.name, record.name)
    return sheet_of(found, names, terms, start=ticket.start, end=ticket.end, made_at=now(request))


async def get_summary(request: web.Request) -> web.Response:
    """Give every owner's sums over a time, a row each: what a landlord bills by and an accountant books."""
    community = await known_community(request, request.match_info["community"])
    query = query_of(request, PeriodQuery)
    start, end = _period(query, community, now(request), PERIOD_SECONDS_MAX)
    rows = await request.app[DATABASE].read(store.wholes, community, (start, end), now(request), LINES_OF_ALL_MAX)
    if rows is None:
        raise Refused(UNPROCESSABLE, "the owners of this community have too many intervals in that time; ask for less")
    terms = Terms(community.time_zone, "en", community.currency, community.points_per_unit)
    accounts = [
        Account(owner, sheet_of(found, (community.name, name), terms, start=start, end=end, made_at=now(request)))
        for owner, name, found in rows
    ]
    name = f"statements-{community.community}-{time_text(start)[:10]}.csv"
    return text_answer(summary(accounts), "text/csv", {"Content-Disposition": f'attachment; filename="{name}"'})


def _period(query: LinkBody | PeriodQuery, community: Community, now_s: int, most: int) -> tuple[int, int]:
    seconds = community.interval_seconds
    newest_end = now_s - now_s % seconds
    end = newest_end if query.end is None else parse_time(query.end, "to")
    most = min(most, PERIOD_SECONDS_MAX)
    start = max(0, end - min(DEFAULT_SECONDS, most)) if query.start is None else parse_time(query.start, "from")
    if start >= end:
        raise Refused(UNPROCESSABLE, "the statement would end before it begins")
    if end - start > most:
        raise Refused(UNPROCESSABLE, f"a statement covers at most {most // 86_400} days here; ask for less time")
    return start, end


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/communities/{community}/owners/{owner}/statement/links",
        "Make a link that shows an owner's statement in a browser for an hour",
        post_link,
        scope=WITH_OWNER,
        body=LinkBody,
        answers={201: LinkAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        PATH,
        "The statement a link's ticket opens, as a page to read and to print",
        get_page,
        query=TicketQuery,
        answers={200: None},
        answer_type="text/html",
        problems=(NOT_AUTHORISED, NOT_FOUND),
    ),
    Endpoint(
        "GET",
        CSV_PATH,
        "The statement a link's ticket opens, as a table for a spreadsheet",
        get_table,
        query=TicketQuery,
        answers={200: None},
        answer_type="text/csv",
        problems=(NOT_AUTHORISED, NOT_FOUND),
    ),
    Endpoint(
        "GET",
        "/v1/communities/{community}/statements.csv",
        "Every owner's sums over a time, a row each",
        get_summary,
        scope=READERS,
        query=PeriodQuery,
        answers={200: None},
        answer_type="text/csv",
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
)
