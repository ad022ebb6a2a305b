"""Keeps who is to be told corrections, and how far they were."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Row, Table, delete, select, update

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, new_id, upsert
from cloud.sites.access.store import client_table
from cloud.sites.store import community_table

from .retry import Delivery, Outcome, after

# of a client, which may be bound to no community
correction_subscription_table = Table(
    "correction_subscription",
    metadata,
    Column("client", TEXT, primary_key=True),
    Column("subscription", TEXT, nullable=False),
    Column("community", TEXT),  # NULL: of all communities
    Column("url", TEXT, nullable=False),
    Column("made_at", WHOLE, nullable=False),
    **STRICT,
)

correction_delivery_table = Table(
    "correction_delivery",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("client", TEXT, primary_key=True),
    Column("subscription", TEXT, nullable=False),
    Column("through", WHOLE, nullable=False),
    Column("failures", WHOLE, nullable=False),
    Column("next_at", WHOLE, nullable=False),
    Column("tried_at", WHOLE),
    Column("delivered_at", WHOLE),
    Column("problem", TEXT),
    CheckConstraint("through >= 0 AND failures >= 0", name="counted"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a provider wants corrections sent; `subscription` is another with each URL that is set."""

    client: str
    subscription: str
    community: str | None
    url: str
    made_at: int


def subscribe(conn: Connection, client: str, community: str | None, url: str, now: int) -> Subscription:
    """Keep where a client wants corrections sent, in place of what it said before."""
    made = Subscription(client, new_id(), community, url, now)
    values = {"subscription": made.subscription, "community": community, "url": url, "made_at": now}
    upsert(conn, correction_subscription_table, ["client"], {"client": client} | values)
    return made


def unsubscribe(conn: Connection, client: str) -> bool:
    """Forget where a client wanted corrections sent; False if it had said nothing."""
    conn.execute(delete(correction_delivery_table).filter_by(client=client))
    return conn.execute(delete(correction_subscription_table).filter_by(client=client)).rowcount == 1


def subscription_of(conn: Connection, client: str) -> Subscription | None:
    """Return where a client wants corrections sent."""
    row = conn.execute(select(correction_subscription_table).filter_by(client=client)).one_or_none()
    return None if row is None else _subscription(row)


def subscriptions(conn: Connection) -> list[Subscription]:
    """Return every subscription whose client was not removed."""
    s, c = correction_subscription_table.c, client_table.c
    rows = select(correction_subscription_table).join(client_table, c.client_id == s.client)
    return [_subscription(row) for row in conn.execute(rows.where(c.revoked_at.is_(None)).order_by(s.client))]


def deliveries_of(conn: Connection, subscription: Subscription) -> dict[str, Delivery]:
    """Return how far a subscription was told of each of its communities; a new one from the first correction on."""
    rows = select(community_table.c.community)
    if subscription.community is not None:
        rows = rows.filter_by(bucket=bucket_of(subscription.community), community=subscription.community)
    found = dict.fromkeys(sorted(conn.execute(rows).scalars()), Delivery())
    kept = select(correction_delivery_table).filter_by(client=subscription.client)
    for row in conn.execute(kept):
        if row.subscription == subscription.subscription and row.community in found:
            found[row.community] = _delivery(row)
    return found


def note(conn: Connection, subscription: Subscription, community: str, outcome: Outcome, now: int) -> None:
    """Note how a delivery ended, unless the subscription is another one by now."""
    stands = select(correction_subscription_table.c.subscription).filter_by(client=subscription.client)
    if conn.execute(stands.with_for_update()).scalar_one_or_none() != subscription.subscription:
        return
    key: dict[str, Any] = {"bucket": bucket_of(community), "community": community, "client": subscription.client}
    fresh = {"through": 0, "failures": 0, "next_at": 0, "subscription": subscription.subscription}
    insert_new(conn, correction_delivery_table, key | fresh)
    row = conn.execute(select(correction_delivery_table).filter_by(**key)).one()
    before = _delivery(row) if row.subscription == subscription.subscription else Delivery()
    new = after(before, outcome, now)
    values = {
        "subscription": subscription.subscription,
        "through": new.through,
        "failures": new.failures,
        "next_at": new.next_at,
        "tried_at": new.tried_at,
        "delivered_at": new.delivered_at,
        "problem": new.problem,
    }
    conn.execute(update(correction_delivery_table).filter_by(**key).values(values))


def _subscription(row: Row[Any]) -> Subscription:
    return Subscription(row.client, row.subscription, row.community, row.url, row.made_at)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(row.through, row.failures, row.next_at, row.tried_at, row.delivered_at, row.problem)
