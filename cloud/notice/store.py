"""Keeps notices until they are acknowledged, expired or overtaken by a newer one of their kind."""

from collections.abc import Mapping
import json
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Table,
    bindparam,
    select,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, new_id
from cloud.sites.store import sites_of
from cloud.wire import Notice, to_bytes

from .kind import OWNER, PRICES, SETTINGS, STATEMENT, SUPERSEDING_KINDS

NOTICES_PAGE_MAX = 100  # what one answer, or one turn of a WebSocket, carries
OWNER_SECONDS = 30 * 86_400  # as below: a site that comes back asks how its taps stand
SETTINGS_SECONDS = 30 * 86_400  # a site away for longer asks for its settings anyway when it comes back
WAKE_MAX = 20_000  # notices looked at in one turn of the job; more wait for the next

notice_table = Table(
    "notice",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("notice", TEXT, primary_key=True),
    Column("kind", TEXT, nullable=False),
    Column("body", TEXT, nullable=False),
    Column("issued_at", WHOLE, nullable=False),
    Column("expires_at", WHOLE, nullable=False),
    Column("acked_at", WHOLE),
    Column("superseded_by", TEXT),
    CheckConstraint("expires_at > issued_at", name="expires_after_issued"),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    Index("ix_notice_issued_at", "issued_at"),
    **STRICT,
)


def post(
    conn: Connection, community: str, site: str, kind: str, body: Mapping[str, Any], *, issued_at: int, expires_at: int
) -> str:
    """Keep a notice to a site within the caller's transaction and return its id; call `Bell.ring` after it.

    A newer notice of a kind that says how things stand (`balance`) overtakes the older ones not yet acknowledged.
    """
    notice = new_id()
    owned = {"bucket": bucket_of(community), "community": community, "site": site}
    if kind in SUPERSEDING_KINDS:
        older = update(notice_table).filter_by(**owned, kind=kind, acked_at=None, superseded_by=None)
        conn.execute(older.values(superseded_by=notice))
    values = {"notice": notice, "kind": kind, "body": to_bytes(dict(body)).decode()}
    times = {"issued_at": issued_at, "expires_at": expires_at}
    conn.execute(notice_table.insert().values(owned | values | times))
    return notice


def post_many(
    conn: Connection,
    community: str,
    kind: str,
    bodies: Mapping[str, Mapping[str, Any]],
    *,
    issued_at: int,
    expires_at: int,
) -> None:
    """Keep a notice of one kind to each of many sites, as `post` does, in two statements."""
    if not bodies:
        return
    owned = {"bucket": bucket_of(community), "community": community}
    ids = {site: new_id() for site in bodies}
    if kind in SUPERSEDING_KINDS:
        n = notice_table.c
        older = update(notice_table).filter_by(**owned, kind=kind, acked_at=None, superseded_by=None)
        older = older.where(n.site == bindparam("of_site")).values(superseded_by=bindparam("newer"))
        conn.execute(older, [{"of_site": site, "newer": notice} for site, notice in ids.items()])
    common = owned | {"kind": kind, "issued_at": issued_at, "expires_at": expires_at}
    rows = [
        common | {"site": site, "notice": ids[site], "body": to_bytes(dict(body)).decode()}
        for site, body in bodies.items()
    ]
    conn.execute(notice_table.insert(), rows)


def tell_settings_changed(conn: Connection, community: str, now: int) -> None:
    """Tell every site of a community, within the caller's transaction, that its settings are others now."""
    _tell_all(conn, community, SETTINGS, now)


def tell_prices_changed(conn: Connection, community: str, now: int) -> None:
    """Tell every site of a community, within the caller's transaction, that there are other prices to come."""
    _tell_all(conn, community, PRICES, now)


def _tell_all(conn: Connection, community: str, kind: str, now: int) -> None:
    for site in sites_of(conn, community):
        post(conn, community, site.site, kind, {}, issued_at=now, expires_at=now + SETTINGS_SECONDS)


def tell_owner_changes(conn: Connection, community: str, site: str, change: Mapping[str, Any], now: int) -> None:
    """Tell a site, within the caller's transaction, that a tap of it changes hands."""
    post(conn, community, site, OWNER, change, issued_at=now, expires_at=now + OWNER_SECONDS)


def tell_statement_ready(conn: Connection, community: str, now: int) -> None:
    """Tell every site of a community, within the caller's transaction, that a day of it was sealed."""
    _tell_all(conn, community, STATEMENT, now)


def waiting(conn: Connection, community: str, site: str, now: int) -> list[Notice]:
    """Return the notices a site has not acknowledged, oldest first, at most a page."""
    rows = select(notice_table).filter_by(
        bucket=bucket_of(community), community=community, site=site, acked_at=None, superseded_by=None
    )
    rows = rows.where(notice_table.c.expires_at > now)
    rows = rows.order_by(notice_table.c.issued_at, notice_table.c.notice).limit(NOTICES_PAGE_MAX)
    return [
        Notice(row.notice, row.site, row.kind, row.issued_at, row.expires_at, json.loads(row.body))
        for row in conn.execute(rows)
    ]


def acknowledge(conn: Connection, community: str, site: str, notice: str, now: int) -> bool:
    """Note that a site has a notice; the first time counts. False if the site was never sent such a notice."""
    owned = {"bucket": bucket_of(community), "community": community, "site": site, "notice": notice}
    first = update(notice_table).filter_by(**owned, acked_at=None).values(acked_at=now)
    if conn.execute(first).rowcount:
        return True
    return conn.execute(select(notice_table.c.notice).filter_by(**owned)).one_or_none() is not None


def posted_since(conn: Connection, since: int) -> list[tuple[str, str, str]]:
    """Return community, site and id of every notice issued since then that still waits to be acknowledged."""
    columns = (notice_table.c.community, notice_table.c.site, notice_table.c.notice)
    rows = select(*columns).filter_by(acked_at=None, superseded_by=None).where(notice_table.c.issued_at >= since)
    return [(row.community, row.site, row.notice) for row in conn.execute(rows.limit(WAKE_MAX))]
