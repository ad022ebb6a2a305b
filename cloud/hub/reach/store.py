"""Keeps how far upper systems see, one row for each client and community; no row: the whole community."""

import json

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Table, delete, select

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, upsert
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.sites.access.clients.role import Listed
from cloud.sites.access.clients.store import found
from cloud.sites.store import community_of

from .area import Area, area_text, box_of, circle_of
from .reach import WHOLE as EVERYTHING, Reach

hub_reach_table = Table(
    "hub_reach",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("client", TEXT, primary_key=True),
    Column("kinds", TEXT),  # these four are JSON lists; NULL restricts nothing
    Column("quantities", TEXT),
    Column("sites", TEXT),
    Column("areas", TEXT),
    Column("set_by", TEXT, nullable=False),
    Column("set_at", WHOLE, nullable=False),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)
KEY = ("bucket", "community", "client")


def reach_of(conn: Connection, community: str, client: str) -> Reach:
    """Return how far a client sees in a community."""
    stored = stored_reach(conn, community, client)
    return EVERYTHING if stored is None else stored[0]


def stored_reach(conn: Connection, community: str, client: str) -> tuple[Reach, str, int] | None:
    """Return what staff has said of a client in a community, who and when; None if nothing."""
    rows = select(hub_reach_table).filter_by(bucket=bucket_of(community), community=community, client=client)
    row = conn.execute(rows).one_or_none()
    if row is None:
        return None
    areas = _listed(row.areas)
    reach = Reach(
        kinds=_set(row.kinds),
        quantities=_set(row.quantities),
        sites=_set(row.sites),
        areas=None if areas is None else tuple(_area(text) for text in areas),
    )
    return reach, row.set_by, row.set_at


def _listed(text: str | None) -> list[str] | None:
    found: list[str] | None = None if text is None else json.loads(text)
    return found


def _set(text: str | None) -> frozenset[str] | None:
    found = _listed(text)
    return None if found is None else frozenset(found)


def _area(text: str) -> Area:
    return box_of(text) if text.count(",") == 3 else circle_of(text)


def put_reach(conn: Connection, community: str, client: str, reach: Reach, *, by: str, now_ms: int) -> None:
    """Say how far a client sees in a community from now on."""
    members = {name: getattr(reach, name) for name in ("kinds", "quantities", "sites")}
    values = {name: None if each is None else json.dumps(sorted(each)) for name, each in members.items()}
    values["areas"] = None if reach.areas is None else json.dumps([area_text(area) for area in reach.areas])
    key = {"bucket": bucket_of(community), "community": community, "client": client}
    upsert(conn, hub_reach_table, KEY, key | values | {"set_by": by, "set_at": now_ms // 1000})
    add_events(conn, [Event(community, now_ms, "reach-changed", by, detail={"client": client})])


def delete_reach(conn: Connection, community: str, client: str, *, by: str, now_ms: int) -> None:
    """Let a client see the whole community again."""
    rows = delete(hub_reach_table).filter_by(bucket=bucket_of(community), community=community, client=client)
    if conn.execute(rows.returning(hub_reach_table.c.client)).first() is not None:
        add_events(conn, [Event(community, now_ms, "reach-changed", by, detail={"client": client})])


def client_in(conn: Connection, community: str, client: str) -> Listed | None:
    """Return a client, whatever it is bound to, if there is such a community."""
    return None if community_of(conn, community) is None else found(conn, client)
