"""Lays a statement out: what was settled and what moved beside it become the sheet that people read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

from cloud.ledger.cause import v2g_start_of
from cloud.settlement.statement import Correction, Movement as Moved, Statement

from .sheet import HandOver, Kind, Movement, Part, Sheet, Terms, interval
from .words import local_time

KINDS: Final = frozenset(get_args(Kind.__value__))


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole statement as it was read at one moment, with the taps that changed hands in its time."""

    statement: Statement
    waiting: int
    hand_overs: Sequence[HandOver]


def sheet_of(whole: Whole, names: tuple[str, str], terms: Terms, *, start: int, end: int, made_at: int) -> Sheet:
    """Return the sheet of a statement over [start, end); `names` are those of the community and of the owner."""
    community, owner = names
    statement = whole.statement
    return Sheet(
        community=community,
        owner=owner,
        terms=terms,
        start=start,
        end=end,
        made_at=made_at,
        opening_micro=statement.opening_micro,
        closing_micro=statement.closing_micro,
        parts=_parts(statement),
        movements=_movements(statement, terms),
        hand_overs=whole.hand_overs,
        waiting=whole.waiting,
    )


def _parts(statement: Statement) -> list[Part]:
    return [
        interval(
            line.start,
            line.seconds,
            local_wh=line.local_wh,
            grid_wh=line.grid_wh,
            direct_wh=line.direct_wh,
            points_micro=line.points_micro + line.direct_points_micro,
            quality=line.quality,
        )
        for line in statement.lines
    ]


def _movements(statement: Statement, terms: Terms) -> list[Movement]:
    found = [_correction(item, terms) for item in statement.corrections]
    found += [_movement(item, terms) for item in statement.movements]
    return sorted(found, key=lambda item: item.at)


def _correction(item: Correction, terms: Terms) -> Movement:
    moved_micro = item.points_micro + item.direct_points_micro
    return Movement(item.booked_at, "correction", local_time(item.start, terms), moved_micro)


def _movement(item: Moved, terms: Terms) -> Movement:
    kind: Kind = item.kind if item.kind in KINDS else "other"  # type: ignore[assignment]
    start = v2g_start_of(item.cause)  # what a cable moved is about an interval, and its cause is not for people
    return Movement(item.at, kind, item.cause if start is None else local_time(start, terms), item.points_micro)
