"""An owner's credit as people see it: how it stands, what sites were asked, what their breakers did, what is low."""

from aiohttp import web

from cloud.endpoint import DATABASE, Endpoint, answer, body_of, now, query_of
from cloud.errors import NOT_FOUND, Refused
from cloud.notice.http import BELL
from cloud.principal import STAFF, WITH_OWNER
from cloud.wire import parse_time, time_text
from cloud.wire.credit import parse_breaker_detail
from cloud.wire.strict import TIME_MAX

from .bodies import (
    ChangeItem,
    ChangesQuery,
    CreditAnswer,
    HeardItem,
    LimitAnswer,
    LimitBody,
    ReportItem,
    ReportsAnswer,
    ReportsQuery,
)
from .judge import asked
from .records import store
from .records.store import Change, Report
from .store import EVERYBODY


async def get_credit(request: web.Request) -> web.Response:
    """Tell how an owner's credit stands, and what was asked of the sites and when they heard it."""
    community, owner = request.match_info["community"], request.match_info["owner"]
    page = query_of(request, ChangesQuery)
    stands = await request.app[DATABASE].read(store.stands_of, community, owner, page.before, page.limit)
    if stands is None:
        raise Refused(NOT_FOUND, f"{community} has no owner {owner}")
    return answer(
        CreditAnswer(
            owner=owner,
            prepaid=stands.prepaid,
            balance_micro=stands.balance_micro,
            low_balance_micro=stands.low_balance_micro,
            state=stands.state,
            since=None if stands.since is None else time_text(stands.since),
            changes=[_change(item) for item in stands.changes],
            next=stands.changes[-1].number if len(stands.changes) == page.limit else None,
        )
    )


def _change(item: Change) -> ChangeItem:
    return ChangeItem(
        number=item.number,
        at=time_text(item.at),
        state=item.state,
        asked=asked(item.state, item.before),
        balance_micro=item.balance_micro,
        sites=[
            HeardItem(site=site, acknowledged_at=None if at is None else time_text(at))
            for site, at in sorted(item.heard.items())
        ],
    )


async def get_reports(request: web.Request) -> web.Response:
    """List what sites reported of an owner's breakers."""
    community, owner = request.match_info["community"], request.match_info["owner"]
    page = query_of(request, ReportsQuery)
    before = TIME_MAX if page.before is None else parse_time(page.before, "before")
    reports = await request.app[DATABASE].read(store.reports_of, community, owner, before, page.limit)
    if reports is None:
        raise Refused(NOT_FOUND, f"{community} has no owner {owner}")
    return answer(ReportsAnswer(reports=[_report(item) for item in reports]))


def _report(item: Report) -> ReportItem:
    epoch, seq, _ = item.place
    _, reason = parse_breaker_detail(item.detail)
    return ReportItem.model_validate(
        {
            "site": item.site,
            "tap": item.tap,
            "at": time_text(item.at),
            "kind": item.kind,
            "reason": reason,
            "epoch": epoch,
            "seq": seq,
        }
    )


async def put_limit(request: web.Request) -> web.Response:
    """Set below what balance an owner, or without one everybody, is low; all are judged by it at once."""
    community, owner = request.match_info["community"], request.match_info.get("owner")
    body = await body_of(request, LimitBody)
    news = await request.app[DATABASE].write(
        store.set_limit, community, EVERYBODY if owner is None else owner, body.low_balance_micro, now(request)
    )
    if news is None:
        missing = f"there is no community {community}" if owner is None else f"{community} has no owner {owner}"
        raise Refused(NOT_FOUND, missing)
    if news:
        request.app[BELL].ring()
    return answer(LimitAnswer(community=community, owner=owner, low_balance_micro=body.low_balance_micro))


async def put_everybodys_limit(request: web.Request) -> web.Response:
    """Set below what balance owners without a limit of their own are low."""
    return await put_limit(request)


COMMUNITY = "/v1/communities/{community}"
OWNER = COMMUNITY + "/owners/{owner}"

ENDPOINTS = (
    Endpoint(
        "GET",
        OWNER + "/credit",
        "How an owner's credit stands, what sites were asked, and when they heard it",
        get_credit,
        scope=WITH_OWNER,
        query=ChangesQuery,
        answers={200: CreditAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "GET",
        OWNER + "/credit/reports",
        "What sites reported of an owner's breakers",
        get_reports,
        scope=WITH_OWNER,
        query=ReportsQuery,
        answers={200: ReportsAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "PUT",
        OWNER + "/credit/limit",
        "Below what balance an owner is told that it is low",
        put_limit,
        scope=WITH_OWNER,
        body=LimitBody,
        answers={200: LimitAnswer},
        problems=(NOT_FOUND,),
    ),
    Endpoint(
        "PUT",
        COMMUNITY + "/credit/limit",
        "Below what balance owners without a limit of their own are told that it is low",
        put_everybodys_limit,
        scope=STAFF,
        body=LimitBody,
        answers={200: LimitAnswer},
        problems=(NOT_FOUND,),
    ),
)
