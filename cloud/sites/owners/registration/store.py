"""Keeps invitations, and lets owners in with their codes; a code only as HMAC."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

from sqlalchemy import CheckConstraint, Column, Connection, Row, Select, Table, UniqueConstraint, select, update

from cloud.database import STRICT, TEXT, WHOLE, metadata, new_id
from cloud.principal import Scope
from cloud.sites.access.clients.store import add
from cloud.sites.access.credentials import Client
from cloud.sites.access.store import count_wrong, wait_of
from cloud.sites.owners.record import By
from cloud.sites.owners.store import note_change, owner_of, put_record
from cloud.sites.store import Changed, community_of

from .invitation import Invitation, Refusal, Registered, judge, opens

# A code must be unique in the world and is shown before its community is known: a small table without a bucket.
invitation_table = Table(
    "invitation",
    metadata,
    Column("code_hmac", TEXT, primary_key=True),
    Column("invitation", TEXT, nullable=False),
    Column("community", TEXT, nullable=False),
    Column("owner", TEXT),
    Column("uses_max", WHOLE, nullable=False),
    Column("uses", WHOLE, nullable=False),
    Column("made_by", TEXT, nullable=False),
    Column("created_at", WHOLE, nullable=False),
    Column("expires_at", WHOLE, nullable=False),
    Column("withdrawn_at", WHOLE),
    UniqueConstraint("community", "invitation"),
    CheckConstraint("uses >= 0 AND uses <= uses_max", name="used_within_its_limit"),
    **STRICT,
)


def add_invitation(
    conn: Connection, code_hmac: str, invitation: Invitation
) -> Literal["no-community", "no-owner"] | None:
    """Keep a new invitation; return what it lacks, if anything."""
    if community_of(conn, invitation.community) is None:
        return "no-community"
    if invitation.owner is not None and owner_of(conn, invitation.community, invitation.owner) is None:
        return "no-owner"
    values = {member.name: getattr(invitation, member.name) for member in fields(Invitation)}
    conn.execute(invitation_table.insert().values({"code_hmac": code_hmac} | values))
    return None


def invitations_of(conn: Connection, community: str, after: str, limit: int) -> list[Invitation]:
    """Return a page of a community's invitations, oldest first."""
    rows = _invitations().filter_by(community=community).where(invitation_table.c.invitation > after)
    return [Invitation(*row) for row in conn.execute(rows.order_by(invitation_table.c.invitation).limit(limit))]


def withdraw(conn: Connection, community: str, invitation: str, now: int) -> bool:
    """Let an invitation let in nobody more; False if the community has no such invitation."""
    key = {"community": community, "invitation": invitation}
    conn.execute(update(invitation_table).filter_by(**key, withdrawn_at=None).values(withdrawn_at=now))
    return conn.execute(_invitations().filter_by(**key)).one_or_none() is not None


def register(
    conn: Connection,
    wanted: str | None,
    members: Mapping[str, Any],
    *,
    code_hmac: str,
    secret_hmac: str,
    address: str,
    now: int,
    changed: Changed,
) -> Registered | Refusal:
    """Let an owner in with a code, all of it or nothing, or count the wrong try."""
    wait = wait_of(conn, address, now)
    if wait is not None:
        return Refusal("too-many-tries", wait)
    invitation = _shown(conn, code_hmac)
    if invitation is None or not opens(invitation, now):
        count_wrong(conn, address, now)
        return Refusal("refused")
    community = invitation.community
    community_of(conn, community, locked=True)  # so that nobody else takes the id meanwhile
    taken = wanted is not None and owner_of(conn, community, wanted) is not None
    reason = judge(invitation, wanted, members, taken=taken)
    if reason is not None:
        if reason == "owner-taken":  # or an open invitation would tell who is there, as fast as one can ask
            count_wrong(conn, address, now)
        return Refusal(reason)
    owner = invitation.owner or wanted
    assert owner is not None
    return _let_in(conn, invitation, owner, members, code_hmac, secret_hmac=secret_hmac, now=now, changed=changed)


def _let_in(
    conn: Connection,
    invitation: Invitation,
    owner: str,
    members: Mapping[str, Any],
    code_hmac: str,
    *,
    secret_hmac: str,
    now: int,
    changed: Changed,
) -> Registered | Refusal:
    community, client_id = invitation.community, new_id()
    by = By(client_id, "owner")
    client = Client(client_id, Scope.OWNER, community, secret_hmac, owner)
    with conn.begin_nested() as step:
        if put_record(conn, community, owner, members, by=by, now=now, changed=changed) == "too-many-owners":
            step.rollback()
            return Refusal("too-many-owners")
        if add(conn, client, "registration", now) == "too-many-clients":
            step.rollback()
            return Refusal("too-many-clients")
        note_change(conn, community, owner, ["client"], by=by, now=now)
        used = update(invitation_table).filter_by(code_hmac=code_hmac)
        conn.execute(used.values(uses=invitation_table.c.uses + 1))
    return Registered(community, owner, client_id)


def _shown(conn: Connection, code_hmac: str) -> Invitation | None:
    row: Row[Any] | None = conn.execute(_invitations().filter_by(code_hmac=code_hmac).with_for_update()).one_or_none()
    return None if row is None else Invitation(*row)


def _invitations() -> Select[Any]:
    return select(*(invitation_table.c[member.name] for member in fields(Invitation)))
