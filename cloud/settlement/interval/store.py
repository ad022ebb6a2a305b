"""Settles intervals: nets by one GROUP BY over two legs per reading, and keeps all that follows or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, case, cast, func, literal, null, select, union_all

from cloud.database import WHOLE, bucket_of
from cloud.ingest.readings.store import reading_table
from cloud.ledger import store as ledger
from cloud.ledger.account import GRID, owner_account
from cloud.ledger.posting import AMOUNT_MICRO_MAX, Entry, postings_of
from cloud.notice import store as notices
from cloud.notice.kind import BALANCE
from cloud.settlement.cause import energy_cause
from cloud.settlement.cycle import Expected
from cloud.settlement.evidence import BatchName, Outcome, document_of
from cloud.settlement.netting import QUALITIES, Netting, with_silent
from cloud.settlement.share import Share, Shared, share
from cloud.settlement.store import (
    hold,
    settled_interval_table,
    settled_owner_interval_table,
    settled_starts,
    settled_through,
    settled_without_table,
)
from cloud.sites.store import Community, sites_of
from cloud.tariff import store as tariffs
from cloud.wire import Balance, Quality, digest

ENERGY_WH_MAX = 10**12  # 1 TWh in one reading: more than a country; a million of them still add up within 64 bits
BALANCE_VALID_SECONDS = 45 * 86_400  # how long a site may be off line and still hear where its balance stood

type NotSettled = Literal["settled-already", "no-readings", "no-tariff", "beyond-limits"]


@dataclass(frozen=True, slots=True)
class Settled:
    """An interval that was settled now, and the entry that moved its points: None where there were none to move."""

    start: int
    entry: int | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is to settle from: the nets, the batches and readings behind them, and the largest reading."""

    netting: Netting
    batches: tuple[BatchName, ...]
    readings: int
    energy_wh_max: int


def settle_intervals(
    conn: Connection, community: Community, starts: Sequence[int], expected: Sequence[Expected], now: int
) -> dict[int, Settled | NotSettled]:
    """Settle some intervals and tell the sites where that leaves them, in the caller's transaction."""
    outcomes = {start: settle_interval(conn, community, start, expected, now) for start in starts}
    if any(isinstance(outcome, Settled) for outcome in outcomes.values()):
        _tell_sites(conn, community.community, now)
    return outcomes


def settle_interval(
    conn: Connection, community: Community, start: int, expected: Sequence[Expected], now: int
) -> Settled | NotSettled:
    """Settle the interval that begins at `start` by what has been reported, in the caller's transaction.

    Done twice, or by two machines at once, it is done once: the row of the interval, the cause of the entry and the
    lock on the community each hold that by themselves.
    """
    name, end = community.community, start + community.interval_seconds
    hold(conn, name)
    if settled_starts(conn, name, start, start):
        return "settled-already"
    measured = measured_at(conn, name, start)
    tariff = tariffs.held_at(conn, name, start)
    if not measured.batches:
        return "no-readings"
    if tariff is None:
        return "no-tariff"
    if measured.energy_wh_max > ENERGY_WH_MAX:
        return "beyond-limits"
    netting = with_silent(measured.netting, ledger.owners_with_account(conn, name))
    shared = share(netting.net_wh, tariff.prices)
    if not _within_limits(shared):
        return "beyond-limits"
    outcome = Outcome(
        community=name,
        start=start,
        seconds=community.interval_seconds,
        prices=tariff.prices,
        batches=measured.batches,
        without=_without(start, expected, measured.batches),
        owners={owner: (part, netting.quality[owner]) for owner, part in shared.owners.items()},
    )
    document = document_of(outcome)
    entry = _post(conn, outcome, document, shared.grid_points_micro, now)
    tariffs.mark_used(conn, name, tariff, end)
    grid = {"grid_wh": netting.grid_wh, "grid_points_micro": shared.grid_points_micro}
    made = {"evidence": digest(document), "entry": entry, "settled_at": now}
    _keep(conn, outcome, grid | made | {"tariff_valid_from": tariff.valid_from, "readings": measured.readings})
    return Settled(start, entry)


