"""The tap tree prepared for netting: which taps are boundary taps, and between whom each moves energy."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ..errors import CommonwattError
from ..wire import ISLAND, TreeTap

type TreeFault = Literal["loop", "unknown_parent"]


class TreeError(CommonwattError):
    """A tree that cannot stand: `tap` hangs below itself, or below something that is no tap."""

    def __init__(self, tap: str, reason: TreeFault) -> None:
        super().__init__(f"{tap}: {reason}")
        self.tap = tap
        self.reason: TreeFault = reason


@dataclass(frozen=True, slots=True)
class TapTree:
    """A sound tree. `boundary` taps, in the tree's order, are the only ones whose readings leave the site.

    `legs` says of each boundary tap who takes what it imports and who gives it, as places in `owners`. The place after
    the last owner is the grid, the one after that nobody: an island's first tap is reported and moves nothing.
    """

    taps: Mapping[str, TreeTap]
    owners: tuple[str, ...]
    boundary: tuple[str, ...]
    legs: tuple[tuple[str, int, int], ...]

    def upstream_owner(self, tap: str) -> str | None:
        """Return the owner of the tap upstream; None where upstream is the grid, or nobody (an island)."""
        parent = self.taps[tap].parent
        return None if parent is None or parent == ISLAND else self.taps[parent].owner


def plant(taps: Mapping[str, TreeTap]) -> TapTree:
    """Check a tree and prepare it once, so that netting it afterwards costs one pass; raises TreeError."""
    _check_parents(taps)
    owners = tuple(sorted({tap.owner for tap in taps.values()}))
    place = {owner: index for index, owner in enumerate(owners)}
    grid, nobody = len(owners), len(owners) + 1
    legs = []
    for tap_id, tap in taps.items():
        if tap.parent == ISLAND:
            legs.append((tap_id, nobody, nobody))
        elif tap.parent is None:
            legs.append((tap_id, place[tap.owner], grid))
        elif (above := taps[tap.parent].owner) != tap.owner:
            legs.append((tap_id, place[tap.owner], place[above]))
    return TapTree(MappingProxyType(dict(taps)), owners, tuple(leg[0] for leg in legs), tuple(legs))


def _check_parents(taps: Mapping[str, TreeTap]) -> None:
    sound: set[str] = set()
    for start in taps:
        path: set[str] = set()
        tap, parent = start, taps[start].parent
        while tap not in sound:
            if tap in path:
                raise TreeError(start, "loop")
            path.add(tap)
            if parent is None or parent == ISLAND:
                break
            if parent not in taps:
                raise TreeError(tap, "unknown_parent")
            tap, parent = parent, taps[parent].parent
        sound |= path
