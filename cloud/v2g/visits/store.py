"""Keeps which cable was plugged in where, as the sites asked; each plugging in once."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    func,
    select,
    text,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata
from cloud.ingest.cables.store import cable_period_table
from cloud.sites.store import site_table
from cloud.wire import Visit

LATELY_SECONDS = 86_400  # a cable that was neither plugged in nor reported for so long is gone
NEW_MAX = 120  # pluggings in that a site may tell of in an hour; a socket is not used as often
NEW_OF_CABLE_MAX = 30  # of those of one cable: one that a site finds anew all the time leaves room for others
WINDOW_SECONDS = 3600
NOT_PLACED = text("placed_at IS NULL")

visit_table = Table(
    "cable_visit",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("cable", TEXT, primary_key=True),
    Column("plugged_at", WHOLE, primary_key=True, autoincrement=False),
    Column("tap", TEXT, nullable=False),
    Column("public_key", TEXT),
    Column("user", TEXT),
    Column("vehicle", TEXT),
    Column("latitude", WHOLE),  # millionths of a degree
    Column("longitude", WHOLE),
    Column("first_at", WHOLE, nullable=False),  # when the site asked, by the cloud's clock
    Column("asked_at", WHOLE, nullable=False),
    Column("told_number", WHOLE, nullable=False),  # up to which record the site was told that all are here
    Column("placed_at", WHOLE),  # noted with the cable's own facts; NULL while that is still to be done
    CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="place_whole"),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    Index("ix_cable_visit_asked_at", "bucket", "community", "site", "asked_at"),
    Index("ix_cable_visit_cable", "cable", "asked_at"),
    Index(
        "ix_cable_visit_not_placed",
        *("bucket", "community", "site", "cable", "plugged_at"),
        sqlite_where=NOT_PLACED,
        postgresql_where=NOT_PLACED,
    ),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Visited:
    """That a cable was plugged in at a site."""

    community: str
    site: str
    cable: str
    plugged_at: int


def _owned(community: str, site: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community, "site": site}


def add_visit(
    conn: Connection, community: str, site: str, visit: Visit, *, told_number: int, now: int
) -> Literal["created", "exists", "too-many"]:
    """Keep that a cable was plugged in; of a site that asks again, its newest word counts."""
    locked = select(site_table.c.site).filter_by(**_owned(community, site)).with_for_update(key_share=True)
    conn.execute(locked)  # so that its pluggings in are counted one after another
    key = _owned(community, site) | {"cable": visit.cable, "plugged_at": visit.plugged_at}
    latitude, longitude = visit.place or (None, None)
    said: dict[str, Any] = {"tap": visit.tap, "public_key": visit.public_key}
    said |= {"user": visit.user, "vehicle": visit.vehicle, "latitude": latitude, "longitude": longitude}
    again = update(visit_table).filter_by(**key).values(said | {"asked_at": now, "told_number": told_number})
    if conn.execute(again).rowcount:
        return "exists"
    c = visit_table.c
    lately = select(func.count()).select_from(visit_table).filter_by(**_owned(community, site))
    lately = lately.where(c.asked_at > now - WINDOW_SECONDS)
    if conn.execute(lately.filter_by(cable=visit.cable)).scalar_one() >= NEW_OF_CABLE_MAX:
        return "too-many"
    if conn.execute(lately).scalar_one() >= NEW_MAX:
        return "too-many"
    insert_new(conn, visit_table, key | said | {"first_at": now, "asked_at": now, "told_number": told_number})
    return "created"


def last_visit(conn: Connection, community: str, site: str, cable: str) -> Visit | None:
    """Return the newest visit of a cable at a site as the site told of it."""
    rows = select(visit_table).filter_by(**_owned(community, site), cable=cable)
    row = conn.execute(rows.order_by(visit_table.c.plugged_at.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    place = None if row.latitude is None else (row.latitude, row.longitude)
    return Visit(cable, row.plugged_at, row.tap, row.public_key, row.user, row.vehicle, place)


def told_number(conn: Connection, community: str, site: str, cable: str) -> int | None:
    """Return up to which record of a cable a site was told that all are here; None if it has never asked."""
    rows = select(func.max(visit_table.c.told_number)).filter_by(**_owned(community, site), cable=cable)
    found: int | None = conn.execute(rows).scalar_one()
    return found


def cables_at(conn: Connection, community: str, site: str, now: int) -> list[str]:
    """Return the cables that were plugged in at a site, or reported to be, lately."""
    v, p, owned = visit_table.c, cable_period_table.c, _owned(community, site)
    visits = select(v.cable).filter_by(**owned).where(v.asked_at > now - LATELY_SECONDS)
    periods = select(p.cable).filter_by(**owned, connected=1).where(p.start > now - LATELY_SECONDS)
    return sorted(set(conn.execute(visits.union(periods)).scalars()))


def sites_with(conn: Connection, cable: str, now: int) -> list[tuple[str, str]]:
    """Return community and site of everywhere a cable was plugged in, or reported to be, lately."""
    v, p = visit_table.c, cable_period_table.c
    visits = select(v.community, v.site).filter_by(cable=cable).where(v.asked_at > now - LATELY_SECONDS)
    periods = select(p.community, p.site).filter_by(cable=cable, connected=1).where(p.start > now - LATELY_SECONDS)
    return sorted({(row.community, row.site) for row in conn.execute(visits.union(periods))})


def not_placed(conn: Connection, limit: int) -> list[Visited]:
    """Return visits that are not noted with the cable's own facts yet."""
    c = visit_table.c
    columns = (c.community, c.site, c.cable, c.plugged_at)
    rows = select(*columns).where(NOT_PLACED).order_by(c.bucket, *columns).limit(limit)
    return [Visited(*row) for row in conn.execute(rows)]


def placed(conn: Connection, visits: list[Visited], now: int) -> None:
    """Note that these visits stand with their cables' own facts."""
    for item in visits:
        key = _owned(item.community, item.site) | {"cable": item.cable, "plugged_at": item.plugged_at}
        conn.execute(update(visit_table).filter_by(**key).values(placed_at=now))
