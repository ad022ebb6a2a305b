"""Settlement's numbers as columns: one item per reading, or one per slot, an owner's place in an interval."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

type Whole = NDArray[np.int64]
type Flags = NDArray[np.bool_]

ENERGY_WH_MAX: Final = 10**12  # 1 TWh in one reading: more than a country; a million of them add up within 64 bits
BLOCK: Final = 1 << 18  # rows worked on at a time: what is in between stays in the processor's cache


@dataclass(frozen=True, slots=True)
class Readings:
    """Boundary readings: the slots energy moves to and from, and how much. Fastest where slots come in order.

    `slot` is the tap's owner in the interval, `upstream` the owner upstream or the grid; an island's first tap moves
    nothing: its `upstream` is its own slot. `rank` is the quality's, 0 the best.
    """

    slot: Whole
    upstream: Whole
    import_wh: Whole
    export_wh: Whole
    rank: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Nets:
    """What is left of the readings: net Wh by slot (taken positive) and the worst rank, -1 where there was no reading.

    The first slot of each interval is the grid's. `beyond` are intervals with a reading beyond ENERGY_WH_MAX.
    """

    net_wh: Whole
    rank: NDArray[np.int8]
    beyond: Flags


@dataclass(frozen=True, slots=True)
class Tariffs:
    """Prices in micro-points per Wh: the local one by interval, where `local` says there is one; the grid's by slot."""

    local: Flags
    local_micro: Whole
    buy_micro: Whole
    sell_micro: Whole


@dataclass(frozen=True, slots=True)
class Shares:
    """Each slot's part: Wh from the community and from the grid, the grid's price on its side, and its points.

    In the grid's slots stands what the grid earns or pays. `beyond` are intervals of more points than can be posted.
    """

    local_wh: Whole
    grid_wh: Whole
    grid_micro: Whole
    points_micro: Whole
    beyond: Flags
