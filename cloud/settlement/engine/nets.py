"""Netting over columns: every reading moves its energy from the slot upstream to the slot of its own owner."""

import numpy as np

from .columns import BLOCK, ENERGY_WH_MAX, Nets, Readings, Whole


def net(first: Whole, readings: Readings) -> Nets:
    """Net many intervals at once by the rule of `netting.net`.

    `first` are the intervals' first slots, the grid's, and at the end the number of slots.
    """
    slots = int(first[-1])
    net_wh, rank = np.zeros(slots, np.int64), np.full(slots, -1, np.int8)
    beyond = np.zeros(len(first) - 1, np.bool_)
    for begin in range(0, len(readings.slot), BLOCK):
        block = slice(begin, begin + BLOCK)
        slot, upstream = readings.slot[block], readings.upstream[block]
        imported, exported = readings.import_wh[block], readings.export_wh[block]
        energy = imported - exported
        if max(imported.max(), exported.max()) > ENERGY_WH_MAX:
            too_much = (imported > ENERGY_WH_MAX) | (exported > ENERGY_WH_MAX)
            beyond[np.searchsorted(first, slot[too_much], side="right") - 1] = True
            energy[too_much] = 0
        np.add.at(net_wh, slot, energy)
        np.subtract.at(net_wh, upstream, energy)
        _worsen(rank, readings, block)
    assert not np.add.reduceat(net_wh, first[:-1]).any(), "netting lost energy"
    return Nets(net_wh, rank, beyond)


def _worsen(rank: np.ndarray[tuple[int], np.dtype[np.int8]], readings: Readings, block: slice) -> None:
    """Let the slots of a block's readings have the worst rank of all that moved their energy."""
    for slots in (readings.slot[block], readings.upstream[block]):
        found = readings.rank[block]
        rank[slots] = np.maximum(rank[slots], 0)
        for worse in range(1, int(found.max()) + 1):
            those = slots[found == worse]
            rank[those] = np.maximum(rank[those], worse)
