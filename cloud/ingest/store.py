"""Batches in one transaction: what stands, what they are, and the readings that can now be derived."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from cloud.sites import store as sites
from cloud.sites.trees import store as trees
from cloud.sites.trees.boundary import read_tree
from cloud.wire import Batch, Intervals, digest, parse_batch

from .amendment import store as amendment
from .amendment.rule import replacements
from .arrivals import store as group
from .arrivals.arrival import Around, Arrival, Evidence, held, is_next
from .batches import store as batches
from .batches.store import Pending
from .cables.store import add_cables
from .chain import Link, Verdict, judge
from .derive import Ground, Held, Neighbours, end_of, held_by_itself, held_by_neighbours, readings_of
from .readings import store as readings
from .telemetry.store import add_telemetry

RELEASE_MAX = 200  # batches derived in one transaction, so that others get their turn; a job goes on with the rest

type Judged = tuple[Arrival, Around, Held | None]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a batch that arrived, and how far the chain reaches without a gap."""

    verdict: Verdict
    acked_through: int = 0
    held: str | None = None


def keep_all(conn: Connection, arrivals: Sequence[Arrival]) -> list[Kept | None]:
    """Keep batches of different sites in one transaction, each as `keep` does; None where its key is not the site's.

    The plain next ones, nearly all, are kept by few statements for all of them.
    """
    group.lock(conn, arrivals)
    stands = group.around(conn, arrivals)
    found = [None if around is None else _next(item, around) for item, around in zip(arrivals, stands, strict=True)]
    group.add_next(conn, [judged for judged in found if judged is not None])
    return [_kept(conn, *item) for item in zip(arrivals, stands, found, strict=True)]


def _next(item: Arrival, around: Around) -> Judged | None:
    return (item, around, held(item, around)) if is_next(item, around) else None


def _kept(conn: Connection, item: Arrival, around: Around | None, judged: Judged | None) -> Kept | None:
    if around is None:
        return None
    if judged is None:
        return keep(conn, item.community, item.batch, item.evidence)
    reason = judged[2]
    return Kept("created", item.batch.seq, None if reason is None else reason.reason)


def keep(conn: Connection, community: str, batch: Batch, evidence: Evidence) -> Kept:
    """Keep a signed batch for ever and derive what can be derived; durable once the caller's transaction is."""
    site = sites.site_of(conn, community, batch.site, locked=True)
    assert site is not None
    now = evidence.received_ms // 1000
    standing = batches.standing_of(conn, community, batch.site, batch.epoch, batch.seq)
    verdict = judge(Link(batch.epoch, batch.seq, batch.prev, evidence.hash), standing)
    match verdict:
        case "equivocation":
            if batches.add_contradiction(conn, community, batch, evidence):
                sites.quarantine(conn, community, batch.site, f"two batches {batch.epoch}/{batch.seq}", now)
        case "created":
            ground = _ground(conn, community, batch, now)
            reason = held_by_itself(batch.intervals, ground) if batch.intervals else None
            batches.add_batch(conn, community, batch, evidence, reason)
            release(conn, community, batch.site, now)
    acked = batches.acked_through(conn, community, batch.site, batch.epoch)
    if verdict != "created":
        return Kept(verdict, acked)
    if site.quarantined_at is not None:
        return Kept(verdict, acked, held="quarantined")
    return Kept(verdict, acked, batches.state_of(conn, community, batch.site, batch.epoch, batch.seq)[1])


def release(conn: Connection, community: str, site: str, now: int) -> int:
    """Derive the batches of a site whose turn has come, in the order of their chain; return how many were looked at."""
    found = sites.site_of(conn, community, site, locked=True)
    if found is None or found.quarantined_at is not None:
        return 0
    due = batches.pending(conn, community, site, now, RELEASE_MAX)
    for item in due:
        batches.note(conn, community, site, item, _derive(conn, community, item, now), now=now)
    return len(due)


def _derive(conn: Connection, community: str, item: Pending, now: int) -> Held | tuple[int, int] | None:
    """Derive what one batch says and return the time its readings cover, or why it is held."""
    if digest(item.raw) != item.hash:
        return Held("damaged")  # the disk has changed what the site signed
    batch = parse_batch(item.raw)
    outcome = None if batch.intervals is None else _derive_readings(conn, community, batch, batch.intervals, now)
    if not isinstance(outcome, Held):
        add_cables(conn, [(community, batch, now)])
        add_telemetry(conn, [(community, batch, now)])
    return outcome


def _derive_readings(
    conn: Connection, community: str, batch: Batch, intervals: Intervals, now: int
) -> Held | tuple[int, int]:
    ground = _ground(conn, community, batch, now)
    reason = held_by_itself(intervals, ground)
    if reason is not None:
        return reason
    assert ground.tree is not None  # or it would be held
    found = readings_of(batch, intervals, ground.tree[1])
    covered = intervals.start, end_of(intervals)
    if intervals.amends:
        stands = amendment.standing(conn, community, batch.site, *covered)
        better = replacements(found, stands)
        if better is None:
            return Held("amends-differ")
        amendment.put_in_place(conn, community, better, now)
        return covered
    reason = held_by_neighbours(intervals, _neighbours(conn, community, batch.site, intervals))
    if reason is None:
        readings.add_readings(conn, community, found)
    return reason or covered


def _ground(conn: Connection, community: str, batch: Batch, now: int) -> Ground:
    settings = sites.community_of(conn, community)
    assert settings is not None
    rev = 0 if batch.intervals is None else batch.intervals.tree_rev
    raw = trees.tree_raw(conn, community, batch.site, rev)
    ends = trees.tree_ends(conn, community, batch.site, rev)
    return Ground(None if raw is None else read_tree(raw), settings.interval_seconds, now, ends)


def _neighbours(conn: Connection, community: str, site: str, intervals: Intervals) -> Neighbours:
    start, end = intervals.start, end_of(intervals)
    return Neighbours(
        before=readings.registers_at_end(conn, community, site, start),
        after=readings.registers_at_start(conn, community, site, end),
        overlap=readings.any_between(conn, community, site, start, end),
    )
