"""Answers within the reach of who asks, and writes into the event log that it did."""

from sqlalchemy import Connection

from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.hub.extraction.store import Places
from cloud.hub.reach.reach import Reach, reaches, reaches_quantity
from cloud.hub.reach.store import reach_of
from cloud.hub.watch.findings.finding import Finding
from cloud.hub.watch.findings.store import findings_page
from cloud.hub.watch.rule import Watch
from cloud.hub.watch.sight.store import systems_of, tap_of
from cloud.hub.watch.sight.streams import Instant
from cloud.hub.watch.store import EVERYTHING, SYSTEMS_MAX, Asked, NoEquipment, TooMany, View, look
from cloud.principal import Principal, Scope
from cloud.sites.store import community_of


def _reach(conn: Connection, community: str, asker: Principal) -> Reach:
    return reach_of(conn, community, asker.subject) if asker.scope is Scope.UPPER else EVERYTHING


def seen_by(
    conn: Connection, asker: Principal, asked: Asked, instant: Instant, places: Places
) -> tuple[Watch, bool] | NoEquipment | TooMany | None:
    """Return what an asker may see, and whether nothing is kept from it; None: there is no such community."""
    if community_of(conn, asked.community) is None:
        return None
    reach = _reach(conn, asked.community, asker)
    found = look(conn, asked, instant.at_ms, instant.within_ms, View(reach, places))
    return (found, reach.whole) if isinstance(found, Watch) else found


def findings(
    conn: Connection,
    asker: Principal,
    community: str,
    times: tuple[int | None, int | None],
    places: Places,
    *,
    open_only: bool,
    after: tuple[int, str],
    limit: int,
) -> tuple[list[Finding], Finding | None]:
    """Return a page of the findings that an asker may see, and the last of the page where there may be more."""
    found = findings_page(conn, community, times, open_only=open_only, after=after, limit=limit)
    last, reach = found[-1] if len(found) == limit else None, _reach(conn, community, asker)
    if reach.whole:
        return found, last
    systems = [*systems_of(conn, community, SYSTEMS_MAX)]
    sites = places(conn, community) if reach.areas is not None else {}
    taps = [tap for finding in found if (tap := tap_of(finding.mark.name)) is not None]
    systems += [(tap, sites.get(tap.site or "")) for tap in taps]
    seen = {system.key for system, place in systems if reaches(reach, kind=system.kind, site=system.site, place=place)}
    marks = [item for item in found if item.mark.about == "device" and item.mark.name in seen]
    return [item for item in marks if reaches_quantity(reach, item.mark.quantity)], last


def log(conn: Connection, community: str, who: str, points: int, now_ms: int) -> None:
    """Write the request, what was picked for it and what was handed out into the event log."""
    asked = Event(community, now_ms, "request", who, detail={"what": "watch"})
    picked = Event(community, now_ms, "extract", who, count=points)
    add_events(conn, [asked, picked, Event(community, now_ms, "send", who, count=points)])
