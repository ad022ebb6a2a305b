"""Keeps the event log: rows are added and, when the policy says so, let go; none is ever changed."""

from collections.abc import Sequence

from sqlalchemy import CheckConstraint, Column, Connection, Index, Table, delete, select

from cloud.bulk import insert_many
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, new_id

from .asked import Asked, KeptEvent
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


def events_page(conn: Connection, asked: Asked, after: str, limit: int) -> list[KeptEvent]:
    """Return a page of the log in the order in which lines were added."""
    c, key = hub_event_table.c, {"bucket": bucket_of(asked.community), "community": asked.community}
    named = {"kind": asked.kind, "device": asked.device, "who": asked.who}
    columns = (c.event, c.at_ms, c.kind, c.who, c.device, c.count, c.detail)
    rows = select(*columns).filter_by(**key, **{name: value for name, value in named.items() if value is not None})
    rows = rows.where(c.event > after)
    if asked.start_ms is not None:
        rows = rows.where(c.at_ms >= asked.start_ms)
    if asked.end_ms is not None:
        rows = rows.where(c.at_ms < asked.end_ms)
    return [KeptEvent(*row) for row in conn.execute(rows.order_by(c.event).limit(limit))]


def let_go(conn: Connection, community: str, before_ms: int, limit: int, now_ms: int) -> int:
    """Let go of the oldest lines of before a time, at most so many; return how many. That it was done is a line too."""
    c, key = hub_event_table.c, {"bucket": bucket_of(community), "community": community}
    oldest = select(c.event).filter_by(**key).where(c.at_ms < before_ms).order_by(c.at_ms).limit(limit)
    gone = [*conn.execute(oldest).scalars()]
    if gone:
        conn.execute(delete(hub_event_table).filter_by(**key).where(c.event.in_(gone)))
        detail: dict[str, str | int | None] = {"what": "events", "before_ms": before_ms}
        add_events(conn, [Event(community, now_ms, "purged", "hub", count=len(gone), detail=detail)])
    return len(gone)
