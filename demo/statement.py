"""Statements as tables, and the two sums that prove them, recomputed from what the owners read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .cloud import Line, Statement

LABEL = 21
COLUMNS = f"{'Net Wh':>8}{'Local Wh':>10}{'Grid Wh':>9}{'Points':>13}  Quality"
MICRO_PER_POINT = 1_000_000


@dataclass(frozen=True, slots=True)
class GridPrices:
    """What the grid takes and pays, in micro-points per Wh."""

    buy: int
    sell: int


@dataclass(frozen=True, slots=True)
class Sums:
    """What is left over when everything is added up: nothing."""

    energy_wh: int = 0
    ledger_micro: int = 0


def prove(intervals: Iterable[tuple[int, Iterable[Line]]], prices: GridPrices) -> Sums:
    """Add up each interval, given as the grid's Wh and every owner's line; amounts left over never cancel out.

    The grid's points are not read anywhere: they follow from its prices and the owners' shares of it.
    """
    energy_wh = ledger_micro = 0
    for grid_wh, owner_lines in intervals:
        lines = list(owner_lines)
        energy_wh += abs(sum(line.net_wh for line in lines) + grid_wh)
        grid_micro = sum(line.grid_wh * (prices.buy if line.grid_wh > 0 else prices.sell) for line in lines)
        ledger_micro += abs(sum(line.points_micro for line in lines) + grid_micro)
    return Sums(energy_wh, ledger_micro)


def points_text(micro: int) -> str:
    """Return micro-points as signed points, with three decimals, or with six where three do not hold them."""
    whole, rest = divmod(abs(micro), MICRO_PER_POINT)
    decimals = f"{rest // 1000:03}" if rest % 1000 == 0 else f"{rest:06}"
    return f"{'-' if micro < 0 else '+'}{whole}.{decimals}"


def clock_text(seconds: int) -> str:
    """Return the time of day in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")


def interval_text(start: int, seconds: int) -> str:
    """Return an interval by its two ends."""
    return f"{clock_text(start)} - {clock_text(start + seconds)}"


def interval_table(names: Mapping[str, str], lines: Mapping[str, Line]) -> list[str]:
    """Return what one interval meant for every owner, one line each."""
    rows = [f"  {_row(names[owner], line)}" for owner, line in lines.items()]
    return [f"  {'':{LABEL}}{COLUMNS}", *rows]


def statement_table(name: str, statement: Statement) -> list[str]:
    """Return an owner's statement: every interval, the total, the balance before and after."""
    rows = [_row(interval_text(line.start, line.seconds), line) for line in statement.lines]
    total = _numbers(
        "Total",
        sum(line.net_wh for line in statement.lines),
        sum(line.local_wh for line in statement.lines),
        sum(line.grid_wh for line in statement.lines),
        sum(line.points_micro for line in statement.lines),
    )
    balance = f"Balance: {points_text(statement.opening_micro)} before, {points_text(statement.closing_micro)} after"
    return [f"{f'Statement of {name}':{LABEL}}{COLUMNS}", *rows, total, balance]


def _row(label: str, line: Line) -> str:
    return f"{_numbers(label, line.net_wh, line.local_wh, line.grid_wh, line.points_micro)}  {line.quality}"


def _numbers(label: str, net_wh: int, local_wh: int, grid_wh: int, points_micro: int) -> str:
    return f"{label:{LABEL}}{net_wh:>+8}{local_wh:>+10}{grid_wh:>+9}{points_text(points_micro):>13}"
