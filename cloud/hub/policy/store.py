"""Keeps the policies of communities."""

from dataclasses import asdict

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Table, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, upsert
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events, let_go

from .policy import Policy

DAY_MS = 86_400_000

hub_policy_table = Table(
    "hub_policy",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("events_days", WHOLE, nullable=False),
    Column("messages_days", WHOLE, nullable=False),
    Column("changed_at", WHOLE, nullable=False),
    CheckConstraint("events_days > 0 AND messages_days > 0", name="kept_for_some_time"),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)


def policy_of(conn: Connection, community: str) -> Policy:
    """Return a community's policy; where none was set, and of what belongs to no community, the one by default."""
    columns = (hub_policy_table.c.events_days, hub_policy_table.c.messages_days)
    row = conn.execute(select(*columns).filter_by(bucket=bucket_of(community), community=community)).one_or_none()
    return Policy() if row is None else Policy(*row)


def put_policy(conn: Connection, community: str, policy: Policy, by: str, now_ms: int) -> None:
    """Keep a community's policy, and who changed it."""
    key = {"bucket": bucket_of(community), "community": community}
    upsert(conn, hub_policy_table, [*key], key | asdict(policy) | {"changed_at": now_ms // 1000})
    add_events(conn, [Event(community, now_ms, "policy-changed", by, detail=dict(asdict(policy)))])


def let_events_go(conn: Connection, community: str, now_ms: int, limit: int) -> int:
    """Let go of lines of the event log that are older than the policy keeps them; return how many."""
    before_ms = now_ms - policy_of(conn, community).events_days * DAY_MS
    return let_go(conn, community, before_ms, limit, now_ms)
