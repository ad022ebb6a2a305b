"""Corrects intervals whose readings are others than they were settled by; safe to run twice, or on two machines."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Connection, func, select, update

from cloud.bulk import insert_many
from cloud.database import bucket_of
from cloud.ingest.batches.store import batch_table
from cloud.ledger import store as ledger
from cloud.ledger.account import GRID, owner_account
from cloud.settlement.correction.difference import State, differences, merged
from cloud.settlement.correction.store import settled_correction_table, settled_owner_correction_table
from cloud.settlement.evidence import batches_digest, blind_of, document_of
from cloud.settlement.interval.store import entry_of, open_accounts, tell, work_out
from cloud.settlement.interval.work import Interval, NotWorked, Worked
from cloud.settlement.measured.store import batches_at
from cloud.settlement.store import (
    hold,
    settled_interval_table,
    settled_owner_interval_table,
    settled_without_table,
    settlement_table,
)
from cloud.sites.store import Community
from cloud.wire import Quality, digest

STARTS_TOGETHER = 500  # looked at by one statement
PART_MEMBERS = (
    *("bucket", "community", "start", "revision", "owner", "net_wh", "local_wh", "grid_wh", "points_micro"),
    *("direct_wh", "direct_points_micro", "quality", "local_micro_per_wh", "grid_micro_per_wh", "blind"),
    *("booked_at", "entry"),
)


@dataclass(frozen=True, slots=True)
class News:
    """Batches derived since a time: how many, when the last, and the times that their readings cover."""

    count: int
    newest: int
    covered: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Corrected:
    """An interval that was looked at again, and the entry that moved points: None where nothing was to be moved."""

    start: int
    revision: int
    entry: int | None


type NotCorrected = Literal["corrected-already"] | NotWorked


@dataclass(frozen=True, slots=True)
class Stands:
    """A settled interval as it stands: its newest revision, the grid's part, what it lacks, and each owner's state."""

    revision: int
    grid: tuple[int, int]
    without: frozenset[str]
    owners: Mapping[str, State]
    blinds: Mapping[str, str]


def corrected_through(conn: Connection, community: str) -> int:
    """Return the time up to which what batches changed is corrected."""
    rows = select(settlement_table.c.corrected_through).filter_by(**_owned(community))
    return conn.execute(rows).scalar_one_or_none() or 0


def set_corrected_through(conn: Connection, community: str, through: int) -> None:
    """Remember that what batches derived before a time have changed is corrected; it never goes back."""
    c = settlement_table.c
    rows = update(settlement_table).filter_by(bucket=bucket_of(community), community=community)
    conn.execute(rows.where(func.coalesce(c.corrected_through, 0) < through).values(corrected_through=through))


def news(conn: Connection, community: str, since: int) -> News:
    """Return what batches were derived since a time."""
    b = batch_table.c
    rows = select(b.first_start, b.last_end, func.count(), func.max(b.derived_at))
    rows = rows.filter_by(bucket=bucket_of(community), community=community).where(b.derived_at >= since)
    found = conn.execute(rows.where(b.first_start.is_not(None)).group_by(b.first_start, b.last_end)).all()
    return News(
        count=sum(count for _, _, count, _ in found),
        newest=max((newest for *_, newest in found), default=0),
        covered=tuple((first, end) for first, end, *_ in found),
    )


def changed(conn: Connection, community: str, covered: Sequence[tuple[int, int]]) -> list[int]:
    """Return the settled intervals in these times whose readings come from other batches than they were settled by."""
    i = settled_interval_table.c
    found: set[int] = set()
    for first, end in merged(covered):
        rows = select(i.start).filter_by(bucket=bucket_of(community), community=community)
        found.update(conn.execute(rows.where(i.start >= first, i.start < end)).scalars())
    starts = sorted(found)
    return [
        start
        for place in range(0, len(starts), STARTS_TOGETHER)
        for start in _changed(conn, community, starts[place : place + STARTS_TOGETHER])
    ]


def _changed(conn: Connection, community: str, starts: Sequence[int]) -> list[int]:
    owned, c, i = _owned(community), settled_correction_table.c, settled_interval_table.c
    known: dict[int, str | None] = {}
    settled = select(i.start, i.batches).filter_by(**owned).where(i.start.in_(starts))
    known |= conn.execute(settled).tuples().all()
    corrected = select(c.start, c.batches).filter_by(**owned).where(c.start.in_(starts)).order_by(c.start, c.revision)
    known |= conn.execute(corrected).tuples().all()
    named = batches_at(conn, community, starts)
    return [start for start in starts if start in known and known[start] != batches_digest(named.get(start, []))]


def correct(
    conn: Connection, community: Community, starts: Sequence[int], now: int
) -> dict[int, Corrected | NotCorrected]:
    """Correct intervals and tell the sites where that leaves them, in the caller's transaction.

    A correction is booked in the interval that is current now; what was settled stays as it is.
    """
    name = community.community
    secret = hold(conn, name)
    outcomes: dict[int, Corrected | NotCorrected] = dict.fromkeys(starts, "corrected-already")
    todo = _changed(conn, name, starts)
    if not todo:
        return outcomes
    stands = _stands(conn, name, todo)
    intervals = [
        Interval(start, stands[start].revision + 1, stands[start].without, frozenset(stands[start].owners))
        for start in todo
    ]
    worked = work_out(conn, community, intervals, frozenset(), now)
    accounts = ledger.owners_with_account(conn, name)
    for start, item in worked.items():
        if not isinstance(item, Worked):
            outcomes[start] = item
            continue
        owners = item.outcome.parts
        open_accounts(conn, name, owners.keys() - accounts, now)
        blinds = {owner: stands[start].blinds.get(owner) or blind_of(secret, start, owner) for owner in owners}
        outcomes[start] = _book(conn, item, stands[start], blinds, now)
    if any(isinstance(outcome, Corrected) and outcome.entry for outcome in outcomes.values()):
        tell(conn, name, now)
    return outcomes


def _book(conn: Connection, item: Worked, stands: Stands, blinds: Mapping[str, str], now: int) -> Corrected:
    """Post what a correction changes, and keep it."""
    outcome = item.outcome
    document = document_of(outcome, blinds)
    changes = differences(outcome, stands.owners)
    grid_points = outcome.grid_points_micro - stands.grid[1]
    booked_at = now - now % outcome.seconds
    moved = {owner_account(owner).id: change.moved_micro for owner, change in changes.items()}
    made = entry_of(outcome, document, moved | {GRID.id: grid_points}, (booked_at, now))
    entry = None if made is None else ledger.post(conn, made, document).number
    key = _owned(outcome.community) | {"start": outcome.start, "revision": outcome.revision}
    values = {
        "readings": item.readings,
        "batches": batches_digest(outcome.batches),
        "grid_wh": outcome.grid_wh - stands.grid[0],
        "grid_points_micro": grid_points,
        "evidence": digest(document),
        "entry": entry,
        "booked_at": booked_at,
        "made_at": now,
        "document": document if entry is None else None,
    }
    conn.execute(settled_correction_table.insert().values(key | values))
    rows = []
    for owner, change in changes.items():
        price = outcome.parts[owner].grid_micro_per_wh
        rows.append(
            (
                *(*key.values(), owner, *asdict(change).values(), outcome.local_micro_per_wh, price),
                *(blinds[owner], booked_at, entry),
            )
        )
    insert_many(conn, settled_owner_correction_table, PART_MEMBERS, rows)
    return Corrected(outcome.start, outcome.revision, entry)


def _stands(conn: Connection, community: str, starts: Sequence[int]) -> dict[int, Stands]:
    """Return how these settled intervals stand."""
    owned, i, c, absent = (
        _owned(community),
        *(table.c for table in (settled_interval_table, settled_correction_table, settled_without_table)),
    )
    revisions, grids = dict.fromkeys(starts, 0), dict[int, tuple[int, int]]()
    first = select(i.start, i.grid_wh, i.grid_points_micro).filter_by(**owned).where(i.start.in_(starts))
    for start, wh, points in conn.execute(first):
        grids[start] = wh, points
    later = select(c.start, c.revision, c.grid_wh, c.grid_points_micro).filter_by(**owned).where(c.start.in_(starts))
    for start, revision, wh, points in conn.execute(later):
        revisions[start] = max(revisions[start], revision)
        grids[start] = grids[start][0] + wh, grids[start][1] + points
    without: defaultdict[int, set[str]] = defaultdict(set)
    lacking = select(absent.start, absent.site).filter_by(**owned).where(absent.start.in_(starts))
    for start, site in conn.execute(lacking):
        without[start].add(site)
    owners = _owners(conn, community, starts)
    return {
        start: Stands(revisions[start], grids[start], frozenset(without[start]), *owners[start]) for start in starts
    }


def _owners(
    conn: Connection, community: str, starts: Sequence[int]
) -> Mapping[int, tuple[dict[str, State], dict[str, str]]]:
    """Return every owner's state in these intervals, and the names they have in the documents."""
    found: defaultdict[int, tuple[dict[str, State], dict[str, str]]] = defaultdict(lambda: ({}, {}))
    for table in (settled_owner_interval_table, settled_owner_correction_table):
        p = table.c
        energy = (p.net_wh, p.local_wh, p.grid_wh, p.points_micro)
        direct = (func.coalesce(p.direct_wh, 0), func.coalesce(p.direct_points_micro, 0))
        rows = select(p.start, p.owner, p.blind, *energy, *direct, p.quality).filter_by(**_owned(community))
        rows = rows.where(p.start.in_(starts)).order_by(p.start, p.revision if "revision" in p else p.owner)
        for start, owner, blind, *energy_and_points, quality in conn.execute(rows):
            states, blinds = found[start]
            states[owner] = states.get(owner, State()).plus(_state(energy_and_points, quality))
            if blind is not None:
                blinds[owner] = blind
    return found


def _state(numbers: Sequence[int], quality: Quality) -> State:
    net_wh, local_wh, grid_wh, points_micro, direct_wh, direct_points_micro = numbers
    return State(net_wh, local_wh, grid_wh, points_micro, direct_wh, direct_points_micro, quality)


def _owned(community: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community}
