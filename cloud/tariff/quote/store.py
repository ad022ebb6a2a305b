"""Reads tariffs as they are told: with the texts they were read from, and by whose taps a site has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from cloud.database import bucket_of
from cloud.sites.owners.store import owner_of
from cloud.sites.store import Community, community_of, site_of
from cloud.sites.trees.store import tree_table
from cloud.tariff.book import PriceBook
from cloud.tariff.price import PriceTexts
from cloud.tariff.series import store as series
from cloud.tariff.store import book, tariff_of, tariff_table, tariffs_of
from cloud.tariff.terms import Series
from cloud.tariff.validity import COMMUNITY, Gap, gaps
from cloud.wire import parse_tree

from .kept import Kept, Page


@dataclass(frozen=True, slots=True)
class SiteGround:
    """What a site's prices are made from: its community, and the owners at its taps."""

    community: Community
    owners: tuple[str, ...]


def kept_tariff(conn: Connection, community: str, owner: str, valid_from: int) -> tuple[Kept, tuple[Gap, ...]] | None:
    """Return one tariff as it stands, with the gaps of its community."""
    rows = select(tariff_table).filter_by(**_owned(community), owner=owner, valid_from=valid_from)
    row = conn.execute(rows).one_or_none()
    return None if row is None else (_kept(conn, community, row), _gaps(conn, community, owner))


def page(conn: Connection, community: str, owner: str, after: int, limit: int) -> Page | None:
    """Return tariffs that begin after a time; None if there is no such community or owner."""
    if community_of(conn, community) is None:
        return None
    if owner != COMMUNITY and owner_of(conn, community, owner) is None:
        return None
    rows = select(tariff_table).filter_by(**_owned(community), owner=owner).where(tariff_table.c.valid_from > after)
    found = conn.execute(rows.order_by(tariff_table.c.valid_from).limit(limit)).all()
    return Page(tuple(_kept(conn, community, row) for row in found), _gaps(conn, community, owner))


def quoted(conn: Connection, community: str, owner: str, first: int, last: int) -> PriceBook | None:
    """Return the prices of the intervals that begin between two times; None if there is no such owner."""
    if owner != COMMUNITY and owner_of(conn, community, owner) is None:
        return None
    return book(conn, community, first, last)


def site_ground(conn: Connection, community: str, site: str, first: int, last: int) -> SiteGround | None:
    """Return whose prices a site is told: its main owner's, and those of whoever owns a tap there in some time."""
    found, settings = site_of(conn, community, site), community_of(conn, community)
    if found is None or settings is None:
        return None
    owners = {found.main_owner}
    for raw in _trees(conn, community, site, first, last):
        owners |= {tap.owner for tap in parse_tree(raw).taps.values()}
    return SiteGround(settings, tuple(sorted(owners)))


def _trees(conn: Connection, community: str, site: str, first: int, last: int) -> Sequence[bytes]:
    """Return the trees in force between two times: the one begun last before, and those that begin meanwhile."""
    tree = tree_table.c
    rows = select(tree.raw).filter_by(**_owned(community), site=site)
    begun = rows.where(tree.valid_from <= first).order_by(tree.valid_from.desc(), tree.rev.desc()).limit(1)
    coming = rows.where(tree.valid_from > first, tree.valid_from <= last)
    return [*conn.execute(begun).scalars(), *conn.execute(coming).scalars()]


def _gaps(conn: Connection, community: str, owner: str) -> tuple[Gap, ...]:
    return tuple(gaps(tariffs_of(conn, community, COMMUNITY))) if owner == COMMUNITY else ()


def _kept(conn: Connection, community: str, row: Row[Any]) -> Kept:
    tariff = tariff_of(row)
    if isinstance(tariff.terms, Series):
        return Kept(tariff, None, series.known_until(conn, community, (tariff.owner, tariff.valid_from)))
    return Kept(tariff, PriceTexts(row.local_text, row.grid_buy_text, row.grid_sell_text), None)


def _owned(community: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community}
