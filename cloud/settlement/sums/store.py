"""Adds up what was settled, from the stored rows: an owner's statement, and everything for proof."""

from dataclasses import dataclass

from sqlalchemy import Connection, Select, Table, func, select

from cloud.database import bucket_of
from cloud.ingest.readings.store import intervals_known
from cloud.ledger import store as ledger
from cloud.ledger.account import GRID, owner_account
from cloud.ledger.sums.store import moved, sums
from cloud.settlement.cycle import last_ended
from cloud.settlement.statement import Statement, state
from cloud.settlement.store import (
    lines,
    settled_interval_table,
    settled_owner_interval_table,
    settled_starts,
    settled_through,
)
from cloud.sites.store import Community, owners_of


@dataclass(frozen=True, slots=True)
class Balances:
    """A page of owners, each with its name and balance, and what stands beside them."""

    owners: list[tuple[str, str, int]]
    grid_micro: int
    settled_through: int | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What the stored rows of a community add up to: every sum is 0 and no account is off, or something is wrong."""

    energy_sum_wh: int
    local_sum_wh: int
    ledger_sum_micro: int
    balance_sum_micro: int
    accounts_off: int
    intervals: int
    entries: int
    postings: int
    head: str


def statement_of(
    conn: Connection, community: Community, owner: str, period: tuple[int, int], now: int
) -> tuple[Statement, int]:
    """Return an owner's statement over [start, end), and how many of its ended intervals are not settled yet."""
    name, (start, end) = community.community, period
    opening_micro, posted_micro = moved(conn, name, owner_account(owner).id, start, end)
    statement = state(lines(conn, name, owner, start, end), opening_micro, posted_micro)
    return statement, _waiting(conn, community, start, end, now)


def _waiting(conn: Connection, community: Community, start: int, end: int, now: int) -> int:
    known, seconds = intervals_known(conn, community.community), community.interval_seconds
    if known is None:
        return 0
    first = max(known[0], start + -start % seconds)
    ended = range(first, min(end, last_ended(now, seconds) + seconds), seconds)
    return len(ended) - len(settled_starts(conn, community.community, first, end - 1)) if ended else 0


def balances_page(conn: Connection, community: str, after: str, limit: int) -> Balances:
    """Return the balances of the owners that come after one by id; who has no account yet has 0."""
    balances = ledger.balances(conn, community)
    named = [(owner, name) for owner, name in sorted(owners_of(conn, community).items()) if owner > after]
    return Balances(
        owners=[(owner, name, balances.get(owner_account(owner).id, 0)) for owner, name in named[:limit]],
        grid_micro=balances.get(GRID.id, 0),
        settled_through=settled_through(conn, community),
    )


def proof(conn: Connection, community: str) -> Proof:
    """Add up every stored row of a community."""
    intervals, grid_wh = conn.execute(_sum(settled_interval_table, community, "grid_wh")).one()
    _, net_wh = conn.execute(_sum(settled_owner_interval_table, community, "net_wh")).one()
    _, local_wh = conn.execute(_sum(settled_owner_interval_table, community, "local_wh")).one()
    booked = sums(conn, community)
    return Proof(
        energy_sum_wh=int(net_wh + grid_wh),
        local_sum_wh=int(local_wh),
        ledger_sum_micro=booked.postings_micro,
        balance_sum_micro=booked.balances_micro,
        accounts_off=booked.accounts_off,
        intervals=intervals,
        entries=booked.entries,
        postings=booked.postings,
        head=ledger.head_of(conn, community).hash,
    )


def _sum(table: Table, community: str, column: str) -> Select[tuple[int, int]]:
    total = func.coalesce(func.sum(table.c[column]), 0)
    rows = select(func.count(), total).select_from(table)
    return rows.filter_by(bucket=bucket_of(community), community=community)
