"""Keeps communities, their owners and their sites."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Row,
    Select,
    Table,
    select,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, new_id
from cloud.wire import PairingRequest, Settings

# told, within the transaction, that what sites know of their community (connection, its id, now) is another now
type Changed = Callable[[Connection, str, int], None]
type CommunityKept = Literal["kept", "interval-fixed", "others-members"]

community_table = Table(
    "community",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("time_zone", TEXT, nullable=False),
    Column("interval_seconds", WHOLE, nullable=False),
    Column("cycle_seconds", WHOLE, nullable=False),
    Column("grace_seconds", WHOLE, nullable=False),
    Column("currency", TEXT),
    Column("points_per_unit", WHOLE),
    Column("created_at", WHOLE, nullable=False),
    CheckConstraint("interval_seconds > 0 AND 1800 % interval_seconds = 0", name="interval_divides_half_hour"),
    CheckConstraint("cycle_seconds > 0 AND cycle_seconds % interval_seconds = 0", name="cycle_of_whole_intervals"),
    **STRICT,
)

owner_table = Table(
    "owner",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("created_at", WHOLE, nullable=False),
    Column("mail", TEXT),
    Column("phone", TEXT),
    Column("language", TEXT),
    Column("address_lines", TEXT),  # one a line
    Column("postal_code", TEXT),
    Column("city", TEXT),
    Column("country", TEXT),
    Column("payment_provider", TEXT),
    Column("payment_token", TEXT),  # the provider's word for the means of payment, never the means itself
    Column("prepaid", WHOLE),  # 1: supplied only while there are points; NULL is 0
    Column("changed_at", WHOLE),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

site_table = Table(
    "site",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("time_zone", TEXT, nullable=False),
    Column("latitude_e6", WHOLE),
    Column("longitude_e6", WHOLE),
    Column("main_owner", TEXT, nullable=False),
    Column("time_scale", WHOLE, nullable=False),
    Column("paired_at", WHOLE, nullable=False),
    Column("quarantined_at", WHOLE),
    Column("quarantine_reason", TEXT),
    ForeignKeyConstraint(["bucket", "community", "main_owner"], ["owner.bucket", "owner.community", "owner.owner"]),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Community:
    """A settlement unit: its interval, how often it is settled, and how long it waits for late sites."""

    community: str
    name: str
    time_zone: str
    interval_seconds: int
    cycle_seconds: int
    grace_seconds: int
    currency: str | None
    points_per_unit: int | None


@dataclass(frozen=True, slots=True)
class Site:
    """A metered connection; a quarantined one has contradicted itself: its batches are kept and not settled."""

    community: str
    site: str
    name: str
    time_zone: str
    main_owner: str
    time_scale: int
    paired_at: int
    quarantined_at: int | None
    quarantine_reason: str | None


def put_community(
    conn: Connection, community: Community, now: int, changed: Changed | None = None, *, fixed: Sequence[str] = ()
) -> CommunityKept:
    """Create a community or change its settings; with `fixed` members it must stand and they must stay."""
    before = community_of(conn, community.community, locked=True)
    if fixed and (before is None or any(getattr(before, name) != getattr(community, name) for name in fixed)):
        return "others-members"
    shifts = before is not None and before.interval_seconds != community.interval_seconds
    if shifts and sites_of(conn, community.community, limit=1):
        return "interval-fixed"
    key = {"bucket": bucket_of(community.community), "community": community.community}
    others = {name: getattr(community, name) for name in COMMUNITY_MEMBERS}
    if not insert_new(conn, community_table, key | others | {"created_at": now}):
        conn.execute(update(community_table).filter_by(**key).values(others))
    if changed is not None and before != community:
        changed(conn, community.community, now)
    return "kept"


COMMUNITY_MEMBERS = (
    "name",
    "time_zone",
    "interval_seconds",
    "cycle_seconds",
    "grace_seconds",
    "currency",
    "points_per_unit",
)


def community_of(conn: Connection, community: str, *, locked: bool = False) -> Community | None:
    """Return a community, if there is one of this name; `locked` keeps others who ask so off until the end."""
    rows = select(community_table).filter_by(bucket=bucket_of(community), community=community)
    # the key stays: whoever adds what refers to it need not wait
    row = conn.execute(rows.with_for_update(key_share=True) if locked else rows).one_or_none()
    return None if row is None else _community(row)


def communities(conn: Connection) -> list[Community]:
    """Return every community, by name."""
    return [_community(row) for row in conn.execute(select(community_table).order_by(community_table.c.community))]


def communities_page(conn: Connection, only: str | None, after: str, limit: int) -> list[Community]:
    """Return a page of the communities, by id; at most the one that is named."""
    rows = select(community_table).where(community_table.c.community > after)
    if only is not None:
        rows = rows.filter_by(bucket=bucket_of(only), community=only)
    return [_community(row) for row in conn.execute(rows.order_by(community_table.c.community).limit(limit))]


def _community(row: Row[Any]) -> Community:
    return Community(row.community, *(getattr(row, name) for name in COMMUNITY_MEMBERS))


def owners_of(conn: Connection, community: str) -> Mapping[str, str]:
    """Return the owners of a community with their names, by id."""
    rows = select(owner_table.c.owner, owner_table.c.name).filter_by(bucket=bucket_of(community), community=community)
    return {row.owner: row.name for row in conn.execute(rows.order_by(owner_table.c.owner))}


def site_of(conn: Connection, community: str, site: str, *, locked: bool = False) -> Site | None:
    """Return a site; `locked` keeps other transactions off its chain until this one ends."""
    rows = _sites(community).where(site_table.c.site == site)
    row = conn.execute(rows.with_for_update() if locked else rows).one_or_none()
    return None if row is None else Site(*row)


def sites_of(conn: Connection, community: str, after: str = "", limit: int | None = None) -> list[Site]:
    """Return the sites of a community by id, all or a page of them."""
    rows = _sites(community).where(site_table.c.site > after).order_by(site_table.c.site).limit(limit)
    return [Site(*row) for row in conn.execute(rows)]


def settings_of(conn: Connection, community: str, site: str) -> Settings | None:
    """Return what a site must know, None if it is not known (any more)."""
    found, owned = site_of(conn, community, site), community_of(conn, community)
    if found is None or owned is None:
        return None
    return Settings(
        site=site,
        community=community,
        community_name=owned.name,
        interval_seconds=owned.interval_seconds,
        time_scale=found.time_scale,
        main_owner=found.main_owner,
        owners=owners_of(conn, community),
        currency=owned.currency,
        points_per_unit=owned.points_per_unit,
    )


def _sites(community: str) -> Select[Any]:
    columns = [site_table.c[member.name] for member in fields(Site)]
    return select(*columns).filter_by(bucket=bucket_of(community), community=community)


def quarantine(conn: Connection, community: str, site: str, reason: str, now: int) -> None:
    """Mark a site as one that contradicted itself; the first reason stays."""
    rows = update(site_table).filter_by(bucket=bucket_of(community), community=community, site=site)
    rows = rows.where(site_table.c.quarantined_at.is_(None))
    conn.execute(rows.values(quarantined_at=now, quarantine_reason=reason))


def end_quarantine(conn: Connection, community: str, site: str) -> None:
    """Let a site be settled again; the caller keeps who decided so."""
    rows = update(site_table).filter_by(bucket=bucket_of(community), community=community, site=site)
    conn.execute(rows.values(quarantined_at=None, quarantine_reason=None))


def add_site(
    conn: Connection, request: PairingRequest, community: str, *, main_owner: str, time_scale: int, now: int
) -> str:
    """Keep a site that has paired, and return the name it has for ever."""
    site = new_id()
    owned = {"bucket": bucket_of(community), "community": community, "site": site}
    place = {"latitude_e6": request.latitude_e6, "longitude_e6": request.longitude_e6}
    values = {"name": request.name, "time_zone": request.time_zone, "main_owner": main_owner}
    times = {"time_scale": time_scale, "paired_at": now}
    conn.execute(site_table.insert().values(owned | place | values | times))
    return site
