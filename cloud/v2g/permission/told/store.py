"""Runs a change together with the notices that follow from it, so that neither is there without the other."""

from collections.abc import Callable, Iterable

from sqlalchemy import Connection

from cloud.v2g.permission.store import tell_permission


def with_telling[R](conn: Connection, community: str, site: str, now: int, change: Callable[[Connection], R]) -> R:
    """Change something about a site, and tell its cables what that makes of their permission."""
    outcome = change(conn)
    tell_permission(conn, community, site, now)
    return outcome


def tell_sites(conn: Connection, community: str, sites: Iterable[str], now: int) -> None:
    """Tell the cables of several sites what they may do, where that has changed."""
    for site in sorted(sites):
        tell_permission(conn, community, site, now)
