"""Keeps what was given back to hosts and paid to drivers, and tells what a cable has earned."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
    and_,
    case,
    func,
    or_,
    select,
)

from cloud.database import RAW, STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata
from cloud.notice.kind import CABLES
from cloud.notice.store import SETTINGS_SECONDS, post_many
from cloud.sites.store import community_of, sites_of
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.terms.store import terms_of
from cloud.wire.cable import Reward

from .reward import Rate, capped, reward

PERIOD_KEY = ("bucket", "community", "site", "start", "cable")
UNBOOKED_SECONDS = 31 * 86_400  # how old a final period may be and still wait for its host's interval to be settled

# one row per host and interval for each time its leg was looked at; without an entry where nothing had changed
host_leg_table = Table(
    "host_leg",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("host", TEXT, primary_key=True),
    Column("revision", WHOLE, primary_key=True, autoincrement=False),
    Column("settled_revision", WHOLE, nullable=False),
    Column("net_wh", WHOLE, nullable=False),
    Column("cable_wh", WHOLE, nullable=False),
    Column("grid_buy_micro_per_wh", WHOLE, nullable=False),
    Column("grid_sell_micro_per_wh", WHOLE, nullable=False),
    Column("leg_micro", WHOLE, nullable=False),
    Column("before_micro", WHOLE, nullable=False),
    Column("evidence", TEXT, nullable=False),
    Column("document", RAW),  # where there is no entry that it lies beside
    Column("entry", WHOLE),
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("revision >= 0 AND settled_revision >= 0", name="revisions_count"),
    CheckConstraint("(entry IS NULL) = (document IS NOT NULL)", name="document_beside_the_entry"),
    CheckConstraint("(entry IS NULL) = (leg_micro = before_micro)", name="entry_of_what_moves"),
    ForeignKeyConstraint(
        ["bucket", "community", "start"],
        ["settled_interval.bucket", "settled_interval.community", "settled_interval.start"],
    ),
    ForeignKeyConstraint(["bucket", "community", "entry"], ["entry.bucket", "entry.community", "entry.number"]),
    **STRICT,
)

# the host's side: a final period that is in its host's leg; `rewarded_at` is when the driver's side was done too
rewarded_period_table = Table(
    "rewarded_period",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("cable", TEXT, primary_key=True),
    Column("seconds", WHOLE, nullable=False),
    Column("host", TEXT, nullable=False),
    Column("revision", WHOLE, nullable=False),
    Column("driver_community", TEXT),
    Column("driver", TEXT),
    Column("connected", WHOLE, nullable=False),
    Column("energy_wh", WHOLE, nullable=False),
    Column("witness", TEXT),
    Column("base_micro", WHOLE, nullable=False),
    Column("price_micro_per_wh", WHOLE, nullable=False),
    Column("records", TEXT, nullable=False),
    Column("taken_at", WHOLE, nullable=False),
    Column("rewarded_at", WHOLE),
    CheckConstraint("connected IN (0, 1)", name="connected_or_not"),
    CheckConstraint("(driver IS NULL) = (driver_community IS NULL)", name="driver_with_community"),
    ForeignKeyConstraint(
        [*PERIOD_KEY],
        [f"judged_period.{name}" for name in PERIOD_KEY],
    ),
    ForeignKeyConstraint(
        ["bucket", "community", "start", "host", "revision"],
        [f"host_leg.{name}" for name in ("bucket", "community", "start", "host", "revision")],
    ),
    Index("ix_rewarded_period_rewarded_at", "bucket", "community", "rewarded_at"),
    Index("ix_rewarded_period_start", "bucket", "community", "start"),
    **STRICT,
)

# the driver's side: what a period earned, in the community and ledger of the driver
driver_reward_table = Table(
    "driver_reward",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("period", TEXT, primary_key=True),
    Column("host_community", TEXT, nullable=False),
    Column("site", TEXT, nullable=False),
    Column("start", WHOLE, nullable=False),
    Column("cable", TEXT, nullable=False),
    Column("seconds", WHOLE, nullable=False),
    Column("driver", TEXT, nullable=False),
    Column("connected", WHOLE, nullable=False),
    Column("energy_wh", WHOLE, nullable=False),
    Column("base_due", WHOLE, nullable=False),
    Column("base_micro", WHOLE, nullable=False),
    Column("price_micro_per_wh", WHOLE, nullable=False),
    Column("reward_micro", WHOLE, nullable=False),
    Column("evidence", TEXT, nullable=False),
    Column("document", RAW),  # where there is no entry that it lies beside
    Column("entry", WHOLE),
    Column("booked_at", WHOLE, nullable=False),
    CheckConstraint("connected IN (0, 1) AND base_due IN (0, 1)", name="yes_or_no"),
    CheckConstraint("(entry IS NULL) = (document IS NOT NULL)", name="document_beside_the_entry"),
    CheckConstraint("(entry IS NULL) = (reward_micro = 0)", name="entry_of_what_moves"),
    UniqueConstraint("bucket", "community", "host_community", "site", "start", "cable"),
    ForeignKeyConstraint(["bucket", "community", "driver"], ["owner.bucket", "owner.community", "owner.owner"]),
    ForeignKeyConstraint(["bucket", "community", "entry"], ["entry.bucket", "entry.community", "entry.number"]),
    Index("ix_driver_reward_cable_start", "bucket", "community", "cable", "start"),
    **STRICT,
)

# one row per host's community: what was decided, or corrected, before these times is dealt with
reward_horizon_table = Table(
    "reward_horizon",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("decided_from", WHOLE, nullable=False),
    Column("corrected_from", WHOLE, nullable=False),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)


def tell_cables(conn: Connection, community: str, sites: list[str], now: int) -> None:
    """Tell sites, within the caller's transaction, that what they know of cables is to be fetched anew."""
    bodies = {site: dict[str, str]() for site in sites}
    post_many(conn, community, CABLES, bodies, issued_at=now, expires_at=now + SETTINGS_SECONDS)


