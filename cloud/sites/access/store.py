"""Keeps pairing codes, wrong tries, site keys and clients; secrets only as HMAC."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Index, Table, delete, select, update

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert, metadata, upsert
from cloud.principal import Scope
from cloud.sites import store as sites
from cloud.wire import PairingRequest, thumbprint

from .credentials import Client, reach_fits
from .pairing import EVERYWHERE, Code, Joined, judge, wait_s, window_of

WRONG_KEPT_SECONDS = 86_400  # for a person who looks into what happened

# What must be unique in the world stands in small tables of its own, without a bucket.
client_table = Table(
    "client",
    metadata,
    Column("client_id", TEXT, primary_key=True),
    Column("scope", TEXT, nullable=False),
    Column("community", TEXT),
    Column("name", TEXT, nullable=False),
    Column("secret_hmac", TEXT, nullable=False),
    Column("created_at", WHOLE, nullable=False),
    Column("owner", TEXT),
    Column("generation", WHOLE),  # NULL is 0
    Column("stopped_at", WHOLE),  # since then no token of an older generation holds
    Column("revoked_at", WHOLE),
    Index("ix_client_stopped_at", "stopped_at"),
    Index("ix_client_community", "community", "client_id"),
    **STRICT,
)

pairing_code_table = Table(
    "pairing_code",
    metadata,
    Column("code_hmac", TEXT, primary_key=True),
    Column("community", TEXT, nullable=False),
    Column("main_owner", TEXT, nullable=False),
    Column("time_scale", WHOLE, nullable=False),
    Column("created_at", WHOLE, nullable=False),
    Column("expires_at", WHOLE, nullable=False),
    Column("used_by", TEXT),
    Column("used_at", WHOLE),
    **STRICT,
)

wrong_code_table = Table(
    "wrong_code",
    metadata,
    Column("address", TEXT, primary_key=True),
    Column("window_start", WHOLE, primary_key=True, autoincrement=False),
    Column("tries", WHOLE, nullable=False),
    **STRICT,
)

known_key_table = Table(
    "known_key",
    metadata,
    Column("kid", TEXT, primary_key=True),
    Column("community", TEXT, nullable=False),
    Column("site", TEXT, nullable=False),
    **STRICT,
)

site_key_table = Table(
    "site_key",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("kid", TEXT, primary_key=True),
    Column("public_key", TEXT, nullable=False),
    Column("added_at", WHOLE, nullable=False),
    Column("revoked_at", WHOLE),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)


def add_client(conn: Connection, client: Client, name: str, now: int) -> None:
    """Keep a new client, or a fresh secret for a known one: the old secret opens nothing any more."""
    assert reach_fits(client.scope, client.community, client.owner)
    reach = {"scope": client.scope.value, "community": client.community, "owner": client.owner}
    secret = {"secret_hmac": client.secret_hmac, "created_at": now}
    upsert(conn, client_table, ["client_id"], {"client_id": client.client_id, "name": name} | reach | secret)


def client_of(conn: Connection, client_id: str) -> Client | None:
    """Return a client by its id, unless it was removed."""
    row = conn.execute(select(client_table).filter_by(client_id=client_id, revoked_at=None)).one_or_none()
    if row is None:
        return None
    return Client(
        row.client_id, Scope(row.scope), row.community, row.secret_hmac, row.owner, generation=row.generation or 0
    )


def keys_of(conn: Connection, community: str, site: str) -> dict[str, str]:
    """Return the keys a site may sign with now: public key by `kid`."""
    rows = select(site_key_table.c.kid, site_key_table.c.public_key)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, site=site, revoked_at=None)
    return {row.kid: row.public_key for row in conn.execute(rows)}


def revoke_key(conn: Connection, community: str, site: str, kid: str, now: int) -> bool:
    """Take a key from a site: what it signs from now on is refused. False if the site has no such key."""
    key: dict[str, Any] = {"bucket": bucket_of(community), "community": community, "site": site, "kid": kid}
    conn.execute(update(site_key_table).filter_by(**key, revoked_at=None).values(revoked_at=now))
    return conn.execute(select(site_key_table.c.kid).filter_by(**key)).one_or_none() is not None


def add_code(conn: Connection, code_hmac: str, code: Code, now: int) -> bool:
    """Keep a new pairing code; False if the community has no such owner."""
    if code.main_owner not in sites.owners_of(conn, code.community):
        return False
    values = {"code_hmac": code_hmac, "community": code.community, "main_owner": code.main_owner}
    times = {"time_scale": code.time_scale, "created_at": now, "expires_at": code.expires_at}
    conn.execute(pairing_code_table.insert().values(values | times))
    return True


@dataclass(frozen=True, slots=True)
class Pairing:
    """A site that has joined; `first` if it was never known before."""

    community: str
    site: str
    first: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A code that opens nothing, why, and how long to wait if it were tried too often."""

    reason: str
    wait_s: int | None = None


