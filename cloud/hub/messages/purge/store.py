"""Lets the bytes of old messages go, in bounded steps."""

from sqlalchemy import Connection, select, update

from cloud.database import bucket_of
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.hub.messages.store import hub_message_table
from cloud.hub.policy.store import DAY_MS, policy_of


def let_go(conn: Connection, community: str, now_ms: int, limit: int) -> int:
    """Let the bytes of some messages go that are older than the community's policy keeps them; return how many."""
    before_ms = now_ms - policy_of(conn, community).messages_days * DAY_MS
    c = hub_message_table.c
    owned = (c.bucket == bucket_of(community), c.community == community)
    old = select(c.message).where(*owned, c.raw.is_not(None), c.received_ms < before_ms)
    names = list(conn.execute(old.order_by(c.received_ms).limit(limit)).scalars())
    if names:
        conn.execute(update(hub_message_table).where(*owned, c.message.in_(names)).values(raw=None))
        add_events(conn, [Event(community, now_ms, "purged", "hub", count=len(names), detail={"what": "bytes"})])
    return len(names)
