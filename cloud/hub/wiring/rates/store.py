"""Keeps every demand rate that was told or counted of grid equipment."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Index, Table, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata
from cloud.hub.wiring.equipment import DEPTH_MAX, Equipment
from cloud.hub.wiring.store import Rewired, equipment_site_table, equipment_table, listed, pieces, sites_below

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
class DemandRate:
    """How loaded a piece of equipment was measured to be, in percent of what it carries, and until when that holds."""

    measured_at: int
    valid_until: int
    percent: int


@dataclass(frozen=True, slots=True)
class ToldRate:
    """A demand rate, and who told it."""

    rate: DemandRate
    provider: str


type Added = Literal["created", "exists", "contradicts", "no-equipment"]


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


def rate_and_tell(
    conn: Connection, community: str, equipment: str, rate: DemandRate, *, provider: str, now: int, tell: Rewired
) -> Added:
    """Keep a demand rate, and tell the sites behind that equipment."""
    added = add_rate(conn, community, equipment, rate, provider=provider, now=now)
    if added == "created" and (sites := sites_below(conn, community, equipment)):
        tell(conn, community, sites, now)
    return added


def newest_told(conn: Connection, community: str, equipment: str) -> ToldRate | None:
    """Return the demand rate of a piece of equipment that was measured last, and whose word it is."""
    c = demand_rate_table.c
    rows = select(c.measured_at, c.valid_until, c.percent, c.provider)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, equipment=equipment)
    row = conn.execute(rows.order_by(c.measured_at.desc()).limit(1)).one_or_none()
    return None if row is None else ToldRate(DemandRate(*row[:3]), row.provider)


def newest_rate(conn: Connection, community: str, equipment: str) -> DemandRate | None:
    """Return the demand rate of a piece of equipment that was measured last."""
    told = newest_told(conn, community, equipment)
    return None if told is None else told.rate


def page_of(conn: Connection, community: str, after: str, limit: int) -> list[tuple[Equipment, DemandRate | None]]:
    """Return a page of a community's equipment, each with its newest demand rate."""
    found = pieces(conn, community, listed(conn, community, after, limit))
    return [(piece, newest_rate(conn, community, piece.equipment)) for piece in found]


def rates_of(conn: Connection, community: str, site: str, now: int) -> list[tuple[int, int]]:
    """Return the demand rates before a site that hold now: percent, and when it was measured; one a piece at most."""
    newest = [newest_rate(conn, community, name) for name in _before(conn, community, site)]
    return [(rate.percent, rate.measured_at) for rate in newest if rate is not None and rate.valid_until > now]


def _before(conn: Connection, community: str, site: str) -> list[str]:
    """Return the equipment that feeds a site, and everything above it; a statement for each level."""
    owned = {"bucket": bucket_of(community), "community": community}
    fed, piece = equipment_site_table.c, equipment_table.c
    direct = select(fed.equipment).filter_by(**owned, site=site)
    level: Iterable[str] = conn.execute(direct.order_by(fed.equipment)).scalars().all()
    found: dict[str, None] = {}
    for _ in range(DEPTH_MAX):
        if not (new := [name for name in level if name not in found]):
            break
        found |= dict.fromkeys(new)
        over = select(piece.above).filter_by(**owned).where(piece.equipment.in_(new), piece.above.is_not(None))
        level = conn.execute(over.distinct().order_by(piece.above)).scalars().all()
    return list(found)


def gone_stale(conn: Connection, since: int, now: int) -> list[tuple[str, str]]:
    """Return community and site wherever a demand rate stopped to hold after `since` and by now."""
    c = demand_rate_table.c
    rows = select(c.community, c.equipment).where(c.valid_until > since, c.valid_until <= now).distinct()
    found = {
        (community, site)
        for community, equipment in conn.execute(rows).tuples()
        for site in sites_below(conn, community, equipment)
    }
    return sorted(found)
