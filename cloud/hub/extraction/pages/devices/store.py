"""Reads the hub's readings by time, or of few systems by their own index, a bounded step at a time."""

from collections.abc import Mapping, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, select, tuple_

from cloud.database import bucket_of
from cloud.hub.extraction.pages.window import Key, Place, Slice
from cloud.hub.extraction.row import Row
from cloud.hub.extraction.store import Known, Selection, kinds_of
from cloud.hub.readings.store import hub_reading_table

ALONE_MAX: Final = 32  # so many systems are read by their own index, more by going through the time of all
SCANNED_MAX: Final = 20_000  # rows one page looks through: some ten milliseconds, whatever is asked for

c = hub_reading_table.c
KEY: Final = (c.measured_ms, c.device, c.point, c.quantity)


def hub_slice(conn: Connection, selection: Selection, after: Place, until_ms: int, limit: int) -> Slice:
    """Return readings of connected systems behind a place and before a time."""
    devices = selection.devices
    if after[0] >= until_ms or (devices is not None and not devices) or selection.quantities == frozenset():
        return Slice((), key_of, None)
    community = selection.question.community
    owned = (c.bucket == bucket_of(community), c.community == community)
    alone = None if devices is None or len(devices) > ALONE_MAX else list(devices)  # in the database's order
    picked = _conditions(selection)
    end_ms = until_ms
    if alone is not None or picked:
        end_ms = min(until_ms, _step(conn, owned, alone, after[0], until_ms))
    rows = select(*KEY, c.seconds, c.value, c.timed, c.revision).where(*owned, *picked, c.measured_ms < end_ms)
    rows = rows.where(c.measured_ms >= after[0])
    if after[1]:
        rows = rows.where(tuple_(*KEY) > (after[0], *after[1]))
    found = _tuples(conn, rows, limit) if alone is None else _alone(conn, rows, alone, limit)
    through: Place | None = None
    if len(found) == limit:
        through = (found[-1][0], tuple(found[-1][1:4]))
    elif end_ms < until_ms:
        through = (end_ms, ())
    return Slice(_rows(conn, community, devices, found), key_of, through)


def _tuples(conn: Connection, rows: Select[Any], limit: int) -> list[tuple[Any, ...]]:
    """Return rows as the driver gives them: SQLAlchemy's own, by name, would cost a fifth of an extraction."""
    with conn.execute(rows.order_by(*KEY).limit(limit)) as result:
        assert result.cursor is not None
        return list(result.cursor.fetchall())


def _alone(conn: Connection, rows: Select[Any], alone: Sequence[str], limit: int) -> list[tuple[Any, ...]]:
    """Return rows of few systems, each by its own index: asked for at once, they would be looked for among all."""
    parts = [_tuples(conn, rows.where(c.device == device), limit) for device in alone]
    return list(islice(merge(*parts, key=itemgetter(0)), limit))


def key_of(row: Row) -> Key:
    """Return what places a row among those of its time."""
    return row[2], row[4], row[5]


def _conditions(selection: Selection) -> list[ColumnElement[bool]]:
    question = selection.question
    found: list[ColumnElement[bool]] = []
    if selection.quantities is not None:
        found.append(c.quantity.in_(sorted(selection.quantities)))
    if question.point is not None:
        found.append(c.point == question.point)
    if question.timed is not None:
        found.append(c.timed == question.timed)
    if question.window_ms is None:
        found += [] if question.above is None else [c.value > question.above]
        found += [] if question.below is None else [c.value < question.below]
    return found


def _step(
    conn: Connection, owned: Sequence[ColumnElement[bool]], alone: Sequence[str] | None, from_ms: int, until_ms: int
) -> int:
    """Return until when one page looks, in ms: about so far as its bounded number of rows reaches."""
    times = select(c.measured_ms).where(*owned, c.measured_ms > from_ms, c.measured_ms < until_ms)
    if alone is None:
        row = conn.execute(times.order_by(c.measured_ms).limit(1).offset(SCANNED_MAX)).first()
        return until_ms if row is None else int(row[0])
    offset, ends = SCANNED_MAX // len(alone), [until_ms]
    for device in alone:
        row = conn.execute(times.where(c.device == device).order_by(c.measured_ms).limit(1).offset(offset)).first()
        ends += [] if row is None else [int(row[0])]
    return min(ends)


def _rows(
    conn: Connection, community: str, devices: Mapping[str, Known] | None, found: Sequence[tuple[Any, ...]]
) -> list[Row]:
    known = devices
    if known is None:
        known = kinds_of(conn, community, {row[1] for row in found})
    return [
        (ms, of[1], device, of[0], point, quantity, seconds, value, timed, revision)
        for ms, device, point, quantity, seconds, value, timed, revision in found
        if (of := known.get(device)) is not None
    ]
