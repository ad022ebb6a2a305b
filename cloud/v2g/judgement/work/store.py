"""Finds periods that nobody has judged, and sites where something new speaks for or against what is open."""

from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Any

from sqlalchemy import ColumnElement, Connection, TextClause, and_, select, tuple_

from cloud.database import bucket_of, insert
from cloud.ingest.cables.store import cable_period_table
from cloud.sites.owners.taps import tree_of
from cloud.sites.store import site_table
from cloud.sites.trees.store import tree_table
from cloud.v2g.cables.store import cable_of
from cloud.v2g.judgement.store import WAITING, judged_period_table
from cloud.v2g.records.store import signed_record_table

ADMITTED_MAX = 500  # periods in one transaction
CABLES_TOGETHER = 500  # in one query
SITES_MAX = 200  # looked at for one reason in one turn
PERIOD_SECONDS_MAX = 1800

type SitePlace = tuple[str, str]  # community, site
type Admission = dict[str, Any]

KEY = ("bucket", "community", "site", "start", "cable")


def newcomers(conn: Connection, since: int) -> list[Admission]:
    """Return the periods that sites reported since a time and that stand in no judgement yet, ready to be admitted.

    Whose tap and whose cable it is, is read here: the cable's own facts lie in another bucket.
    """
    p, j = cable_period_table.c, judged_period_table.c
    same = and_(*(p[name] == j[name] for name in KEY))
    rows = select(cable_period_table).select_from(cable_period_table.outerjoin(judged_period_table, same))
    rows = rows.where(p.derived_at >= since, j.cable.is_(None)).order_by(p.derived_at, *(p[name] for name in KEY))
    found = conn.execute(rows.limit(ADMITTED_MAX)).all()
    return [
        {name: getattr(row, name) for name in (*KEY, "seconds", "connected", "meter_wh")}
        | {"host_owner": host_of(conn, row.community, row.site, row.tap, row.start), "claimed_wh": row.energy_wh}
        | driver_of(conn, row.cable)
        for row in found
    ]


def host_of(conn: Connection, community: str, site: str, tap: str, start: int) -> str:
    """Return whose tap a cable was plugged in below; the site's main owner where no tree of that time has the tap."""
    owned = {"bucket": bucket_of(community), "community": community, "site": site}
    rows = select(tree_table.c.raw).filter_by(**owned).where(tree_table.c.valid_from <= start)
    raw = conn.execute(rows.order_by(tree_table.c.rev.desc()).limit(1)).scalar_one_or_none()
    found = None if raw is None else tree_of(bytes(raw)).taps.get(tap)
    if found is not None:
        return found.owner
    main_owner: str = conn.execute(select(site_table.c.main_owner).filter_by(**owned)).scalar_one()
    return main_owner


def driver_of(conn: Connection, cable: str) -> dict[str, str | None]:
    """Return whose cable it is, by the names of the columns."""
    known = cable_of(conn, cable)
    if known is None:
        return {"driver_community": None, "driver": None}
    return {"driver_community": known.community, "driver": known.owner}


def admit(conn: Connection, admissions: Sequence[Admission], now: int) -> None:
    """Let periods of one community wait for their judgement; one that is there already stays."""
    waiting = {"energy_wh": 0, "records": 0, "verdict": "unknown", "cause": "waiting", "basis": "none"}
    values = waiting | {"state": "pending", "judged_at": now}
    conn.execute(insert(conn, judged_period_table).on_conflict_do_nothing(), [row | values for row in admissions])


def waiting_sites(conn: Connection, after: SitePlace) -> list[SitePlace]:
    """Return where periods wait for records, a page by name."""
    return _page(conn, WAITING, after)


def open_sites(conn: Connection, after: SitePlace) -> list[SitePlace]:
    """Return where periods are pending, a page by name."""
    return _page(conn, judged_period_table.c.state == "pending", after)


def withheld_sites(conn: Connection, after: SitePlace) -> list[SitePlace]:
    """Return where periods are withheld, a page by name."""
    return _page(conn, judged_period_table.c.state == "withheld", after)


def _page(conn: Connection, condition: ColumnElement[bool] | TextClause, after: SitePlace) -> list[SitePlace]:
    j = judged_period_table.c
    rows = select(j.community, j.site).where(condition, tuple_(j.community, j.site) > after).distinct()
    return [(row.community, row.site) for row in conn.execute(rows.order_by(j.community, j.site).limit(SITES_MAX))]


def signed_since(conn: Connection, since: int) -> dict[tuple[str, int], int]:
    """Return cable and number of the records stored since a time, with when they were."""
    c = signed_record_table.c
    rows = select(c.cable, c.number, c.stored_at).where(c.stored_at >= since)
    return {(row.cable, row.number): row.stored_at for row in conn.execute(rows)}


def signed_sites(conn: Connection, records: Iterable[tuple[str, int]]) -> list[SitePlace]:
    """Return the sites whose open periods these records may be about, or show to have been kept back."""
    found: set[SitePlace] = set()
    j = judged_period_table.c
    for cables in batched(sorted({cable for cable, _ in records}), CABLES_TOGETHER, strict=False):
        rows = select(j.community, j.site).where(j.cable.in_(cables), j.state.in_(("pending", "withheld"))).distinct()
        found |= {(row.community, row.site) for row in conn.execute(rows)}
    return sorted(found)
