"""Netting: every boundary tap moves its energy from the owner upstream, or the grid, to its own owner."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cloud.ingest.reading import Reading
from cloud.wire import Quality

# from best to worst: a place in time not measured, energy lost at an exchanged meter, no reading at all
QUALITIES: Final[tuple[Quality, ...]] = ("ok", "estimated", "reset", "missing")


@dataclass(frozen=True, slots=True)
class Netting:
    """Whole Wh of one interval: per owner (taken positive) and for the grid, which is one more owner in this sum.

    `quality` is the worst of the readings that moved an owner's energy: of its own taps and of those directly below.
    """

    net_wh: Mapping[str, int]
    grid_wh: int
    quality: Mapping[str, Quality]

    def __post_init__(self) -> None:
        """Energy is kept in double entry."""
        assert sum(self.net_wh.values()) + self.grid_wh == 0, "netting lost energy"


def net(readings: Iterable[Reading]) -> Netting:
    """Net an interval's readings: two legs each. The first tap of an island moves nothing; it has no upstream.

    Settlement does this sum over columns; here it stands as the rule, which the columns' answer is tested by.
    """
    grid_wh = 0
    net_wh: dict[str, int] = {}
    worst: dict[str, int] = {}
    for reading in readings:
        energy_wh = 0 if reading.island else reading.import_wh - reading.export_wh
        rank = QUALITIES.index(reading.quality)
        for owner, moved_wh in ((reading.owner, energy_wh), (reading.upstream_owner, -energy_wh)):
            if owner is None:
                grid_wh += moved_wh
            else:
                net_wh[owner] = net_wh.get(owner, 0) + moved_wh
                worst[owner] = max(worst.get(owner, 0), rank)
    return Netting(net_wh, grid_wh, {owner: QUALITIES[rank] for owner, rank in worst.items()})


def with_silent(netting: Netting, owners: frozenset[str]) -> Netting:
    """Give those who have an account and no reading in the interval their line too: nothing measured, nothing moved."""
    silent = sorted(owners - netting.net_wh.keys())
    missing: dict[str, Quality] = dict.fromkeys(silent, "missing")
    return Netting({**netting.net_wh, **dict.fromkeys(silent, 0)}, netting.grid_wh, {**netting.quality, **missing})
