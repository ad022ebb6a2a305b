"""Reads what there is to know of a site's periods: its claims, what cables signed, what the provider read."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

from cloud.database import bucket_of
from cloud.ingest.cables.store import cable_period_table
from cloud.v2g.cables.store import cable_of, stopped_spans
from cloud.v2g.judgement.evidence import CableEvidence, Report, look_of
from cloud.v2g.judgement.rule import Look
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.judgement.work.store import SitePlace, driver_of
from cloud.v2g.provider.readings.store import readings_between
from cloud.v2g.records.store import missing_before, newest_number, signed_between, signed_of

ROWS_MAX = 2000  # of one site in one look, the newest: more are looked at when these are decided
LONG_AGO_SECONDS = 45 * 86_400  # what is withheld for longer waits for a person
GAPS_MAX = 50  # of a cable, the newest
SPAN_SECONDS = 3600  # a provider's reading may reach so far beyond the periods


@dataclass(frozen=True, slots=True)
class Sight:
    """A site's periods from the first that is open: how they stand, what is to be judged, and what speaks of it.

    `drivers` are those of cables that somebody has registered; `readings` (seconds, net import) by start; `stopped`
    the times that a cable was not its driver's to use. Looks begin with the hour: so long is a reading at most.
    """

    community: str
    site: str
    rows: tuple[Row[Any], ...]
    looks: Mapping[int, Look]
    readings: Mapping[int, tuple[int, int]]
    drivers: Mapping[str, Mapping[str, str | None]]
    stopped: Mapping[str, Sequence[tuple[int, int]]]


def sight_of(conn: Connection, community: str, site: str, since: int | None, now: int) -> Sight | None:
    """Return a site's periods from the first that is open, or from `since` where that is earlier; None: none are."""
    j = judged_period_table.c
    owned = {"bucket": bucket_of(community), "community": community, "site": site}
    lately = and_(j.state == "withheld", j.start >= now - LONG_AGO_SECONDS)
    rows = select(j.start).filter_by(**owned).where(or_(j.state == "pending", lately))
    rows = rows.order_by(j.start.desc()).limit(ROWS_MAX)
    first = min([*conn.execute(rows).scalars(), *(() if since is None else (since,))], default=None)
    if first is None:
        return None
    listed = select(judged_period_table).filter_by(**owned).where(j.start >= first)
    judged = conn.execute(listed.order_by(j.start.desc(), j.cable).limit(ROWS_MAX)).all()[::-1]
    if not judged:
        return None
    start, end = judged[0].start // SPAN_SECONDS * SPAN_SECONDS, max(row.start + row.seconds for row in judged)
    reports = _reports(conn, owned, start, end)
    cables = sorted({report.cable for report in reports})
    evidence = {cable: _evidence(conn, cable, start, end) for cable in cables}
    grouped = defaultdict(list)
    for report in reports:
        grouped[report.start].append(report)
    return Sight(
        community=community,
        site=site,
        rows=tuple(judged),
        looks={at: look_of(site, group, evidence, now) for at, group in grouped.items()},
        readings=_readings(conn, community, site, start, end),
        drivers={cable: driver_of(conn, cable) for cable in cables},
        stopped={cable: stopped_spans(conn, cable) for cable in cables},
    )


def sights_of(conn: Connection, places: Mapping[SitePlace, int | None], now: int) -> list[Sight]:
    """Return what there is to know of several sites' periods, each from the first that is open or from when it says."""
    found = [sight_of(conn, community, site, since, now) for (community, site), since in places.items()]
    return [sight for sight in found if sight is not None]


def _reports(conn: Connection, owned: Mapping[str, Any], start: int, end: int) -> list[Report]:
    p = cable_period_table.c
    columns = (p.start, p.seconds, p.cable, p.energy_wh, p.connected, p.meter_wh, p.consumption_wh, p.before_wh)
    rows = select(*columns, p.derived_at).filter_by(**owned).where(p.start >= start, p.start < end)
    return [Report(*row) for row in conn.execute(rows.order_by(p.start, p.cable))]


def _evidence(conn: Connection, cable: str, start: int, end: int) -> CableEvidence:
    records = signed_between(conn, cable, start, end + SPAN_SECONDS)
    gaps = missing_before(conn, cable, newest_number(conn, cable))[-GAPS_MAX:]
    known = cable_of(conn, cable)
    since = 0 if known is None else known.registered_at
    return CableEvidence(tuple(records), tuple(_time_of_gap(conn, cable, *gap) for gap in gaps), since)


def _time_of_gap(conn: Connection, cable: str, first: int, last: int) -> tuple[int, int]:
    """Return the time that missing records may be about: between those before and behind."""
    before, behind = signed_of(conn, cable, first - 1), signed_of(conn, cable, last + 1)
    assert behind is not None
    return 0 if before is None else before.end, behind.start  # the record that proved the key lies elsewhere


def _readings(conn: Connection, community: str, site: str, start: int, end: int) -> dict[int, tuple[int, int]]:
    found = readings_between(conn, community, site, start - SPAN_SECONDS, end + SPAN_SECONDS)
    return {reading.start: (reading.seconds, reading.net_wh) for reading in found}
