"""Keeps the event log: rows are added and, when the policy says so, let go; none is ever changed."""

from collections.abc import Sequence

from sqlalchemy import CheckConstraint, Column, Connection, Index, Table

from cloud.bulk import insert_many
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, new_id

from .event import Event

hub_event_table = Table(
    "hub_event",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),  # "": of no community
    Column("event", TEXT, primary_key=True),
    Column("at_ms", WHOLE, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("who", TEXT, nullable=False),
    Column("device", TEXT),
    Column("count", WHOLE, nullable=False),
    Column("detail", TEXT),
    CheckConstraint("count >= 0", name="count_not_negative"),
    Index("ix_hub_event_at_ms", "bucket", "community", "at_ms"),
    Index("ix_hub_event_device", "bucket", "community", "device", "event"),
    **STRICT,
)
MEMBERS = ("bucket", "community", "event", "at_ms", "kind", "who", "device", "count", "detail")


def add_events(conn: Connection, events: Sequence[Event]) -> None:
    """Keep events, in the transaction of what they tell of."""
    rows = [
        (
            bucket_of(event.community),
            event.community,
            new_id(),
            event.at_ms,
            event.kind,
            event.who,
            event.device,
            event.count,
            event.detail_text(),
        )
        for event in events
    ]
    insert_many(conn, hub_event_table, MEMBERS, rows)
