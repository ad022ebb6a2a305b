"""Keeps what neighbours agreed to pay one another for what passes over their own line."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Table, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, upsert
from cloud.settlement.direct.agreed import Agreed, Agreement
from cloud.settlement.store import hold, settled_through
from cloud.sites.store import community_of, owners_of

neighbour_link_table = Table(
    "neighbour_link",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("owner_a", TEXT, primary_key=True),
    Column("owner_b", TEXT, primary_key=True),
    Column("valid_from", WHOLE, primary_key=True, autoincrement=False),
    Column("price_text", TEXT),
    Column("price_micro_per_wh", WHOLE),
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("owner_a < owner_b", name="owners_in_order"),
    CheckConstraint("(price_text IS NULL) = (price_micro_per_wh IS NULL)", name="price_with_its_text"),
    ForeignKeyConstraint(["bucket", "community", "owner_a"], ["owner.bucket", "owner.community", "owner.owner"]),
    ForeignKeyConstraint(["bucket", "community", "owner_b"], ["owner.bucket", "owner.community", "owner.owner"]),
    **STRICT,
)

type Verdict = Literal["created", "exists", "replaced", "settled", "no-community", "unknown-owner", "off-boundary"]


def put(conn: Connection, community: str, wanted: Agreement, price_text: str | None, now: int) -> Verdict:
    """Keep an agreement from a time on, unless intervals after it are settled already."""
    settings = community_of(conn, community)
    if settings is None:
        return "no-community"
    if wanted.valid_from % settings.interval_seconds:
        return "off-boundary"
    if not {wanted.owner_a, wanted.owner_b} <= owners_of(conn, community).keys():
        return "unknown-owner"
    hold(conn, community)
    before = [item for item in listed(conn, community) if _same(item, wanted)]
    if wanted in before:
        return "exists"
    if wanted.valid_from < (settled_through(conn, community) or 0):
        return "settled"
    key = {"bucket": bucket_of(community), "community": community}
    key |= {"owner_a": wanted.owner_a, "owner_b": wanted.owner_b, "valid_from": wanted.valid_from}
    values = {"price_text": price_text, "price_micro_per_wh": wanted.micro_per_wh, "made_at": now}
    upsert(conn, neighbour_link_table, [*key], key | values)
    return "replaced" if any(item.valid_from == wanted.valid_from for item in before) else "created"


def _same(one: Agreement, other: Agreement) -> bool:
    return (one.owner_a, one.owner_b) == (other.owner_a, other.owner_b)


def listed(conn: Connection, community: str) -> Sequence[Agreement]:
    """Return every agreement there is or was, by pair and time."""
    c = neighbour_link_table.c
    rows = select(c.owner_a, c.owner_b, c.valid_from, c.price_micro_per_wh)
    rows = rows.filter_by(bucket=bucket_of(community), community=community)
    return [Agreement(*row) for row in conn.execute(rows.order_by(c.owner_a, c.owner_b, c.valid_from))]


def agreed(conn: Connection, community: str) -> Agreed:
    """Return all agreements of a community, for intervals to be settled by."""
    return Agreed.of(listed(conn, community))
