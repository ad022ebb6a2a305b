"""Reads what there is to tell of intervals: each settled or waiting, and what they came to for an owner."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from cloud.database import bucket_of
from cloud.ingest.readings.store import intervals_known, reading_table
from cloud.settlement.correction.store import settled_correction_table
from cloud.settlement.cycle import Expected, last_ended
from cloud.settlement.statement import Line
from cloud.settlement.store import (
    Span,
    expected,
    settled_interval_table,
    settled_owner_interval_table,
    settled_without_table,
    span,
)
from cloud.sites.store import Community


@dataclass(frozen=True, slots=True)
class SettledInterval:
    """A settled interval as it was settled first.

    `late` counts readings that came after and are not corrected yet, `revision` how often it was corrected.
    """

    start: int
    grid_wh: int
    entry: int | None
    without: tuple[str, ...]
    late: int
    revision: int


@dataclass(frozen=True, slots=True)
class Overview:
    """A page of ended intervals, with all it takes to say of each whether it is settled or what it waits for."""

    starts: range
    span: Span
    settled: Mapping[int, SettledInterval]
    expected: tuple[Expected, ...]


def overview(conn: Connection, community: Community, after: int, limit: int, now: int) -> Overview | None:
    """Return what there is to tell of the ended intervals that begin after a time, None before the first reading."""
    known = intervals_known(conn, community.community)
    if known is None:
        return None
    seconds = community.interval_seconds
    first = max(known[0], after - after % seconds + seconds)
    starts = range(first, min(last_ended(now, seconds) + seconds, first + limit * seconds), seconds)
    last = starts.stop - seconds
    return Overview(
        starts=starts,
        span=span(conn, community.community, first, last),
        settled={item.start: item for item in settled_between(conn, community.community, first, last)},
        expected=expected(conn, community.community),
    )


def settled_between(conn: Connection, community: str, first: int, last: int) -> list[SettledInterval]:
    """Return the settled intervals that begin between two times, both included, in order."""
    owned = {"bucket": bucket_of(community), "community": community}
    interval, absent = settled_interval_table.c, settled_without_table.c
    without: defaultdict[int, list[str]] = defaultdict(list)
    rows = select(absent.start, absent.site).filter_by(**owned).where(absent.start.between(first, last))
    for start, site in conn.execute(rows.order_by(absent.start, absent.site)):
        without[start].append(site)
    count = select(reading_table.c.start, func.count()).filter_by(**owned).group_by(reading_table.c.start)
    readings = dict(conn.execute(count.where(reading_table.c.start.between(first, last))).tuples().all())
    corrected = _corrected(conn, community, first, last)
    settled = select(interval.start, interval.grid_wh, interval.entry, interval.readings).filter_by(**owned)
    found = []
    for row in conn.execute(settled.where(interval.start.between(first, last)).order_by(interval.start)):
        revision, counted = corrected.get(row.start, (0, row.readings))
        late = readings[row.start] - counted
        found.append(SettledInterval(row.start, row.grid_wh, row.entry, tuple(without[row.start]), late, revision))
    return found


def _corrected(conn: Connection, community: str, first: int, last: int) -> Mapping[int, tuple[int, int]]:
    """Return the newest revision of corrected intervals and how many readings it took in."""
    c = settled_correction_table.c
    rows = select(c.start, c.revision, c.readings).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(c.start.between(first, last)).order_by(c.start, c.revision)
    return {row.start: (row.revision, row.readings) for row in conn.execute(rows)}


def lines(conn: Connection, community: str, owner: str, start: int, end: int) -> list[Line]:
    """Return an owner's intervals that begin in [start, end) as they were settled first, in order."""
    part, interval = settled_owner_interval_table.c, settled_interval_table.c
    same = (part.bucket == interval.bucket) & (part.community == interval.community) & (part.start == interval.start)
    rows = select(part.start, interval.seconds, part.net_wh, part.local_wh, part.grid_wh, part.points_micro)
    direct = func.coalesce(part.direct_wh, 0), func.coalesce(part.direct_points_micro, 0)
    rows = rows.add_columns(part.quality, part.local_micro_per_wh, part.grid_micro_per_wh, *direct)
    rows = rows.add_columns(part.blind, interval.entry)
    rows = rows.join_from(settled_owner_interval_table, settled_interval_table, same)
    rows = rows.where(part.bucket == bucket_of(community), part.community == community, part.owner == owner)
    rows = rows.where(part.start >= start, part.start < end).order_by(part.start)
    return [Line(*row) for row in conn.execute(rows)]
