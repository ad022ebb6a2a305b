"""A statement: an owner's intervals over a time, what they add up to, and the balance before and after."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.ledger.cause import REWARD_KINDS
from cloud.ledger.posting import LedgerInvariantError
from cloud.wire import Quality


@dataclass(frozen=True, slots=True)
class Line:
    """One settled interval of an owner: Wh taken (positive) in all, from the community, from the grid; its points."""

    start: int
    seconds: int
    net_wh: int
    local_wh: int
    grid_wh: int
    points_micro: int
    quality: Quality
    local_micro_per_wh: int | None = None
    grid_micro_per_wh: int | None = None
    direct_wh: int = 0
    direct_points_micro: int = 0
    blind: str | None = None
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """What a correction changed for an owner: differences to all that stood before, in the interval it was booked in.

    The prices, the quality and the blinded name are those of the new state; without an entry no points moved.
    """

    start: int
    revision: int
    booked_at: int
    entry: int | None
    net_wh: int
    local_wh: int
    grid_wh: int
    points_micro: int
    quality: Quality
    local_micro_per_wh: int | None
    grid_micro_per_wh: int
    direct_wh: int
    direct_points_micro: int
    blind: str


@dataclass(frozen=True, slots=True)
class Movement:
    """Points that moved beside energy, gained (positive) or given; `fee_micro` of them the community keeps."""

    at: int
    kind: str
    cause: str
    points_micro: int
    fee_micro: int
    entry: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What it all adds up to: energy and points of lines and corrections, and of the movements beside them.

    `net_wh` is the local, the grid's and the direct neighbours' energy; `points_micro` are those of the lines.
    """

    net_wh: int
    local_wh: int
    grid_wh: int
    points_micro: int
    direct_wh: int = 0
    corrections_micro: int = 0
    movements_micro: int = 0
    fees_micro: int = 0
    rewards_micro: int = 0


@dataclass(frozen=True, slots=True)
class Statement:
    """The lines in order of time, what was corrected and moved beside, and the balance it begins and ends at."""

    opening_micro: int
    closing_micro: int
    totals: Totals
    lines: tuple[Line, ...]
    corrections: tuple[Correction, ...] = ()
    movements: tuple[Movement, ...] = ()


def state(
    lines: Sequence[Line],
    opening_micro: int,
    posted_micro: int,
    corrections: Sequence[Correction] = (),
    movements: Sequence[Movement] = (),
) -> Statement:
    """Make the statement. `posted_micro`, the ledger's own sum over the same time, must be what all of it says."""
    energy: list[Line | Correction] = [*lines, *corrections]
    local_wh, grid_wh = sum(item.local_wh for item in energy), sum(item.grid_wh for item in energy)
    direct_wh = sum(item.direct_wh for item in energy)
    totals = Totals(
        net_wh=local_wh + grid_wh + direct_wh,
        local_wh=local_wh,
        grid_wh=grid_wh,
        direct_wh=direct_wh,
        points_micro=sum(line.points_micro + line.direct_points_micro for line in lines),
        corrections_micro=sum(item.points_micro + item.direct_points_micro for item in corrections),
        movements_micro=sum(item.points_micro for item in movements),
        fees_micro=sum(item.fee_micro for item in movements),
        rewards_micro=sum(item.points_micro for item in movements if item.kind in REWARD_KINDS),
    )
    said_micro = totals.points_micro + totals.corrections_micro + totals.movements_micro
    if said_micro != posted_micro:
        raise LedgerInvariantError(f"the lines say {said_micro} micro-points, the ledger {posted_micro}")
    ordered = tuple(sorted(lines, key=lambda line: line.start))
    closing_micro = opening_micro + posted_micro
    return Statement(opening_micro, closing_micro, totals, ordered, tuple(corrections), tuple(movements))
