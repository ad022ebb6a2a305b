"""Reads what the taps of sites measured: energy under the beginning of its interval, registers under their end.

Owners never leave this room, and readings of taps on their owners' own lines are not read at all. An interval that
nobody measured (`missing`) is no reading.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row as Found, Tuple, func, select, tuple_

from cloud.database import bucket_of
from cloud.hub.extraction.pages.window import Key, Place, Slice
from cloud.hub.extraction.row import KIND_OF_TAPS, Row
from cloud.hub.extraction.store import Selection
from cloud.hub.quantity import Quantity
from cloud.ingest.readings.store import reading_table, replaced_reading_table
from cloud.wire.batch import INTERVAL_SECONDS_MAX

SCANNED_MAX: Final = 10_000  # rows one page looks through, and the rest of a half hour where registers are asked for
SITES_ALONE_MAX: Final = 32

# in the order of their names, so that the position within an interval is told by the name
ENERGY: Final = (Quantity.EXPORT.value, Quantity.IMPORT.value)
REGISTERS: Final = (Quantity.EXPORT_REGISTER.value, Quantity.IMPORT_REGISTER.value)

c = reading_table.c
COLUMNS: Final = (c.site, c.tap, c.seconds)
NOTHING: Final[dict[tuple[int, str, str], int]] = {}


def interval_slice(conn: Connection, selection: Selection, after: Place, until_ms: int, limit: int) -> Slice:
    """Return energies of taps behind a place and before a time."""
    if _nothing(selection, ENERGY) or after[0] >= until_ms:
        return Slice((), key_of, None)
    from_s, until_s = -(-after[0] // 1000), -(-until_ms // 1000)
    end_s = min(until_s, _step(conn, selection, from_s, until_s))
    rows = select(c.start, *COLUMNS, c.export_wh, c.import_wh, c.start).where(*_conditions(selection))
    rows = rows.where(c.start >= from_s, c.start < end_s)
    if after[1]:
        rows = rows.where(_behind(tuple_(c.start, c.site, c.tap), from_s, after[1], ENERGY))
    most = limit // 2 + 1
    found = conn.execute(rows.order_by(c.start, c.site, c.tap).limit(most)).all()
    end = end_s if end_s < until_s else None
    return _slice(conn, selection, found, quantities=ENERGY, after=after, most=most, end_s=end)


def register_slice(conn: Connection, selection: Selection, after: Place, until_ms: int, limit: int) -> Slice:
    """Return registers of taps behind a place and before a time.

    They are read when an interval ends. Every interval lies within one half hour, so half hours follow one another
    as their ends do, whatever the lengths within.
    """
    if _nothing(selection, REGISTERS) or after[0] >= until_ms:
        return Slice((), key_of, None)
    at = c.start + c.seconds
    from_s, until_s = -(-after[0] // 1000), -(-until_ms // 1000)
    first = max(0, (from_s - 1) // INTERVAL_SECONDS_MAX * INTERVAL_SECONDS_MAX)
    reached = _step(conn, selection, first, until_s) // INTERVAL_SECONDS_MAX * INTERVAL_SECONDS_MAX
    last = max(reached, first + INTERVAL_SECONDS_MAX)
    rows = select(at, *COLUMNS, c.export_register_wh, c.import_register_wh, c.start).where(*_conditions(selection))
    rows = rows.where(c.start >= first, c.start < last, at >= from_s, at < until_s)
    if after[1]:
        rows = rows.where(_behind(tuple_(at, c.site, c.tap), from_s, after[1], REGISTERS))
    most = limit // 2 + 1
    found = conn.execute(rows.order_by(at, c.site, c.tap).limit(most)).all()
    end = last + 1 if last + 1 < until_s else None
    return _slice(conn, selection, found, quantities=REGISTERS, after=after, most=most, end_s=end)


def key_of(row: Row) -> Key:
    """Return what places a row among those of its time."""
    return row[1] or "", row[2], row[5]


def _nothing(selection: Selection, quantities: Sequence[str]) -> bool:
    question = selection.question
    asked = selection.quantities is None or not selection.quantities.isdisjoint(quantities)
    return selection.sites == frozenset() or bool(question.point) or not asked


def _conditions(selection: Selection) -> list[ColumnElement[bool]]:
    question = selection.question
    found = [c.bucket == bucket_of(question.community), c.community == question.community]
    found += [func.coalesce(c.private, 0) == 0, c.quality != "missing"]
    if selection.sites is not None and len(selection.sites) <= SITES_ALONE_MAX:
        found.append(c.site.in_(sorted(selection.sites)))
    if question.devices is not None:
        found.append(c.tap.in_(sorted(question.devices)))
    return found


def _step(conn: Connection, selection: Selection, from_s: int, until_s: int) -> int:
    """Return until when one page looks: as far as its bounded number of rows reaches, and at least one instant."""
    question, alone = selection.question, selection.sites
    owned = (c.bucket == bucket_of(question.community), c.community == question.community)
    starts = select(c.start).where(*owned, c.start > from_s, c.start < until_s).order_by(c.start).limit(1)
    if alone is None or len(alone) > SITES_ALONE_MAX:
        row = conn.execute(starts.offset(SCANNED_MAX)).first()
        return until_s if row is None else int(row[0])
    ends = [until_s]
    for site in alone:
        row = conn.execute(starts.where(c.site == site).offset(SCANNED_MAX // len(alone))).first()
        ends += [] if row is None else [int(row[0])]
    return min(ends)


def _slice(
    conn: Connection,
    selection: Selection,
    found: Sequence[Found[Any]],
    *,
    quantities: Sequence[str],
    after: Place,
    most: int,
    end_s: int | None,
) -> Slice:
    through: Place | None = None
    if len(found) == most:
        through = (found[-1][0] * 1000, (found[-1][1], found[-1][2], quantities[1]))
    elif end_s is not None:
        through = (end_s * 1000, ())
    question, sites = selection.question, selection.sites
    picked = [name for name in quantities if selection.quantities is None or name in selection.quantities]
    seconds_told, revisions = quantities is ENERGY, _revisions(conn, question.community, found)
    rows: list[Row] = []
    for at, site, tap, seconds, exported, imported, start in found:
        if sites is not None and site not in sites:
            continue
        revision = revisions.get((start, site, tap), 0)
        for name in picked:
            value = exported if name == quantities[0] else imported
            if question.window_ms is None and not question.fits(value):
                continue
            told = seconds if seconds_told else 0
            rows.append((at * 1000, site, tap, KIND_OF_TAPS, "", name, told, value, "given", revision))
    if rows and after[1] and (rows[0][0], key_of(rows[0])) == after:
        rows.pop(0)
    return Slice(rows, key_of, through)


def _behind(place: Tuple, at: int, key: Key, quantities: Sequence[str]) -> ColumnElement[bool]:
    """Return what holds behind a key, and of its own interval where the second quantity is still to come."""
    site, tap, name = key
    return place > (at, site, tap) if name == quantities[1] else place >= (at, site, tap)


def _revisions(conn: Connection, community: str, found: Sequence[Found[Any]]) -> dict[tuple[int, str, str], int]:
    """Return how often readings were measured better by a later batch, of those that were."""
    if not found:
        return NOTHING
    r = replaced_reading_table.c
    starts = [row[6] for row in found]
    rows = select(r.start, r.site, r.tap, func.count()).where(r.bucket == bucket_of(community))
    rows = rows.where(r.community == community, r.start.between(min(starts), max(starts)))
    counted = conn.execute(rows.group_by(r.start, r.site, r.tap))
    return {(start, site, tap): count for start, site, tap, count in counted}
