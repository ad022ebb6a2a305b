"""Netting: the interval's energy of boundary taps becomes what each owner took or gave, to zero with the grid."""

from collections.abc import Mapping
from dataclasses import dataclass

from .tree import TapTree


@dataclass(frozen=True, slots=True)
class Netting:
    """Whole Wh of one interval: per owner (taken positive), for the grid, and what the boundary taps forwarded.

    The owners' sum and the grid's are opposite: energy is kept in double entry.
    """

    net_wh: Mapping[str, int]
    grid_wh: int
    forwarded: Mapping[str, tuple[int, int]]


def net(tree: TapTree, readings_wh: Mapping[str, tuple[int, int]]) -> Netting:
    """Net (import, export) per tap. A tap without a reading moves nothing; interior taps are absorbed."""
    sums = [0] * (len(tree.owners) + 2)  # the owners, the grid, and nobody
    forwarded = {}
    for tap, taker, giver in tree.legs:
        if tap in readings_wh:
            forwarded[tap] = reading_wh = readings_wh[tap]
            import_wh, export_wh = reading_wh
            energy_wh = import_wh - export_wh
            sums[taker] += energy_wh
            sums[giver] -= energy_wh
    return Netting(dict(zip(tree.owners, sums, strict=False)), sums[-2], forwarded)
