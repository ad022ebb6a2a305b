"""Keeps limits as they stand."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Table, delete, select

from cloud.bulk import insert_many
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata
from cloud.hub.devices.store import device_of
from cloud.hub.quantity import Quantity
from cloud.hub.watch.limit import Limit, Limits, Subject
from cloud.hub.wiring.store import equipment_of
from cloud.sites.store import community_of

EVERYWHERE = "*"  # stands for every point; no point is called so

limit_table = Table(
    "hub_watch_limit",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("about", TEXT, primary_key=True),
    Column("name", TEXT, primary_key=True),  # "" of the community itself
    Column("quantity", TEXT, primary_key=True),
    Column("point", TEXT, primary_key=True),
    Column("lowest", WHOLE),
    Column("highest", WHOLE),
    Column("nominal", WHOLE),
    Column("below_percent", WHOLE),
    Column("above_percent", WHOLE),
    Column("set_by", TEXT, nullable=False),
    Column("set_at", WHOLE, nullable=False),
    CheckConstraint("about IN ('community', 'equipment', 'device')", name="about_known"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)
BOUNDS = ("lowest", "highest", "nominal", "below_percent", "above_percent")
NAMES = ("bucket", "community", "about", "name", "quantity", "point", *BOUNDS, "set_by", "set_at")


def put_limits(
    conn: Connection, community: str, subject: Subject, limits: Sequence[Limit], *, by: str, now: int
) -> Literal["no-community", "no-such"] | None:
    """Let these limits, and no others, hold of a community, a piece of equipment or a system; none takes them away."""
    if community_of(conn, community, locked=True) is None:
        return "no-community"
    about, name = subject
    stood = _clear(conn, community, subject)
    if not (stood and not limits) and not _is_there(conn, community, subject):
        return "no-such"
    owned = bucket_of(community), community, about, name
    rows = [
        (
            *(*owned, limit.quantity.value, EVERYWHERE if limit.point is None else limit.point),
            *(getattr(limit, bound) for bound in BOUNDS),
            *(by, now),
        )
        for limit in limits
    ]
    insert_many(conn, limit_table, NAMES, rows)
    return None


def _clear(conn: Connection, community: str, subject: Subject) -> bool:
    about, name = subject
    owned = {"bucket": bucket_of(community), "community": community}
    gone = delete(limit_table).filter_by(**owned, about=about, name=name).returning(limit_table.c.quantity)
    return bool(conn.execute(gone).all())


def _is_there(conn: Connection, community: str, subject: Subject) -> bool:
    match subject:
        case "equipment", name:
            return equipment_of(conn, community, name) is not None
        case "device", name:
            return device_of(conn, community, name) is not None
        case _:
            return True


def limits_of(conn: Connection, community: str) -> Limits:
    """Return all the limits of a community, by whose they are."""
    c = limit_table.c
    rows = select(c.about, c.name, c.quantity, c.point, *(c[bound] for bound in BOUNDS))
    rows = rows.filter_by(bucket=bucket_of(community), community=community)
    found: defaultdict[Subject, list[Limit]] = defaultdict(list)
    for about, name, quantity, point, *bounds in conn.execute(rows.order_by(c.about, c.name, c.quantity, c.point)):
        found[about, name].append(Limit(Quantity(quantity), None if point == EVERYWHERE else point, *bounds))
    return dict(found)
