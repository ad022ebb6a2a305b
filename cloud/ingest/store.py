"""One batch in one transaction: what stands, what it is, and the readings that can now be derived."""

from dataclasses import dataclass

from sqlalchemy import Connection

from cloud.sites import store as sites
from cloud.sites.trees import store as trees
from cloud.sites.trees.boundary import read_tree
from cloud.wire import Batch, Intervals, digest, parse_batch

from .batches import store as batches
from .batches.store import Evidence, Pending
from .chain import Link, Verdict, judge
from .derive import Ground, Held, Neighbours, end_of, held_by_itself, held_by_neighbours, readings_of
from .readings import store as readings

RELEASE_MAX = 200  # batches derived in one transaction, so that others get their turn; a job goes on with the rest


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a batch that arrived, and how far the chain reaches without a gap."""

    verdict: Verdict
    acked_through: int = 0
    held: str | None = None


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
            held = held_by_itself(batch.intervals, ground) if batch.intervals else None
            batches.add_batch(conn, community, batch, evidence, held)
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
        batches.note(conn, community, site, item, _derive(conn, community, item, now))
    return len(due)


def _derive(conn: Connection, community: str, item: Pending, now: int) -> Held | None:
    """Derive the readings of one batch; return why not, if it is held."""
    if digest(item.raw) != item.hash:
        return Held("damaged")  # the disk has changed what the site signed
    batch = parse_batch(item.raw)
    held = None
    if batch.intervals is not None:
        ground = _ground(conn, community, batch, now)
        held = held_by_itself(batch.intervals, ground)
        held = held or held_by_neighbours(batch.intervals, _neighbours(conn, community, batch.site, batch.intervals))
        if held is None and ground.tree is not None:
            readings.add_readings(conn, community, readings_of(batch, batch.intervals, ground.tree[1]))
    return held


def _ground(conn: Connection, community: str, batch: Batch, now: int) -> Ground:
    settings = sites.community_of(conn, community)
    assert settings is not None
    rev = 0 if batch.intervals is None else batch.intervals.tree_rev
    raw = trees.tree_raw(conn, community, batch.site, rev)
    return Ground(None if raw is None else read_tree(raw), settings.interval_seconds, now)


def _neighbours(conn: Connection, community: str, site: str, intervals: Intervals) -> Neighbours:
    start, end = intervals.start, end_of(intervals)
    return Neighbours(
        before=readings.registers_at_end(conn, community, site, start),
        after=readings.registers_at_start(conn, community, site, end),
        overlap=readings.any_between(conn, community, site, start, end),
    )
