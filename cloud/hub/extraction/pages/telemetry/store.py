"""Reads voltage, current and power at the taps of sites by time, a bounded step at a time."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, select, tuple_

from cloud.database import bucket_of
from cloud.hub.extraction.pages.window import Key, Place, Slice
from cloud.hub.extraction.row import KIND_OF_TAPS, Row
from cloud.hub.extraction.store import Selection
from cloud.ingest.readings.store import reading_table
from cloud.ingest.telemetry.store import telemetry_table

SCANNED_MAX: Final = 20_000
SITES_ALONE_MAX: Final = 32

c = telemetry_table.c
KEY: Final = (c.measured_ms, c.site, c.tap, c.point, c.quantity)


def telemetry_slice(conn: Connection, selection: Selection, after: Place, until_ms: int, limit: int) -> Slice:
    """Return telemetry of taps behind a place and before a time."""
    if selection.sites == frozenset() or selection.quantities == frozenset() or after[0] >= until_ms:
        return Slice((), key_of, None)
    community, sites = selection.question.community, selection.sites
    owned = (c.bucket == bucket_of(community), c.community == community)
    step = select(c.measured_ms).where(*owned, c.measured_ms > after[0], c.measured_ms < until_ms)
    row = conn.execute(step.order_by(c.measured_ms).limit(1).offset(SCANNED_MAX)).first()
    end_ms = until_ms if row is None else int(row[0])
    rows = select(*KEY, c.value).where(*owned, *_conditions(selection))
    rows = rows.where(c.measured_ms >= after[0], c.measured_ms < end_ms)
    if after[1]:
        rows = rows.where(tuple_(*KEY) > (after[0], *after[1]))
    found = conn.execute(rows.order_by(*KEY).limit(limit)).all()
    through: Place | None = None
    if len(found) == limit:
        through = (found[-1][0], tuple(found[-1][1:5]))
    elif end_ms < until_ms:
        through = (end_ms, ())
    private = _private_taps(conn, community, {item[1] for item in found})
    picked: list[Row] = [
        (ms, site, tap, KIND_OF_TAPS, point, quantity, 0, value, "given", 0)
        for ms, site, tap, point, quantity, value in found
        if (sites is None or site in sites) and (site, tap) not in private
    ]
    return Slice(picked, key_of, through)


def key_of(row: Row) -> Key:
    """Return what places a row among those of its time."""
    return row[1] or "", row[2], row[4], row[5]


def _conditions(selection: Selection) -> list[ColumnElement[bool]]:
    question = selection.question
    found: list[ColumnElement[bool]] = []
    if selection.quantities is not None:
        found.append(c.quantity.in_(sorted(selection.quantities)))
    if question.point is not None:
        found.append(c.point == question.point)
    if question.devices is not None:
        found.append(c.tap.in_(sorted(question.devices)))
    if selection.sites is not None and len(selection.sites) <= SITES_ALONE_MAX:
        found.append(c.site.in_(sorted(selection.sites)))
    if question.window_ms is None:
        found += [] if question.above is None else [c.value > question.above]
        found += [] if question.below is None else [c.value < question.below]
    return found


def _private_taps(conn: Connection, community: str, sites: Collection[str]) -> set[tuple[str, str]]:
    """Return the taps of sites that lie on their owners' own lines, by the newest reading of each site."""
    found: set[tuple[str, str]] = set()
    r = reading_table.c
    for site in sites:
        of = and_(r.bucket == bucket_of(community), r.community == community, r.site == site)
        newest = select(func.max(r.start)).where(of).scalar_subquery()
        taps = conn.execute(select(r.tap).where(of, r.start == newest, func.coalesce(r.private, 0) == 1)).scalars()
        found |= {(site, tap) for tap in taps}
    return found