def pair(
    conn: Connection, request: PairingRequest, *, code_hmac: str, secret_hmac: str, address: str, now: int
) -> Pairing | Refusal:
    """Let a site join with its code and give it a fresh secret, or count the wrong try; both outlast this call."""
    wait = wait_of(conn, address, now)
    if wait is not None:
        return Refusal("too-many-tries", wait)
    kid = thumbprint(request.public_key)
    code = _code(conn, code_hmac)
    verdict = judge(code, kid, _known(conn, kid), now)
    if not isinstance(verdict, Joined):
        if verdict == "refused":
            count_wrong(conn, address, now)
        return Refusal(verdict)
    assert code is not None
    site = verdict.known_site or _add_site(conn, request, code, kid, now)
    used = update(pairing_code_table).filter_by(code_hmac=code_hmac, used_by=None)
    conn.execute(used.values(used_by=kid, used_at=now))
    add_client(conn, Client(site, Scope.SITE, code.community, secret_hmac), request.name, now)
    return Pairing(code.community, site, first=verdict.known_site is None)


def _code(conn: Connection, code_hmac: str) -> Code | None:
    row = conn.execute(select(pairing_code_table).filter_by(code_hmac=code_hmac).with_for_update()).one_or_none()
    return None if row is None else Code(row.community, row.main_owner, row.time_scale, row.expires_at, row.used_by)


def _known(conn: Connection, kid: str) -> tuple[str, str] | None:
    row = conn.execute(select(known_key_table).filter_by(kid=kid)).one_or_none()
    return None if row is None else (row.community, row.site)


def _add_site(conn: Connection, request: PairingRequest, code: Code, kid: str, now: int) -> str:
    site = sites.add_site(
        conn, request, code.community, main_owner=code.main_owner, time_scale=code.time_scale, now=now
    )
    owned = {"community": code.community, "site": site}
    key = {"bucket": bucket_of(code.community), "kid": kid, "public_key": request.public_key, "added_at": now}
    conn.execute(site_key_table.insert().values(owned | key))
    conn.execute(known_key_table.insert().values(owned | {"kid": kid}))
    return site


def _wrong(conn: Connection, address: str, now: int) -> int:
    rows = select(wrong_code_table.c.tries).filter_by(address=address, window_start=window_of(now))
    return conn.execute(rows).scalar_one_or_none() or 0


def wait_of(conn: Connection, address: str, now: int) -> int | None:
    """Return how long an address must wait before it may show a code again; None if it may now."""
    return wait_s(_wrong(conn, address, now), _wrong(conn, EVERYWHERE, now), now)


def count_wrong(conn: Connection, address: str, now: int) -> None:
    """Count a wrong code of an address, whatever kind of code it was."""
    conn.execute(delete(wrong_code_table).where(wrong_code_table.c.window_start < now - WRONG_KEPT_SECONDS))
    for counted in (address, EVERYWHERE):
        row = insert(conn, wrong_code_table).values(address=counted, window_start=window_of(now), tries=1)
        key = [wrong_code_table.c.address, wrong_code_table.c.window_start]
        conn.execute(row.on_conflict_do_update(index_elements=key, set_={"tries": wrong_code_table.c.tries + 1}))
