"""One boundary of the whole site: its taps' intervals become what is kept, reported and shown. Pure."""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass, replace

from .link import KeptBoundary, KeptInterval
from .metering import TapInterval, TapMeter, TapTree, close, net, plant
from .wire import Quality, TapColumns, TreeTap


@dataclass(frozen=True, slots=True)
class Cut:
    """The meters after a boundary, what is to be kept (None if no tap had an interval), and how sure each tap was."""

    meters: Mapping[str, TapMeter]
    interval: KeptInterval | None
    boundaries: Mapping[str, KeptBoundary]
    qualities: Mapping[str, Quality]


def cut(meters: Mapping[str, TapMeter], taps: Mapping[str, TreeTap], rev: int | None, end: int, poll_ms: int) -> Cut:
    """Close boundary `end` (s) of every meter, and net the interval over the tree that was valid in it.

    A tap without an interval yet (it opens at this boundary, or was never read) does not count: what it carried stays
    with the owner upstream of it, whose register measured it too.
    """
    closed = {tap: close(meter, end, poll_ms) for tap, meter in meters.items()}
    after = {tap: meter for tap, (meter, _) in closed.items()}
    measured = {tap: interval for tap, (_, interval) in closed.items() if interval is not None and tap in taps}
    return Cut(
        meters=after,
        interval=_interval(plant(without(taps, taps.keys() - measured.keys())), measured, rev, end),
        boundaries={
            tap: KeptBoundary(at.at, at.import_wh, at.export_wh, at.exact)
            for tap, meter in after.items()
            if (at := meter.closed) is not None
        },
        qualities={tap: interval.quality for tap, interval in measured.items()},
    )


def _interval(tree: TapTree, measured: Mapping[str, TapInterval], rev: int | None, end: int) -> KeptInterval | None:
    if not measured:
        return None
    netting = net(tree, {tap: (interval.import_wh, interval.export_wh) for tap, interval in measured.items()})
    seconds = next(iter(measured.values())).seconds
    return KeptInterval(
        start=end - seconds,
        seconds=seconds,
        tree_rev=rev,
        taps={tap: _columns(tree, tap, measured[tap]) for tap in tree.boundary},
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


def without(taps: Mapping[str, TreeTap], gone: AbstractSet[str]) -> dict[str, TreeTap]:
    """Return the tree without some taps; what hung below them hangs below what is above them."""
    kept = {tap: member for tap, member in taps.items() if tap not in gone}
    for tap, member in kept.items():
        parent = member.parent
        while parent is not None and parent in gone:
            parent = taps[parent].parent
        kept[tap] = replace(member, parent=parent)
    return kept
