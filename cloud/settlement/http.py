"""What the operator sees: intervals settled and waiting, statements, balances, and the proof that nothing is lost."""

from dataclasses import asdict

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, now, query_of
from cloud.errors import NOT_FOUND, UNPROCESSABLE, Refused
from cloud.principal import Scope
from cloud.sites.store import Community, community_of, owners_of
from cloud.wire import parse_time, time_text

from .bodies import (
    BalanceItem,
    BalancesAnswer,
    ProofAnswer,
    SettlementItem,
    SettlementsAnswer,
    SettlementsQuery,
    StatementAnswer,
    StatementLine,
    StatementQuery,
    StatementTotals,
)
from .cycle import Terms, last_ended
from .listing import Open, listed
from .statement import Line
from .store import SettledInterval, overview
from .sums.store import balances_page, proof, statement_of

STATEMENT_INTERVALS_MAX = 3000  # two months of half hours
DAY_SECONDS = 86_400


async def get_settlements(request: web.Request) -> web.Response:
    """List the ended intervals of a community, each settled or waiting."""
    community, query = await _community(request), query_of(request, SettlementsQuery)
    after = -1 if query.after is None else parse_time(query.after, "after")
    found = await request.app[DATABASE].read(overview, community, after, query.limit, now(request))
    if found is None:
        return answer(SettlementsAnswer(intervals=[], next=None))
    terms = Terms(community.interval_seconds, community.cycle_seconds, community.grace_seconds)
    intervals = [_item(item, community.interval_seconds) for item in listed(found, terms, now(request))]
    following = intervals[-1].start if len(intervals) == query.limit else None
    return answer(SettlementsAnswer(intervals=intervals, next=following))


def _item(item: SettledInterval | Open, seconds: int) -> SettlementItem:
    settled = item if isinstance(item, SettledInterval) else None
    waiting = item if isinstance(item, Open) else None
    return SettlementItem(
        start=time_text(item.start),
        seconds=seconds,
        state="settled" if settled else "waiting",
        reason=waiting.reason if waiting else None,
        waiting_for=list(waiting.sites) if waiting else [],
        settled_without=list(settled.without) if settled else [],
        late=settled.late if settled else 0,
        grid_wh=settled.grid_wh if settled else None,
        entry=settled.entry if settled else None,
    )


async def get_statement(request: web.Request) -> web.Response:
    """Tell an owner's intervals over a time, their sums, and the balance before and after."""
    community, owner = await _community(request), request.match_info["owner"]
    period = _period(query_of(request, StatementQuery), community.interval_seconds, now(request))
    if owner not in await request.app[DATABASE].read(owners_of, community.community):
        raise Refused(NOT_FOUND, f"{community.community} has no owner {owner}")
    statement, waiting = await request.app[DATABASE].read(statement_of, community, owner, period, now(request))
    return answer(
        StatementAnswer(
            community=community.community,
            owner=owner,
            start=time_text(period[0]),
            end=time_text(period[1]),
            opening_micro=statement.opening_micro,
            closing_micro=statement.closing_micro,
            totals=StatementTotals(**asdict(statement.totals)),
            intervals_waiting=waiting,
            lines=[_line(line) for line in statement.lines],
        )
    )


def _line(line: Line) -> StatementLine:
    return StatementLine(**asdict(line) | {"start": time_text(line.start)})


def _period(query: StatementQuery, interval_seconds: int, now_s: int) -> tuple[int, int]:
    newest_end = last_ended(now_s, interval_seconds) + interval_seconds
    end = newest_end if query.end is None else parse_time(query.end, "to")
    start = max(0, end - DAY_SECONDS) if query.start is None else parse_time(query.start, "from")
    if start >= end:
        raise Refused(UNPROCESSABLE, "the statement would end before it begins")
    if end - start > STATEMENT_INTERVALS_MAX * interval_seconds:
        raise Refused(
            UNPROCESSABLE, f"a statement holds at most {STATEMENT_INTERVALS_MAX} intervals; ask for less time"
        )
    return start, end


async def get_balances(request: web.Request) -> web.Response:
    """List the owners' balances; one who never had a reading has 0."""
    community, page = await _community(request), query_of(request, PageQuery)
    found = await request.app[DATABASE].read(balances_page, community.community, page.after, page.limit)
    return answer(
        BalancesAnswer(
            balances=[BalanceItem(owner=owner, name=name, balance_micro=micro) for owner, name, micro in found.owners],
            grid_micro=found.grid_micro,
            settled_through=None if found.settled_through is None else time_text(found.settled_through),
            next=found.owners[-1][0] if len(found.owners) == page.limit else None,
        )
    )


async def get_proof(request: web.Request) -> web.Response:
    """Add up everything that is stored of a community."""
    community = await _community(request)
    return answer(ProofAnswer(**asdict(await request.app[DATABASE].read(proof, community.community))))


async def _community(request: web.Request) -> Community:
    name = request.match_info["community"]
    community = await request.app[DATABASE].read(community_of, name)
    if community is None:
        raise Refused(NOT_FOUND, f"there is no community {name}")
    return community


COMMUNITY = "/v1/communities/{community}"

ENDPOINTS = (
    Endpoint(
        "GET",
        COMMUNITY + "/settlements",
        "The ended intervals of a community, settled or waiting",
        get_settlements,
        scope=Scope.OPERATOR,
        query=SettlementsQuery,
        answers={200: SettlementsAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/owners/{owner}/statement",
        "An owner's statement over a time",
        get_statement,
        scope=Scope.OPERATOR,
        query=StatementQuery,
        answers={200: StatementAnswer},
        problems=(NOT_FOUND, UNPROCESSABLE),
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/balances",
        "The balances of a community's owners and of the grid",
        get_balances,
        scope=Scope.OPERATOR,
        query=PageQuery,
        answers={200: BalancesAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/proof",
        "What everything stored adds up to",
        get_proof,
        scope=Scope.OPERATOR,
        answers={200: ProofAnswer},
        problems=(NOT_FOUND,),
    ),
)
