"""Settles intervals: many from one look at the readings, and keeps all that follows or nothing."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from cloud.bulk import insert_many
from cloud.database import bucket_of
from cloud.ledger import store as ledger
from cloud.ledger.account import GRID, owner_account
from cloud.ledger.posting import Entry, postings_of
from cloud.notice.balance.store import tell_balances
from cloud.settlement.cause import energy_cause
from cloud.settlement.credit.store import judge_balances
from cloud.settlement.cycle import Expected
from cloud.settlement.direct.store import agreed
from cloud.settlement.evidence import Outcome, batches_digest, blind_of, direct_wh_of, document_of, points_of
from cloud.settlement.interval.work import Ground, Interval, NotWorked, Worked, work
from cloud.settlement.measured.store import measured
from cloud.settlement.store import (
    hold,
    settled_interval_table,
    settled_owner_interval_table,
    settled_starts,
    settled_through,
    settled_without_table,
)
from cloud.sites.links import store as links
from cloud.sites.store import Community, owners_of
from cloud.tariff import store as tariffs
from cloud.wire import digest

INTERVAL_MEMBERS = (
    *("bucket", "community", "start", "seconds", "readings", "grid_wh", "grid_points_micro", "local_micro_per_wh"),
    *("evidence", "batches", "document", "entry", "settled_at"),
)
PART_MEMBERS = (
    *("bucket", "community", "start", "owner", "net_wh", "local_wh", "grid_wh", "grid_micro_per_wh", "points_micro"),
    *("quality", "local_micro_per_wh", "direct_wh", "direct_points_micro", "blind"),
)

type NotSettled = Literal["settled-already"] | NotWorked


@dataclass(frozen=True, slots=True)
class Settled:
    """An interval that was settled now, and the entry that moved its points: None where there were none to move."""

    start: int
    entry: int | None


def settle_intervals(
    conn: Connection, community: Community, starts: Sequence[int], expected: Sequence[Expected], now: int
) -> dict[int, Settled | NotSettled]:
    """Settle some intervals and tell the sites where that leaves them, in the caller's transaction.

    Done twice, or by two machines at once, it is done once: the row of the interval, the cause of the entry and the
    lock on the community each hold that by themselves.
    """
    name = community.community
    secret = hold(conn, name)
    settled = settled_starts(conn, name, min(starts), max(starts))
    todo = [
        Interval(start, 0, frozenset(item.site for item in expected if item.since <= start))
        for start in starts
        if start not in settled
    ]
    outcomes: dict[int, Settled | NotSettled] = dict.fromkeys(starts, "settled-already")
    if not todo:
        return outcomes
    accounts = ledger.owners_with_account(conn, name)
    worked = work_out(conn, community, todo, accounts, now)
    outcomes |= _keep_all(conn, worked, accounts, secret, now)
    if any(isinstance(outcome, Settled) for outcome in outcomes.values()):
        tell(conn, name, now)
    return outcomes


def work_out(
    conn: Connection, community: Community, intervals: Sequence[Interval], accounts: frozenset[str], now: int
) -> dict[int, Worked | NotWorked]:
    """Work out intervals by what has been reported; prices and links stay as they are until the transaction ends."""
    name, starts = community.community, [interval.start for interval in intervals]
    rows = measured(conn, name, starts)
    ground = Ground(
        community=name,
        seconds=community.interval_seconds,
        now=now,
        book=tariffs.held_book(conn, name, min(starts), max(starts)),
        upstreams=links.held_upstreams(conn, name),
        agreed=agreed(conn, name),
    )
    return work(ground, intervals, rows, accounts)


@dataclass(frozen=True, slots=True)
class Written:
    """An interval worked out and written down."""

    worked: Worked
    blinds: Mapping[str, str]
    document: bytes

    @property
    def outcome(self) -> Outcome:
        """What it came to."""
        return self.worked.outcome


def _keep_all(
    conn: Connection, worked: Mapping[int, Worked | NotWorked], accounts: frozenset[str], secret: str, now: int
) -> dict[int, Settled | NotSettled]:
    """Post and keep what was worked out, all intervals together."""
    outcomes: dict[int, Settled | NotSettled] = {
        start: item for start, item in worked.items() if not isinstance(item, Worked)
    }
    done = [_written(item, secret) for item in worked.values() if isinstance(item, Worked)]
    if not done:
        return outcomes
    owners = {owner for item in done for owner in item.outcome.parts} - accounts
    open_accounts(conn, done[0].outcome.community, owners, now)
    entries = _posted(conn, done, now)
    _keep(conn, done, entries, now)
    _mark(conn, [item.worked for item in done])
    return outcomes | {item.outcome.start: Settled(item.outcome.start, entries[item.outcome.start]) for item in done}


def _written(item: Worked, secret: str) -> Written:
    blinds = {owner: blind_of(secret, item.outcome.start, owner) for owner in item.outcome.parts}
    return Written(item, blinds, document_of(item.outcome, blinds))


def _posted(conn: Connection, done: Sequence[Written], now: int) -> dict[int, int | None]:
    """Post every interval's one entry; return their numbers, None where no points move."""
    entries = [
        (item, entry_of(item.outcome, item.document, _points(item.outcome), (item.outcome.start, now))) for item in done
    ]
    moving = [(item, entry) for item, entry in entries if entry is not None]
    posted = ledger.post_all(conn, [(entry, item.document) for item, entry in moving])
    numbers: dict[int, int | None] = {item.outcome.start: None for item in done}
    return numbers | {item.outcome.start: made.number for (item, _), made in zip(moving, posted, strict=True)}