def tell_drivers(conn: Connection, community: str, drivers: Collection[str], now: int) -> None:
    """Tell the sites of drivers, within the caller's transaction, that what their cables have earned is another."""
    sites = [site.site for site in sites_of(conn, community) if site.main_owner in drivers]
    tell_cables(conn, community, sites, now)


def figures(conn: Connection, cable: str, community: str, owner: str, now: int) -> Reward:
    """Return what a cable has earned its driver: booked today (the community's local day), in all, and waiting.

    What waits is never told as more than the smallest cap of the communities it waits in.
    """
    settings = community_of(conn, community)
    zone = ZoneInfo("UTC" if settings is None else settings.time_zone)
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = (today + timedelta(days=1)).replace(tzinfo=zone)
    d = driver_reward_table.c
    here = (d.booked_at >= int(today.timestamp())) & (d.booked_at < int(tomorrow.timestamp()))
    rows = select(
        func.coalesce(func.sum(case((here, d.reward_micro), else_=0)), 0), func.coalesce(func.sum(d.reward_micro), 0)
    ).filter_by(bucket=bucket_of(community), community=community, cable=cable, driver=owner)
    today_micro, total_micro = conn.execute(rows).one()
    return Reward(
        int(today_micro), int(total_micro), _pending_micro(conn, cable, community, owner, now - UNBOOKED_SECONDS)
    )


def _pending_micro(conn: Connection, cable: str, community: str, owner: str, since: int) -> int:
    """Return what waits for a cable, of whatever host's community: its periods may lie in any bucket.

    A period that is final waits too, until it is booked.
    """
    j, r = judged_period_table.c, rewarded_period_table.c
    same = and_(*(j[name] == r[name] for name in PERIOD_KEY))
    rows = select(j.community, j.start, j.connected, j.energy_wh).select_from(
        judged_period_table.outerjoin(rewarded_period_table, same)
    )
    rows = rows.where(j.cable == cable, j.driver_community == community, j.driver == owner)
    final = and_(j.state == "final", j.start >= since, r.rewarded_at.is_(None))
    rows = rows.where(or_(j.state == "pending", final)).order_by(j.start, j.community, j.site)
    pending_micro, caps_micro, there = 0, set[int](), set[int]()
    for row in conn.execute(rows):
        terms = terms_of(conn, row.community, row.start)
        rate, connected = Rate(terms.base_micro, terms.price_micro_per_wh), bool(row.connected)
        pending_micro += reward(rate, row.energy_wh, connected=connected, base_due=row.start not in there).micro
        if connected:
            there.add(row.start)
        caps_micro.add(terms.pending_cap_micro)
    return capped(pending_micro, min(caps_micro, default=0))
