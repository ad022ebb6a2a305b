"""A statement: an owner's intervals over a time, what they add up to, and the balance before and after."""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Totals:
    """What the lines add up to."""

    net_wh: int
    local_wh: int
    grid_wh: int
    points_micro: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The lines in order of time, with the balance they begin and end at."""

    opening_micro: int
    closing_micro: int
    totals: Totals
    lines: tuple[Line, ...]


def state(lines: Sequence[Line], opening_micro: int, posted_micro: int) -> Statement:
    """Make the statement. `posted_micro`, the ledger's own sum over the same time, must be what the lines say."""
    totals = Totals(
        net_wh=sum(line.net_wh for line in lines),
        local_wh=sum(line.local_wh for line in lines),
        grid_wh=sum(line.grid_wh for line in lines),
        points_micro=sum(line.points_micro for line in lines),
    )
    if totals.points_micro != posted_micro:
        raise LedgerInvariantError(f"the lines say {totals.points_micro} micro-points, the ledger {posted_micro}")
    ordered = tuple(sorted(lines, key=lambda line: line.start))
    return Statement(opening_micro, opening_micro + posted_micro, totals, ordered)
