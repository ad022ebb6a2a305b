"""Keeps who may ask for tokens, and stops them: a removed client stays in the table, so that its tokens are known."""

from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select, update

from cloud.principal import Scope
from cloud.sites import store as sites
from cloud.sites.access.credentials import TOKEN_SECONDS, Client
from cloud.sites.access.store import add_client, client_table

from .role import Listed

CLIENTS_MAX = 10_000  # of a community: every owner of the largest with a few devices each
STOPPED_SECONDS = 2 * TOKEN_SECONDS  # longer than the last token from before can live

type Added = Literal["created", "no-community", "no-owner", "too-many-clients"]


def add(conn: Connection, client: Client, name: str, now: int) -> Added:
    """Keep a new client of a community and of an owner, where it is bound to them."""
    if client.community is not None:
        if sites.community_of(conn, client.community, locked=True) is None:
            return "no-community"
        if client.owner is not None and client.owner not in sites.owners_of(conn, client.community):
            return "no-owner"
        if _count(conn, client.community) >= CLIENTS_MAX:
            return "too-many-clients"
    add_client(conn, client, name, now)
    return "created"


def _count(conn: Connection, community: str) -> int:
    rows = select(func.count()).select_from(client_table).filter_by(community=community, revoked_at=None)
    return conn.execute(rows.where(client_table.c.scope != Scope.SITE)).scalar_one()


def listed(conn: Connection, community: str | None, after: str = "", limit: int | None = None) -> list[Listed]:
    """Return a page of the clients that are no sites, of one community or of all, by id."""
    rows = select(client_table).filter_by(revoked_at=None).where(client_table.c.scope != Scope.SITE)
    rows = rows.where(client_table.c.client_id > after).order_by(client_table.c.client_id).limit(limit)
    if community is not None:
        rows = rows.where(client_table.c.community == community)
    return [_listed(row) for row in conn.execute(rows)]


def found(conn: Connection, client_id: str, community: str | None = None) -> Listed | None:
    """Return a client that is no site; of this community, if one is named."""
    rows = select(client_table).filter_by(client_id=client_id, revoked_at=None)
    rows = rows.where(client_table.c.scope != Scope.SITE)
    if community is not None:
        rows = rows.where(client_table.c.community == community)
    row = conn.execute(rows).one_or_none()
    return None if row is None else _listed(row)


def _listed(row: Row[Any]) -> Listed:
    return Listed(row.client_id, Scope(row.scope), row.community, row.owner, row.name, row.created_at)


def remove(conn: Connection, client_id: str, now: int) -> bool:
    """Stop a client for ever: no secret gets it a token, and those it has hold no longer. False if there is none."""
    return _stop(conn, client_id, now, revoked_at=now)


def renew(conn: Connection, client_id: str, generation: int, secret_hmac: str, now: int) -> bool:
    """Give a client another secret; the old one and the tokens it got hold no longer.

    False if there is no such client, or if it has another secret already than when it was of this generation.
    """
    return _stop(conn, client_id, now, generation=generation, secret_hmac=secret_hmac)


def _stop(conn: Connection, client_id: str, now: int, generation: int | None = None, **values: object) -> bool:
    stands = func.coalesce(client_table.c.generation, 0)
    row = update(client_table).filter_by(client_id=client_id, revoked_at=None)
    row = row.where(client_table.c.scope != Scope.SITE)
    if generation is not None:
        row = row.where(stands == generation)
    row = row.values(generation=stands + 1, stopped_at=now, **values).returning(client_table.c.client_id)
    return conn.execute(row).first() is not None


def stopped_since(conn: Connection, now: int) -> dict[str, int]:
    """Return, by client stopped within the life of a token, the oldest generation of tokens that holds."""
    rows = select(client_table.c.client_id, client_table.c.generation)
    rows = rows.where(client_table.c.stopped_at > now - STOPPED_SECONDS)
    return {row.client_id: row.generation for row in conn.execute(rows)}
