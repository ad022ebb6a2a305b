"""Reads all that one look at a community's network needs, and finds the communities that are to be looked at."""

from dataclasses import dataclass

from sqlalchemy import Connection, or_, select, union

from cloud.hub.extraction.store import Places
from cloud.hub.quantity import Quantity
from cloud.hub.reach.area import Area, holds
from cloud.hub.reach.reach import Reach, reaches
from cloud.hub.wiring.equipment import below
from cloud.hub.wiring.history.store import wiring_at
from cloud.hub.wiring.store import equipment_table
from cloud.wire.cable import Place

from .findings.store import finding_table, watch_table
from .flow import above_of
from .limits.store import limit_table, limits_of
from .physics import PHYSICAL
from .rule import Watch, watch
from .sight.store import Placed, rows_near, systems_of, taps_near
from .sight.streams import Instant, nearest
from .system import System

SYSTEMS_MAX = 10_000  # of one look: some seconds of one core; who has more looks below one transformer at a time

EVERYTHING = Reach()


@dataclass(frozen=True, slots=True)
class View:
    """How far its asker sees, and what tells where the sites of a community are."""

    reach: Reach = EVERYTHING
    places: Places = lambda _conn, _community: {}


ALL = View()


@dataclass(frozen=True, slots=True)
class Asked:
    """Which systems of a community are looked at; what is None restricts nothing."""

    community: str
    devices: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    below: str | None = None
    area: Area | None = None


@dataclass(frozen=True, slots=True)
class NoEquipment:
    """A piece of equipment that was not there at that time."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """More systems than one look takes."""


def look(
    conn: Connection, asked: Asked, at_ms: int, within_ms: int, sight: View = ALL
) -> Watch | NoEquipment | TooMany:
    """Return what there was to see at an instant, as far as its asker may know.

    What flows through the grid is told to nobody from whom a part of it is kept: sums would show the rest.
    """
    wiring = wiring_at(conn, asked.community, at_ms // 1000)
    if asked.below is not None:
        if asked.below not in wiring or not sight.reach.whole:
            return NoEquipment()
        kept = below(above_of(wiring), [asked.below])
        wiring = {name: piece for name, piece in wiring.items() if name in kept}
    instant = Instant(at_ms, within_ms, _quantities(sight.reach))
    devices = systems_of(conn, asked.community, SYSTEMS_MAX + 1)
    taps = _placed_taps(conn, asked, instant, sight)
    if len(devices) > SYSTEMS_MAX or len(taps) > SYSTEMS_MAX:
        return TooMany()
    systems = [system for system, place in (*devices, *taps) if _asked(asked, sight.reach, system, place)]
    if asked.below is not None:
        fed = {name for piece in wiring.values() for name in (*piece.devices, *piece.sites)}
        systems = [system for system in systems if system.key in fed or system.site in fed]
    points = nearest(rows_near(conn, asked.community, systems, instant), at_ms)
    return watch(systems, points, wiring if sight.reach.whole else {}, limits_of(conn, asked.community), at_ms)


def _placed_taps(conn: Connection, asked: Asked, instant: Instant, sight: View) -> list[Placed]:
    taps = taps_near(conn, asked.community, instant, SYSTEMS_MAX + 1)
    located = taps and (asked.area is not None or sight.reach.areas is not None)
    places = sight.places(conn, asked.community) if located else {}
    return [(tap, places.get(tap.site or "")) for tap in taps]


def _quantities(reach: Reach) -> frozenset[Quantity]:
    if reach.quantities is None:
        return frozenset(PHYSICAL)
    return frozenset(quantity for quantity in PHYSICAL if quantity in reach.quantities)


def _asked(asked: Asked, reach: Reach, system: System, place: Place | None) -> bool:
    if asked.devices is not None and system.device not in asked.devices:
        return False
    if asked.kinds is not None and system.kind not in asked.kinds:
        return False
    if asked.area is not None and (place is None or not holds(asked.area, place)):
        return False
    return reaches(reach, kind=system.kind, site=system.site, place=place)


def due(conn: Connection, at_ms: int, limit: int) -> list[str]:
    """Return communities where something can be out of tolerance and that were not looked at since a time."""
    piece = equipment_table.c
    carrying = or_(piece.limit_va.is_not(None), piece.limit_a.is_not(None))
    watched = union(
        select(limit_table.c.bucket, limit_table.c.community),
        select(piece.bucket, piece.community).where(carrying),
        select(finding_table.c.bucket, finding_table.c.community).where(finding_table.c.until_ms.is_(None)),
    ).subquery()
    w = watch_table.c
    same = (w.bucket == watched.c.bucket) & (w.community == watched.c.community)
    rows = select(watched.c.community).select_from(watched.outerjoin(watch_table, same))
    rows = rows.where(or_(w.looked_ms.is_(None), w.looked_ms < at_ms)).order_by(watched.c.community)
    return list(conn.execute(rows.limit(limit)).scalars())
