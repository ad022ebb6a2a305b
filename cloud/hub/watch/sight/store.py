"""Reads which systems there are, and what each showed nearest to an instant: devices of the hub, and taps of sites."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, literal, select

from cloud.database import bucket_of
from cloud.hub.devices.store import hub_device_table
from cloud.hub.readings.store import hub_reading_table
from cloud.hub.watch.system import System
from cloud.ingest.telemetry.store import telemetry_table
from cloud.sites.trees.store import tree_table
from cloud.wire import parse_tree
from cloud.wire.cable import Place

from .streams import Instant, Row

TOGETHER = 500  # names in one statement
CONTEXT = "context"  # prices and weather have no voltage

type Columns = Any  # of a table: SQLAlchemy's own type of them is no public name
type Placed = tuple[System, Place | None]


def systems_of(conn: Connection, community: str, limit: int) -> list[Placed]:
    """Return the connected systems of a community by id, each with its place, as far as it is known."""
    c = hub_device_table.c
    rows = select(c.device, c.kind, c.site, c.latitude_e6, c.longitude_e6)
    rows = rows.filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(c.kind != CONTEXT, c.state != "revoked").order_by(c.device).limit(limit)
    return [
        (System(device, device, kind, site), None if latitude is None or longitude is None else (latitude, longitude))
        for device, kind, site, latitude, longitude in conn.execute(rows).tuples()
    ]


def taps_near(conn: Connection, community: str, instant: Instant, limit: int) -> list[System]:
    """Return the taps of sites that told anything near an instant."""
    c = telemetry_table.c
    rows = select(c.site, c.tap).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(_near(c, instant)).distinct().order_by(c.site, c.tap).limit(limit)
    found = [(site, tap) for site, tap in conn.execute(rows).tuples()]
    roots = _roots(conn, community, sorted({site for site, _ in found}), instant.at_ms // 1000)
    return [System(tap_key(*pair), pair[1], "tap", pair[0], pair in roots) for pair in found]


def _roots(conn: Connection, community: str, sites: Sequence[str], at: int) -> set[tuple[str, str]]:
    """Return site and tap of the taps that no other tap was before at a time."""
    c = tree_table.c
    found: set[tuple[str, str]] = set()
    for some in batched(sites, TOGETHER, strict=False):
        number = func.row_number().over(partition_by=c.site, order_by=c.rev.desc()).label("number")
        rows = select(c.raw, number).filter_by(bucket=bucket_of(community), community=community)
        rows = rows.where(c.site.in_(some), c.valid_from <= at)
        newest = rows.subquery()
        raws = select(newest.c.raw).where(newest.c.number == 1)
        for tree in map(parse_tree, conn.execute(raws).scalars()):
            found |= {(tree.site, name) for name, tap in tree.taps.items() if tap.parent is None}
    return found


def tap_key(site: str, tap: str) -> str:
    """Return what a site's tap is called among all systems; no id of a device holds a slash."""
    return f"{site}/{tap}"


def tap_of(key: str) -> System | None:
    """Return the tap of a site that is called so; None: it is no tap."""
    site, slash, tap = key.partition("/")
    return System(key, tap, "tap", site) if slash else None


def anything_near(conn: Connection, community: str, instant: Instant) -> bool:
    """Tell whether anything at all was measured near an instant."""
    owned = {"bucket": bucket_of(community), "community": community}
    for table in (hub_reading_table, telemetry_table):
        rows = select(literal(1)).select_from(table).filter_by(**owned).where(_near(table.c, instant))
        if conn.execute(rows.limit(1)).first() is not None:
            return True
    return False


def rows_near(conn: Connection, community: str, systems: Iterable[System], instant: Instant) -> Iterator[Row]:
    """Yield of every quantity of every point of these systems the value nearest to an instant, from every stream."""
    wanted = {system.key: system for system in systems}
    devices = {key for key, system in wanted.items() if key == system.device}
    if devices:
        rows = _nearest(hub_reading_table, community, instant, ("device",), devices)
        for device, point, quantity, measured_ms, value in conn.execute(rows).tuples():
            if device in devices:
                yield device, point, quantity, measured_ms, value
    sites = {system.site for key, system in wanted.items() if key not in devices and system.site is not None}
    if sites:
        rows = _nearest(telemetry_table, community, instant, ("site", "tap"), sites)
        for site, tap, point, quantity, measured_ms, value in conn.execute(rows).tuples():
            if (key := tap_key(site, tap)) in wanted:
                yield key, point, quantity, measured_ms, value


def _near(c: Columns, instant: Instant) -> ColumnElement[bool]:
    near: ColumnElement[bool] = c.measured_ms.between(
        instant.at_ms - instant.within_ms, instant.at_ms + instant.within_ms
    )
    return near


def _nearest(table: Table, community: str, instant: Instant, names: Sequence[str], only: set[str]) -> Select[Any]:
    """Return the statement that picks, of each key, the row nearest to the instant; of two as near, the earlier one.

    A few are looked for by their names; for many, one pass over all that was measured then is less work.
    """
    c = table.c
    key = [c[name] for name in (*names, "point", "quantity")]
    nearest = (func.abs(c.measured_ms - instant.at_ms), c.measured_ms)
    number = func.row_number().over(partition_by=key, order_by=nearest).label("number")
    rows = select(*key, c.measured_ms, c.value, number).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(_near(c, instant), c.quantity.in_(sorted(instant.quantities)))
    if len(only) <= TOGETHER:
        rows = rows.where(c[names[0]].in_(sorted(only)))
    found = rows.subquery()
    wanted = [found.c[name] for name in (*names, "point", "quantity", "measured_ms", "value")]
    return select(*wanted).where(found.c.number == 1)
