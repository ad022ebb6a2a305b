"""Keeps where sites are registered to be: what the site said at pairing, until staff says otherwise."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Row, Table, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata
from cloud.hub.extraction.store import pairing_places
from cloud.sites.store import site_of, site_table
from cloud.wire.cable import Place

site_place_table = Table(
    "site_place",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("latitude_e6", WHOLE, nullable=False),
    Column("longitude_e6", WHOLE, nullable=False),
    Column("set_by", TEXT, nullable=False),
    Column("set_at", WHOLE, nullable=False),
    CheckConstraint("latitude_e6 BETWEEN -90000000 AND 90000000", name="latitude_on_earth"),
    CheckConstraint("longitude_e6 BETWEEN -180000000 AND 180000000", name="longitude_on_earth"),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class RegisteredPlace:
    """Where a site is registered to be, who said so and when; number 0 is what the site said itself at pairing."""

    number: int
    place: Place
    set_by: str
    set_at: int


def place_of(conn: Connection, community: str, site: str) -> RegisteredPlace | None:
    """Return where a site is registered to be; None if nobody ever said."""
    owned = {"bucket": bucket_of(community), "community": community, "site": site}
    rows = select(site_place_table).filter_by(**owned).order_by(site_place_table.c.number.desc()).limit(1)
    if (row := conn.execute(rows).one_or_none()) is not None:
        return RegisteredPlace(row.number, (row.latitude_e6, row.longitude_e6), row.set_by, row.set_at)
    return _from_pairing(site, conn.execute(select(site_table).filter_by(**owned)).one_or_none())


def places_of(conn: Connection, community: str) -> dict[str, Place]:
    """Return where the sites of a community are registered to be, of those that anybody ever said it of."""
    found = pairing_places(conn, community)
    rows = select(site_place_table).filter_by(bucket=bucket_of(community), community=community)
    for row in conn.execute(rows.order_by(site_place_table.c.number)):  # the newest word is the last
        found[row.site] = (row.latitude_e6, row.longitude_e6)
    return found


def _from_pairing(site: str, row: Row[Any] | None) -> RegisteredPlace | None:
    if row is None or row.latitude_e6 is None or row.longitude_e6 is None:
        return None
    return RegisteredPlace(0, (row.latitude_e6, row.longitude_e6), site, row.paired_at)


def put_place(
    conn: Connection, community: str, site: str, place: Place, *, by: str, now: int
) -> tuple[RegisteredPlace, bool] | None:
    """Register where a site is; the flag is False where it stands so already. None: there is no such site."""
    if site_of(conn, community, site, locked=True) is None:
        return None
    before = place_of(conn, community, site)
    if before is not None and before.place == place:
        return before, False
    made = RegisteredPlace(1 if before is None else before.number + 1, place, by, now)
    owned = {"bucket": bucket_of(community), "community": community, "site": site, "number": made.number}
    values = {"latitude_e6": place[0], "longitude_e6": place[1], "set_by": by, "set_at": now}
    conn.execute(site_place_table.insert().values(owned | values))
    return made, True
