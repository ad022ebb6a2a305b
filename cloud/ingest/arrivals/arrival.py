"""A batch that arrives, what stands around it, and whether it is the plain next one that can be kept with others."""

from collections.abc import Mapping
from dataclasses import dataclass

from cloud.ingest.derive import Ground, Held, Neighbours, Registers, held_by_itself, held_by_neighbours
from cloud.sites.trees.boundary import BoundaryTap
from cloud.wire import Batch


@dataclass(frozen=True, slots=True)
class Evidence:
    """A batch's bytes with the signature over them, which key made it, and when they came."""

    raw: bytes
    hash: str
    signature: str
    kid: str
    received_ms: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A signed batch that was read and is not kept yet."""

    community: str
    batch: Batch
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class End:
    """Where the epoch of a batch stands: how far without a gap, its highest number and that batch's hash."""

    acked_through: int
    highest: int
    highest_hash: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around an arriving batch of a site that still has the key it was signed with.

    `waiting`: batches of the site that are not derived; `later`: a reading that begins at the batch's start or after;
    `before`: each tap's registers where the batch starts.
    """

    quarantined: bool
    interval_seconds: int
    tree: tuple[int, Mapping[str, BoundaryTap]] | None
    end: End | None
    waiting: bool
    later: bool
    before: Mapping[str, Registers]
    tree_ends: int | None = None


def is_next(arrival: Arrival, around: Around) -> bool:
    """Tell whether a batch follows everything its site has sent, with nothing open: nearly all that come do.

    Of such a batch the chain's verdict is `created`, and it is judged by the readings before it alone.
    """
    batch, end = arrival.batch, around.end
    if batch.intervals is not None and batch.intervals.amends:
        return False
    if around.quarantined or around.waiting or around.later or end is None or end.closed:
        return False
    if batch.intervals is not None and batch.intervals.amends:
        return False  # it is judged by the readings it would take the place of
    return end.acked_through == end.highest == batch.seq - 1 and end.highest_hash == batch.prev


def held(arrival: Arrival, around: Around) -> Held | None:
    """Judge the readings of a batch that is the next one."""
    intervals = arrival.batch.intervals
    if intervals is None:
        return None
    ground = Ground(around.tree, around.interval_seconds, arrival.evidence.received_ms // 1000, around.tree_ends)
    return held_by_itself(intervals, ground) or held_by_neighbours(
        intervals, Neighbours(around.before, {}, overlap=False)
    )
