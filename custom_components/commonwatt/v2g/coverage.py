"""Coverage: whether everything behind a site's meter is measured, so that what it must show beside the cables is known.

What a tap shows less what is measured right below it is its residual: a load nobody measures, and losses. It is learnt
while no cable moves energy, for then every residual on the way from the meter to a cable's socket should be nothing.
"""

from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass

LEARNT_MAX = 48  # looks that are remembered, spread over a day: at night any house looks measured (docs/v2g-fraud.md)
LEARNT_MIN = 40
OUTSIDE_MAX = 1  # of those remembered, so many may lie outside the tolerance


@dataclass(frozen=True, slots=True)
class Learnt:
    """The residual in Wh of every tap that had one, in an interval that ended at `end` and in which no cable moved."""

    end: int
    residual_wh: Mapping[str, int]


def way(tap: str | None, parents: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the taps from one up to the site's meter, both included; nothing where it does not hang below a meter.

    `parents` is the tree: None is the grid, and a parent that is no tap of it (an island) leads to no meter.
    """
    found: list[str] = []
    while tap is not None:
        if tap not in parents or tap in found:
            return ()
        found.append(tap)
        tap = parents[tap]
    return tuple(found)


def residuals(parents: Mapping[str, str | None], net_wh: Mapping[str, int]) -> dict[str, int]:
    """Return each tap's net energy less that of the taps right below it, where all of them were surely measured."""
    found = dict(net_wh)
    for tap, parent in parents.items():
        if parent not in found:
            continue
        if tap in net_wh:
            found[parent] -= net_wh[tap]
        else:
            del found[parent]
    return found


def consumption(ways: AbstractSet[str], parents: Mapping[str, str | None], net_wh: Mapping[str, int]) -> int | None:
    """Return what everything measured beside the cables took in Wh; None where something of it was not surely measured.

    `ways` are all taps from the cables up to the meter. These are left out themselves, for they carry the cables' own
    energy; each other tap right below one of them counts, a roof that feeds in with what it gives.
    """
    beside = [tap for tap, parent in parents.items() if parent in ways and tap not in ways]
    if any(tap not in net_wh for tap in beside):
        return None
    return sum(net_wh[tap] for tap in beside)


def is_known(learnt: Sequence[Learnt], ways: AbstractSet[str], tolerance_wh: int) -> bool:
    """Tell whether nothing but what is measured hangs along these taps, as far as was learnt."""
    sums = [_sum(item, ways) for item in learnt[-LEARNT_MAX:]]
    known = [abs(residual_wh) <= tolerance_wh for residual_wh in sums if residual_wh is not None]
    return len(known) >= LEARNT_MIN and known.count(False) <= OUTSIDE_MAX


def learn(learnt: Sequence[Learnt], item: Learnt, oldest: int, day_seconds: int) -> tuple[Learnt, ...]:
    """Return what is remembered after one interval more; what ended before `oldest` is forgotten.

    Of short intervals only some are remembered, so that they span a day.
    """
    if learnt and 0 <= item.end - learnt[-1].end < day_seconds // LEARNT_MAX:
        return tuple(each for each in learnt if each.end >= oldest)
    return tuple(each for each in (*learnt, item) if each.end >= oldest and each.residual_wh)[-LEARNT_MAX:]


def _sum(item: Learnt, ways: Iterable[str]) -> int | None:
    found = [item.residual_wh.get(tap) for tap in ways]
    return None if None in found else sum(residual_wh for residual_wh in found if residual_wh is not None)
