"""Keeps grid equipment, the sites it feeds, and every demand rate that was told of it."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Index, Table, delete, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, upsert
from cloud.sites.store import community_of, site_table

EQUIPMENT_MAX = 10_000  # of a community: every transformer of a large town

equipment_table = Table(
    "grid_equipment",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("equipment", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("provider", TEXT, nullable=False),  # the client that told it last
    Column("changed_at", WHOLE, nullable=False),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

equipment_site_table = Table(
    "grid_equipment_site",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("equipment", TEXT, primary_key=True),
    ForeignKeyConstraint(
        ["bucket", "community", "equipment"],
        ["grid_equipment.bucket", "grid_equipment.community", "grid_equipment.equipment"],
    ),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    Index("ix_grid_equipment_site_equipment", "bucket", "community", "equipment"),
    **STRICT,
)

demand_rate_table = Table(
    "demand_rate",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("equipment", TEXT, primary_key=True),
    Column("measured_at", WHOLE, primary_key=True, autoincrement=False),
    Column("percent", WHOLE, nullable=False),
    Column("valid_until", WHOLE, nullable=False),
    Column("provider", TEXT, nullable=False),
    Column("stored_at", WHOLE, nullable=False),
    CheckConstraint("percent >= 0", name="percent_not_negative"),
    CheckConstraint("valid_until > measured_at", name="holds_for_some_time"),
    ForeignKeyConstraint(
        ["bucket", "community", "equipment"],
        ["grid_equipment.bucket", "grid_equipment.community", "grid_equipment.equipment"],
    ),
    Index("ix_demand_rate_valid_until", "valid_until"),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Equipment:
    """A piece of grid equipment (a transformer, a feeder) and the sites it feeds, by id."""

    equipment: str
    name: str
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemandRate:
    """How loaded a piece of equipment was measured to be, in percent of what it carries, and until when that holds."""

    measured_at: int
    valid_until: int
    percent: int


@dataclass(frozen=True, slots=True)
class NoSites:
    """Sites that a community does not have."""

    sites: tuple[str, ...]


type NotPut = Literal["no-community", "too-many"]
type Added = Literal["created", "exists", "contradicts", "no-equipment"]


def put_equipment(
    conn: Connection, community: str, wanted: Equipment, *, provider: str, now: int
) -> tuple[str, ...] | NotPut | NoSites:
    """Keep a piece of equipment with the sites it feeds from now on; return the sites whose equipment changed."""
    if community_of(conn, community, locked=True) is None:
        return "no-community"
    owned = {"bucket": bucket_of(community), "community": community}
    known = select(site_table.c.site).filter_by(**owned).where(site_table.c.site.in_(wanted.sites))
    if missing := set(wanted.sites) - set(conn.execute(known).scalars()):
        return NoSites(tuple(sorted(missing)))
    before = equipment_of(conn, community, wanted.equipment)
    if before is None and len(listed(conn, community, "", EQUIPMENT_MAX)) >= EQUIPMENT_MAX:
        return "too-many"
    key = owned | {"equipment": wanted.equipment}
    upsert(conn, equipment_table, [*key], key | {"name": wanted.name, "provider": provider, "changed_at": now})
    fed = set(before.sites) if before is not None else set()
    conn.execute(delete(equipment_site_table).filter_by(**key))
    if wanted.sites:
        conn.execute(equipment_site_table.insert(), [key | {"site": site} for site in sorted(set(wanted.sites))])
    return tuple(sorted(fed ^ set(wanted.sites)))


def equipment_of(conn: Connection, community: str, equipment: str) -> Equipment | None:
    """Return a piece of equipment with its sites."""
    key = {"bucket": bucket_of(community), "community": community, "equipment": equipment}
    row = conn.execute(select(equipment_table).filter_by(**key)).one_or_none()
    if row is None:
        return None
    sites = select(equipment_site_table.c.site).filter_by(**key).order_by(equipment_site_table.c.site)
    return Equipment(equipment, row.name, tuple(conn.execute(sites).scalars()))


def listed(conn: Connection, community: str, after: str, limit: int) -> list[str]:
    """Return a page of the ids of a community's equipment."""
    c = equipment_table.c
    rows = select(c.equipment).filter_by(bucket=bucket_of(community), community=community)
    return list(conn.execute(rows.where(c.equipment > after).order_by(c.equipment).limit(limit)).scalars())


def page(conn: Connection, community: str, after: str, limit: int) -> list[tuple[Equipment, DemandRate | None]]:
    """Return a page of a community's equipment, each with its newest demand rate."""
    found = []
    for name in listed(conn, community, after, limit):
        equipment = equipment_of(conn, community, name)
        if equipment is not None:
            found.append((equipment, newest_rate(conn, community, name)))
    return found


def add_rate(conn: Connection, community: str, equipment: str, rate: DemandRate, *, provider: str, now: int) -> Added:
    """Keep a demand rate for ever; the same again changes nothing, another one of the same time is refused."""
    key = {"bucket": bucket_of(community), "community": community, "equipment": equipment}
    known = select(equipment_table.c.equipment).filter_by(**key).with_for_update()
    if conn.execute(known).one_or_none() is None:
        return "no-equipment"
    values = {"percent": rate.percent, "valid_until": rate.valid_until, "provider": provider, "stored_at": now}
    if insert_new(conn, demand_rate_table, key | {"measured_at": rate.measured_at} | values):
        return "created"
    row = conn.execute(select(demand_rate_table).filter_by(**key, measured_at=rate.measured_at)).one()
    return "exists" if (row.percent, row.valid_until) == (rate.percent, rate.valid_until) else "contradicts"


def newest_rate(conn: Connection, community: str, equipment: str) -> DemandRate | None:
    """Return the demand rate of a piece of equipment that was measured last."""
    c = demand_rate_table.c
    rows = select(c.measured_at, c.valid_until, c.percent)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, equipment=equipment)
    row = conn.execute(rows.order_by(c.measured_at.desc()).limit(1)).one_or_none()
    return None if row is None else DemandRate(*row)


def rates_of(conn: Connection, community: str, site: str, now: int) -> list[tuple[int, int]]:
    """Return the demand rates before a site that hold now: percent, and when it was measured; one a piece at most."""
    rows = select(equipment_site_table.c.equipment)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, site=site)
    newest = [newest_rate(conn, community, name) for name in conn.execute(rows).scalars().all()]
    return [(rate.percent, rate.measured_at) for rate in newest if rate is not None and rate.valid_until > now]


def gone_stale(conn: Connection, since: int, now: int) -> list[tuple[str, str]]:
    """Return community and site wherever a demand rate stopped to hold after `since` and by now."""
    rate, fed = demand_rate_table.c, equipment_site_table.c
    same = (rate.bucket == fed.bucket) & (rate.community == fed.community) & (rate.equipment == fed.equipment)
    rows = select(fed.community, fed.site).select_from(demand_rate_table.join(equipment_site_table, same))
    rows = rows.where(rate.valid_until > since, rate.valid_until <= now).distinct()
    return [(row.community, row.site) for row in conn.execute(rows)]
