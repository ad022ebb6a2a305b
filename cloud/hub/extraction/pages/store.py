"""Reads one page of an extraction: every stream from where the page begins, each by bounded steps along an index."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from cloud.hub.extraction.row import Position
from cloud.hub.extraction.store import Selection

from .devices.store import hub_slice
from .sites.store import interval_slice, register_slice
from .telemetry.store import telemetry_slice
from .window import Page, Place, Slice, joined, place_in

type Stream = Callable[[Connection, Selection, Place, int, int], Slice]  # (…, from, until in ms, rows at most)

# Whatever else holds readings by measurement time is added at the end: their numbers stand in cursors.
STREAMS: Final[tuple[Stream, ...]] = (hub_slice, interval_slice, register_slice, telemetry_slice)


def begin_of(selection: Selection) -> Position:
    """Return where the readings of a question begin."""
    return Position(selection.question.scan_from_ms, 0)


def page(conn: Connection, selection: Selection, after: Position, limit: int) -> Page:
    """Return the readings behind a position in the order of their time, at most `limit`.

    It may hold fewer, or none, and still not be the last: no page looks through more than a bounded number of rows.
    """
    end_ms = selection.question.scan_to_ms
    horizon, slices = Position(end_ms, -1), []
    for number, stream in enumerate(STREAMS):
        found = stream(conn, selection, place_in(after, number), horizon.ms, limit)
        slices.append(found)
        if found.through is not None and found.through[0] < horizon.ms:
            horizon = Position(found.through[0], number, found.through[1])
    return joined(slices, horizon, end_ms, limit)
