"""Runs a change together with the notices that follow from it, so that neither is there without the other."""

from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from cloud.v2g.permission.store import tell_permission
from cloud.v2g.provider.equipment.store import (
    Added,
    DemandRate,
    Equipment,
    NoSites,
    NotPut,
    add_rate,
    equipment_of,
    put_equipment,
)


def with_telling[R](conn: Connection, community: str, site: str, now: int, change: Callable[[Connection], R]) -> R:
    """Change something about a site, and tell its cables what that makes of their permission."""
    outcome = change(conn)
    tell_permission(conn, community, site, now)
    return outcome


def put_and_tell(
    conn: Connection, community: str, wanted: Equipment, *, provider: str, now: int
) -> tuple[str, ...] | NotPut | NoSites:
    """Keep a piece of equipment, and tell the sites that it feeds now or did before."""
    changed = put_equipment(conn, community, wanted, provider=provider, now=now)
    if isinstance(changed, tuple):
        tell_sites(conn, community, changed, now)
    return changed


def rate_and_tell(
    conn: Connection, community: str, equipment: str, rate: DemandRate, *, provider: str, now: int
) -> Added:
    """Keep a demand rate, and tell the sites behind that equipment."""
    added = add_rate(conn, community, equipment, rate, provider=provider, now=now)
    fed = equipment_of(conn, community, equipment)
    if added == "created" and fed is not None:
        tell_sites(conn, community, fed.sites, now)
    return added


def tell_sites(conn: Connection, community: str, sites: Iterable[str], now: int) -> None:
    """Tell the cables of several sites what they may do, where that has changed."""
    for site in sorted(sites):
        tell_permission(conn, community, site, now)
