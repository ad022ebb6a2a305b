"""What staff sees: intervals settled and waiting, balances, and what proves that nothing is lost."""

from dataclasses import asdict

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, PageQuery, answer, now, query_of
from cloud.errors import NOT_FOUND
from cloud.principal import READERS
from cloud.sites.http import known_community
from cloud.wire import parse_time, time_text

from .bodies import (
    BalanceItem,
    BalancesAnswer,
    ProofAnswer,
    SettlementItem,
    SettlementsAnswer,
    SettlementsQuery,
)
from .listing import Open, listed, terms_of
from .sums.store import balances_page, proof
from .told.store import SettledInterval, overview


async def get_settlements(request: web.Request) -> web.Response:
    """List the ended intervals of a community, each settled or waiting."""
    community, query = (
        await known_community(request, request.match_info["community"]),
        query_of(request, SettlementsQuery),
    )
    after = -1 if query.after is None else parse_time(query.after, "after")
    found = await request.app[DATABASE].read(overview, community, after, query.limit, now(request))
    if found is None:
        return answer(SettlementsAnswer(intervals=[], next=None))
    terms = terms_of(community)
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
        revision=settled.revision if settled else None,
        grid_wh=settled.grid_wh if settled else None,
        entry=settled.entry if settled else None,
    )


async def get_balances(request: web.Request) -> web.Response:
    """List the owners' balances; one who never had a reading has 0."""
    community, page = await known_community(request, request.match_info["community"]), query_of(request, PageQuery)
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
    community = await known_community(request, request.match_info["community"])
    return answer(ProofAnswer(**asdict(await request.app[DATABASE].read(proof, community.community))))


COMMUNITY = "/v1/communities/{community}"

ENDPOINTS = (
    Endpoint(
        "GET",
        COMMUNITY + "/settlements",
        "The ended intervals of a community, settled or waiting",
        get_settlements,
        scope=READERS,
        query=SettlementsQuery,
        answers={200: SettlementsAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/balances",
        "The balances of a community's owners and of the grid",
        get_balances,
        scope=READERS,
        query=PageQuery,
        answers={200: BalancesAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        COMMUNITY + "/proof",
        "What everything stored adds up to",
        get_proof,
        scope=READERS,
        answers={200: ProofAnswer},
        problems=(NOT_FOUND,),
    ),
)