def _mark(conn: Connection, done: Sequence[Worked]) -> None:
    """Let stand what intervals were settled by."""
    name, through = done[0].outcome.community, dict[tuple[str, int], int]()
    for item in sorted(done, key=lambda worked: worked.outcome.start):
        through |= dict.fromkeys(item.tariffs, item.outcome.start + item.outcome.seconds)
    tariffs.mark_used(conn, name, through)
    links.mark_used(conn, name, max(through.values()))


def _points(outcome: Outcome) -> dict[str, int]:
    """Return what moves on each account."""
    moved = {owner_account(owner).id: points for owner, points in points_of(outcome).items()}
    return moved | {GRID.id: outcome.grid_points_micro}


def open_accounts(conn: Connection, community: str, owners: Collection[str], now: int) -> None:
    """Open the accounts of owners that have none yet; the grid's goes with the first."""
    if owners:
        ledger.open_accounts(conn, community, [GRID, *map(owner_account, sorted(owners))], now)


def entry_of(outcome: Outcome, document: bytes, moved: Mapping[str, int], times: tuple[int, int]) -> Entry | None:
    """Return the entry of what moved, valued at and made at these times; None where no points move."""
    legs = postings_of(moved)
    if not legs:
        return None
    return Entry(outcome.community, energy_cause(outcome.start, outcome.revision), *times, digest(document), legs)


def _keep(conn: Connection, done: Sequence[Written], entries: Mapping[int, int | None], now: int) -> None:
    """Keep the intervals, the sites they were settled without, and every owner's part."""
    outcomes = [item.outcome for item in done]
    owned = bucket_of(outcomes[0].community), outcomes[0].community
    insert_many(
        conn,
        settled_interval_table,
        INTERVAL_MEMBERS,
        [(*owned, *_interval(item, entries[item.outcome.start]), now) for item in done],
    )
    without = [(*owned, outcome.start, site) for outcome in outcomes for site in outcome.without]
    insert_many(conn, settled_without_table, ("bucket", "community", "start", "site"), without)
    parts = [(*owned, *part) for item in done for part in _parts(item)]
    insert_many(conn, settled_owner_interval_table, PART_MEMBERS, parts)


def _interval(item: Written, entry: int | None) -> tuple[Any, ...]:
    outcome, readings = item.outcome, item.worked.readings
    sums = (outcome.start, outcome.seconds, readings, outcome.grid_wh, outcome.grid_points_micro)
    beside = None if entry is not None else item.document
    sealed = (digest(item.document), batches_digest(outcome.batches), beside)
    return *sums, outcome.local_micro_per_wh, *sealed, entry


def _parts(item: Written) -> Iterator[tuple[Any, ...]]:
    outcome = item.outcome
    start, local, blinds = outcome.start, outcome.local_micro_per_wh, item.blinds
    points, direct_wh = points_of(outcome), direct_wh_of(outcome)
    for owner, part in outcome.parts.items():
        energy = (part.net_wh, part.local_wh, part.grid_wh, part.grid_micro_per_wh, part.points_micro)
        direct = (direct_wh[owner], points[owner] - part.points_micro)
        yield start, owner, *energy, part.quality, local, *direct, blinds[owner]


def tell(conn: Connection, community: str, now: int) -> None:
    """Tell every site where the balance of its main owner stands now, and judge everybody's credit."""
    balances, through = ledger.balances(conn, community), settled_through(conn, community)
    assert through is not None
    told = {owner: balances.get(owner_account(owner).id, 0) for owner in owners_of(conn, community)}
    tell_balances(conn, community, told, now, through)
    judge_balances(conn, community, now)
