"""From a batch to its readings: whether what the site signed may be settled, or why it is held."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cloud.sites.trees.boundary import BoundaryTap
from cloud.wire import Batch, Intervals, TapColumns

from .reading import Reading

FUTURE_SECONDS_MAX = 300  # a site's clock may be off by this much; beyond, its readings wait until their time has come

type Registers = tuple[int, int]
type Reason = Literal[
    "future",
    "unknown-tree",
    "tree-not-valid-yet",
    "tree-not-valid-any-more",
    "interval-length",
    "taps-differ",
    "owners-differ",
    "overlap",
    "registers-differ",
    "amends-differ",
    "quarantined",
    "damaged",
]


@dataclass(frozen=True, slots=True)
class Held:
    """Stored, not settled, and why; `due_at` is when a batch from the future may be looked at again."""

    reason: Reason
    due_at: int | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What a batch is judged on: the tree revision it names, if the cloud has it, and the community's interval."""

    tree: tuple[int, Mapping[str, BoundaryTap]] | None
    interval_seconds: int
    now: int
    tree_ends: int | None = None  # since then a tap of that revision is somebody else's


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Readings already derived around a batch.

    `before`: each tap's registers where the batch starts; `after`: where it ends, as the readings that follow begin.
    `overlap`: that some interval of it is derived already, from another epoch.
    """

    before: Mapping[str, Registers]
    after: Mapping[str, Registers]
    overlap: bool


def end_of(intervals: Intervals) -> int:
    """Return where a batch's last interval ends."""
    return intervals.start + intervals.seconds * intervals.count


def held_by_itself(intervals: Intervals, ground: Ground) -> Held | None:
    """Judge a batch without its neighbours, as it arrives."""
    if end_of(intervals) > ground.now + FUTURE_SECONDS_MAX:
        return Held("future", end_of(intervals) - FUTURE_SECONDS_MAX)
    if ground.tree is None:
        return Held("unknown-tree")
    valid_from, taps = ground.tree
    if intervals.start < valid_from:
        return Held("tree-not-valid-yet")
    if ground.tree_ends is not None and end_of(intervals) > ground.tree_ends:
        return Held("tree-not-valid-any-more")
    if intervals.seconds != ground.interval_seconds:
        return Held("interval-length")
    if intervals.taps.keys() != taps.keys():
        return Held("taps-differ")
    if any(_owners(intervals.taps[tap]) != (taps[tap].owner, taps[tap].upstream_owner) for tap in taps):
        return Held("owners-differ")
    return None


def _owners(columns: TapColumns) -> tuple[str, str | None]:
    return columns.owner, columns.upstream_owner


def held_by_neighbours(intervals: Intervals, neighbours: Neighbours) -> Held | None:
    """Judge a batch against the readings around it: nothing counted twice, every Wh shown by the registers."""
    if neighbours.overlap:
        return Held("overlap")
    for tap, columns in intervals.taps.items():
        if not _registers_agree(columns, neighbours.before.get(tap), neighbours.after.get(tap)):
            return Held("registers-differ")
    return None


def _registers_agree(columns: TapColumns, before: Registers | None, after: Registers | None) -> bool:
    opening = before
    for place, closing in enumerate(columns.register_wh):
        energy = columns.import_wh[place], columns.export_wh[place]
        measured = closing[0] - energy[0], closing[1] - energy[1]  # where the registers must have stood before
        if columns.quality[place] != "reset" and (measured != (opening or measured) or min(measured) < 0):
            return False
        opening = closing
    return after in (None, opening)


def readings_of(batch: Batch, intervals: Intervals, taps: Mapping[str, BoundaryTap]) -> list[Reading]:
    """Return one reading per boundary tap and interval of a batch that is not held."""
    return [
        Reading(
            site=batch.site,
            tap=tap,
            start=intervals.start + place * intervals.seconds,
            seconds=intervals.seconds,
            owner=columns.owner,
            upstream_owner=columns.upstream_owner,
            island=taps[tap].island,
            private=taps[tap].private,
            import_wh=columns.import_wh[place],
            export_wh=columns.export_wh[place],
            import_register_wh=columns.register_wh[place][0],
            export_register_wh=columns.register_wh[place][1],
            quality=columns.quality[place],
            epoch=batch.epoch,
            seq=batch.seq,
        )
        for tap, columns in intervals.taps.items()
        for place in range(intervals.count)
    ]
