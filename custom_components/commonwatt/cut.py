"""One boundary of the whole site: its taps' intervals become what is kept, reported and shown. Pure."""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass, replace

from .link import KeptBoundary, KeptInterval
from .metering import TapInterval, TapMeter, TapTree, close, close_visiting, net, plant
from .wire import Quality, TapColumns, TreeTap


@dataclass(frozen=True, slots=True)
class Cut:
    """The meters after a boundary, what is to be kept (None if no tap had an interval), and what was measured."""

    meters: Mapping[str, TapMeter]
    interval: KeptInterval | None
    boundaries: Mapping[str, KeptBoundary]
    measured: Mapping[str, TapInterval]

    @property
    def qualities(self) -> dict[str, Quality]:
        """How sure each interval is."""
        return {tap: interval.quality for tap, interval in self.measured.items()}


def cut(
    meters: Mapping[str, TapMeter],
    taps: Mapping[str, TreeTap],
    rev: int | None,
    end: int,
    poll_ms: int,
    *,
    cables: AbstractSet[str] = frozenset(),
) -> Cut:
    """Close boundary `end` (s) of every meter, and net the interval over the tree that was valid in it."""
    closed = {tap: (close_visiting if tap in cables else close)(meter, end, poll_ms) for tap, meter in meters.items()}
    after = {tap: meter for tap, (meter, _) in closed.items()}
    intervals = {tap: interval for tap, (_, interval) in closed.items() if interval is not None}
    # a cable is measured like a tap, and stands in no tree
    measured = {tap: interval for tap, interval in intervals.items() if tap in taps}
    return Cut(
        meters=after,
        interval=_interval(plant(taps), measured, after, rev, end),
        boundaries={
            tap: KeptBoundary(at.at, at.import_wh, at.export_wh, at.exact)
            for tap, meter in after.items()
            if (at := meter.closed) is not None
        },
        measured=intervals,
    )


def is_known(meter: TapMeter) -> bool:
    """Tell whether a meter has been read: only then has its tap a place in the tree."""
    return bool(meter.points)


def known_tree(taps: Mapping[str, TreeTap], meters: Mapping[str, TapMeter]) -> dict[str, TreeTap]:
    """Return the tree of the taps whose meters have been read.

    What an unread tap carries stays with the owner upstream of it, whose register measures it too, and what hangs below
    it hangs below that owner meanwhile; otherwise its owner would be paid for energy that nobody saw him take.
    """
    return without(taps, {tap for tap in taps if not is_known(meters[tap])})


def _interval(
    tree: TapTree, measured: Mapping[str, TapInterval], after: Mapping[str, TapMeter], rev: int | None, end: int
) -> KeptInterval | None:
    if not measured:
        return None
    netting = net(tree, {tap: (interval.import_wh, interval.export_wh) for tap, interval in measured.items()})
    seconds = next(iter(measured.values())).seconds
    return KeptInterval(
        start=end - seconds,
        seconds=seconds,
        tree_rev=rev,
        taps={
            tap: _columns(tree, tap, measured.get(tap) or _unmeasured(after.get(tap), end - seconds, seconds))
            for tap in tree.boundary
        },
        net_wh=netting.net_wh,
        grid_wh=netting.grid_wh,
    )


def _columns(tree: TapTree, tap: str, interval: TapInterval) -> TapColumns:
    return TapColumns(
        owner=tree.taps[tap].owner,
        upstream_owner=tree.upstream_owner(tap),
        import_wh=(interval.import_wh,),
        export_wh=(interval.export_wh,),
        register_wh=(interval.register_wh,),
        quality=(interval.quality,),
    )


def _unmeasured(meter: TapMeter | None, start: int, seconds: int) -> TapInterval:
    """Return the interval of a tap in the tree whose registers before it are lost, as a crash can do.

    The cloud expects every boundary tap. Until the meter is read again it is missing; where it opens, it is as if a
    meter was put in: no energy, and the register to go on from.
    """
    if meter is None or meter.closed is None:
        return TapInterval(start, seconds, 0, 0, (0, 0), "missing")
    return TapInterval(start, seconds, 0, 0, (meter.closed.import_wh, meter.closed.export_wh), "reset")


def without(taps: Mapping[str, TreeTap], gone: AbstractSet[str]) -> dict[str, TreeTap]:
    """Return the tree without some taps; what hung below them hangs below what is above them."""
    kept = {tap: member for tap, member in taps.items() if tap not in gone}
    for tap, member in kept.items():
        parent = member.parent
        while parent is not None and parent in gone:
            parent = taps[parent].parent
        kept[tap] = replace(member, parent=parent)
    return kept
