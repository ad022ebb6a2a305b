"""Reads how an owner's credit stood, who heard of it, and what breakers did; and keeps below what it is low."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from cloud.database import bucket_of, upsert
from cloud.ingest.batches.store import incident_table
from cloud.ledger.account import owner_account
from cloud.ledger.store import account_table
from cloud.notice.kind import CREDIT
from cloud.notice.store import notice_table
from cloud.settlement.credit.store import (
    EVERYBODY,
    credit_change_table,
    credit_limit_table,
    judge_balances,
    limits_of,
    sites_with,
)
from cloud.sites.store import community_of, owner_table
from cloud.wire.credit import BREAKER_INCIDENTS, CreditState


@dataclass(frozen=True, slots=True)
class Change:
    """An owner's credit came to stand otherwise."""

    number: int
    state: CreditState
    before: CreditState | None
    at: int
    balance_micro: int
    heard: Mapping[str, int | None]  # by site: when it first acknowledged a notice that said so, or a later state


@dataclass(frozen=True, slots=True)
class Stands:
    """How an owner's credit stands now, None before it was judged, and a page of its changes, the newest first."""

    state: CreditState | None
    since: int | None
    prepaid: bool
    balance_micro: int
    low_balance_micro: int
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Report:
    """What a site said of a tap's breaker; `place` orders reports of one site as they were signed."""

    site: str
    at: int
    kind: str
    tap: str | None
    detail: str
    place: tuple[int, int, int]


def stands_of(conn: Connection, community: str, owner: str, before: int | None, limit: int) -> Stands | None:
    """Return an owner's credit with its changes numbered below `before`; None if there is no such owner."""
    key = {"bucket": bucket_of(community), "community": community}
    found = conn.execute(select(owner_table.c.prepaid).filter_by(**key, owner=owner)).one_or_none()
    if found is None:
        return None
    balance = select(account_table.c.balance_micro).filter_by(**key, account=owner_account(owner).id)
    c = credit_change_table.c
    newest = select(c.state, c.at).filter_by(**key, owner=owner).order_by(c.number.desc()).limit(1)
    state = conn.execute(newest).one_or_none()
    return Stands(
        state=state.state if state else None,
        since=state.at if state else None,
        prepaid=bool(found.prepaid),
        balance_micro=conn.execute(balance).scalar_one_or_none() or 0,
        low_balance_micro=limits_of(conn, community, [owner])[owner],
        changes=_changes(conn, community, owner, before, limit),
    )


def _changes(conn: Connection, community: str, owner: str, before: int | None, limit: int) -> list[Change]:
    c = credit_change_table.c
    rows = select(credit_change_table).filter_by(bucket=bucket_of(community), community=community, owner=owner)
    if before is not None:
        rows = rows.where(c.number < before)
    found = conn.execute(rows.order_by(c.number.desc()).limit(limit)).all()
    acks = _acks(conn, community, sites_with(conn, community, owner), min((row.at for row in found), default=0))
    return [Change(row.number, row.state, row.before, row.at, row.balance_micro, _heard(acks, row.at)) for row in found]


def _acks(conn: Connection, community: str, sites: Sequence[str], since: int) -> Mapping[str, list[tuple[int, int]]]:
    """Return when notices of credit were issued to these sites and acknowledged, in order."""
    n = notice_table.c
    rows = select(n.site, n.issued_at, n.acked_at).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(n.kind == CREDIT, n.site.in_(sites), n.issued_at >= since, n.acked_at.is_not(None))
    acks: dict[str, list[tuple[int, int]]] = {site: [] for site in sites}
    for site, issued_at, acked_at in conn.execute(rows.order_by(n.issued_at, n.acked_at)):
        acks[site].append((issued_at, acked_at))
    return acks


def _heard(acks: Mapping[str, list[tuple[int, int]]], at: int) -> dict[str, int | None]:
    return {
        site: min((acked_at for issued_at, acked_at in items if issued_at >= at), default=None)
        for site, items in acks.items()
    }


def reports_of(conn: Connection, community: str, owner: str, before: int, limit: int) -> list[Report] | None:
    """Return what sites reported of this owner's breakers before a time, newest first; None without such an owner."""
    known = select(owner_table.c.owner).filter_by(bucket=bucket_of(community), community=community, owner=owner)
    if conn.execute(known).one_or_none() is None:
        return None
    i = incident_table.c
    about = f"{owner} "
    rows = select(i.site, i.at, i.kind, i.tap, i.detail, i.epoch, i.seq, i.number)
    rows = rows.filter_by(bucket=bucket_of(community), community=community).where(
        and_(i.kind.in_(BREAKER_INCIDENTS), func.substr(i.detail, 1, len(about)) == about, i.at < before)
    )
    rows = rows.order_by(i.at.desc(), i.site, i.epoch.desc(), i.seq.desc(), i.number.desc()).limit(limit)
    return [
        Report(site, at, kind, tap, detail, (epoch, seq, number))
        for site, at, kind, tap, detail, epoch, seq, number in conn.execute(rows)
    ]


def set_limit(conn: Connection, community: str, owner: str, low_balance_micro: int, now: int) -> bool | None:
    """Keep below what balance an owner, or EVERYBODY, is low, and judge by it; None if there is nobody like that.

    True if a site has to hear of it.
    """
    key = {"bucket": bucket_of(community), "community": community}
    if community_of(conn, community) is None:
        return None
    known = select(owner_table.c.owner).filter_by(**key, owner=owner)
    if owner != EVERYBODY and conn.execute(known).one_or_none() is None:
        return None
    named = key | {"owner": owner}
    upsert(conn, credit_limit_table, [*named], named | {"low_balance_micro": low_balance_micro, "set_at": now})
    return judge_balances(conn, community, now)
