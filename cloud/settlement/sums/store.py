"""Adds up what was settled, from the stored rows: an owner's statement, and everything for proof."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection, Select, Table, func, select

from cloud.database import bucket_of
from cloud.ingest.readings.store import intervals_known
from cloud.ledger import store as ledger
from cloud.ledger.account import GRID, owner_account
from cloud.ledger.sums.store import moved, sums
from cloud.settlement.correction.store import corrections, settled_correction_table, settled_owner_correction_table
from cloud.settlement.cycle import last_ended
from cloud.settlement.proof import message as sent, store as reading
from cloud.settlement.proof.pages import end_of
from cloud.settlement.statement import Statement, state
from cloud.settlement.store import (
    settled_interval_table,
    settled_owner_interval_table,
    settled_starts,
    settled_through,
)
from cloud.settlement.told.store import lines
from cloud.sites.store import Community, owners_of
from cloud.wire import statement as wire


@dataclass(frozen=True, slots=True)
class Ask:
    """How a statement is asked for: when, with proof or without, and by which site of which main owner, if by one."""

    now: int
    proof: bool
    site: str | None = None
    main_owner: str | None = None


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
    corrected, movements = corrections(conn, name, owner, start, end), reading.movements(conn, name, owner, start, end)
    statement = state(lines(conn, name, owner, start, end), opening_micro, posted_micro, corrected, movements)
    return statement, _waiting(conn, community, start, end, now)


def page_of(
    conn: Connection, community: Community, owner: str, period: tuple[int, int], ask: Ask
) -> wire.Statement | None:
    """Return the first page of an owner's statement over [start, end) as it is sent, on one snapshot.

    None for a site where the owner had no tap in that time.
    """
    name, (start, end) = community.community, period
    if ask.site is not None and owner != ask.main_owner and not reading.had_tap(conn, name, ask.site, owner, period):
        return None
    weights = reading.weights(conn, name, owner, start, end)
    until = end_of(start, end, community.interval_seconds, weights, proof=ask.proof)
    statement, waiting = statement_of(conn, community, owner, (start, until), ask.now)
    return sent.message(
        (name, owner),
        (start, until),
        statement,
        waiting=waiting,
        handovers=reading.handovers(conn, name, owner, start, until),
        proof=_proof(conn, name, owner, statement, ask) if ask.proof else sent.Proof(),
        following=None if until == end else until,
    )


def _proof(conn: Connection, community: str, owner: str, statement: Statement, ask: Ask) -> sent.Proof:
    numbers = reading.entries_of(conn, community, statement.lines, statement.corrections, statement.movements)
    proof = reading.proof_of(conn, community, owner, numbers)
    sites = reading.measured_at(conn, community, owner, statement.lines, ask.now)
    alone = ask.site is None or sites in ((), (ask.site,))
    elsewhere_wh = {} if alone else reading.elsewhere(conn, community, (ask.site or "", owner), statement.lines)
    return replace(proof, sites=sites, elsewhere_wh=elsewhere_wh)


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
    grid_wh += conn.execute(_sum(settled_correction_table, community, "grid_wh")).one()[1]
    net_wh = local_wh = 0
    for table in (settled_owner_interval_table, settled_owner_correction_table):
        net_wh += conn.execute(_sum(table, community, "net_wh")).one()[1]
        local_wh += conn.execute(_sum(table, community, "local_wh")).one()[1]
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