def measured_at(conn: Connection, community: str, start: int) -> Measured:
    """Net an interval by the rule of `netting.net`: a leg for each tap's owner and one for upstream, summed by owner.

    Nets and batches are one statement, so that a batch that comes meanwhile is in both or in neither.
    """
    r, here = reading_table.c, {"bucket": bucket_of(community), "community": community, "start": start}
    largest = case((r.import_wh > r.export_wh, r.import_wh), else_=r.export_wh)
    moves = and_(r.island == 0, largest <= ENERGY_WH_MAX)
    energy: ColumnElement[int] = case((moves, r.import_wh - r.export_wh), else_=literal(0, WHOLE))
    rank = case(*((r.quality == quality, rank) for rank, quality in enumerate(QUALITIES)))
    below = select(r.owner.label("owner"), energy.label("wh"), rank.label("rank")).filter_by(**here)
    leg = union_all(below, select(r.upstream_owner, -energy, rank).filter_by(**here)).subquery().c
    none = cast(null(), WHOLE)
    nets = select(leg.owner, none, none, func.sum(leg.wh), func.max(leg.rank)).group_by(leg.owner)
    batches = select(r.site, r.epoch, r.seq, func.count(), func.max(largest)).filter_by(**here)
    rows = conn.execute(union_all(nets, batches.group_by(r.site, r.epoch, r.seq))).all()
    sums = [(owner, int(wh), worst) for owner, epoch, _, wh, worst in rows if epoch is None]
    found = [(BatchName(site, epoch, seq), n, most) for site, epoch, seq, n, most in rows if epoch is not None]
    return Measured(
        netting=_netting(sums),
        batches=tuple(batch for batch, _, _ in found),
        readings=sum(int(n) for _, n, _ in found),
        energy_wh_max=max((most for _, _, most in found), default=0),
    )


def _netting(sums: Sequence[tuple[str | None, int, int]]) -> Netting:
    return Netting(
        net_wh={owner: wh for owner, wh, _ in sums if owner is not None},
        grid_wh=sum(wh for owner, wh, _ in sums if owner is None),
        quality={owner: QUALITIES[worst] for owner, _, worst in sums if owner is not None},
    )


def _within_limits(shared: Shared) -> bool:
    amounts = [part.points_micro for part in shared.owners.values()]
    return all(abs(amount) <= AMOUNT_MICRO_MAX for amount in [*amounts, shared.grid_points_micro])


def _without(start: int, expected: Sequence[Expected], batches: Sequence[BatchName]) -> tuple[str, ...]:
    there = {batch.site for batch in batches}
    return tuple(sorted(item.site for item in expected if item.since <= start and item.site not in there))


def _post(conn: Connection, outcome: Outcome, document: bytes, grid_points_micro: int, now: int) -> int | None:
    """Post the interval's one entry and return its number; where no points move there is nothing to post."""
    accounts = {owner: owner_account(owner) for owner in outcome.owners}
    ledger.open_accounts(conn, outcome.community, [GRID, *accounts.values()], now)
    amounts = {accounts[owner].id: part.points_micro for owner, (part, _) in outcome.owners.items()}
    legs = postings_of(amounts | {GRID.id: grid_points_micro})
    if not legs:
        return None
    entry = Entry(
        community=outcome.community,
        cause=energy_cause(outcome.start),
        valued_at=outcome.start,
        made_at=now,
        evidence=digest(document),
        postings=legs,
    )
    return ledger.post(conn, entry, document).number


def _keep(conn: Connection, outcome: Outcome, values: Mapping[str, Any]) -> None:
    """Keep the interval, its owners' parts and the sites it was settled without."""
    key = {"bucket": bucket_of(outcome.community), "community": outcome.community, "start": outcome.start}
    conn.execute(settled_interval_table.insert().values(key | {"seconds": outcome.seconds} | dict(values)))
    parts = [key | _part(owner, part, quality) for owner, (part, quality) in outcome.owners.items()]
    conn.execute(settled_owner_interval_table.insert(), parts)
    if outcome.without:
        conn.execute(settled_without_table.insert(), [key | {"site": site} for site in outcome.without])


def _part(owner: str, part: Share, quality: Quality) -> dict[str, Any]:
    energy = {"net_wh": part.local_wh + part.grid_wh, "local_wh": part.local_wh, "grid_wh": part.grid_wh}
    return {"owner": owner, "points_micro": part.points_micro, "quality": quality} | energy


def _tell_sites(conn: Connection, community: str, now: int) -> None:
    """Tell every site where the balance of its main owner stands now."""
    balances, through = ledger.balances(conn, community), settled_through(conn, community)
    assert through is not None
    for site in sites_of(conn, community):
        balance_micro = balances.get(owner_account(site.main_owner).id, 0)
        body = Balance(site.main_owner, balance_micro, through).plain()
        times = {"issued_at": now, "expires_at": now + BALANCE_VALID_SECONDS}
        notices.post(conn, community, site.site, BALANCE, body, **times)
