"""Keeps what is known of owners, and that it was changed; the owners themselves lie with communities and sites."""

from collections.abc import Mapping
import json
from typing import Any, Literal

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Row, Table, func, select, update

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata, new_id
from cloud.sites.access.clients.store import renew
from cloud.sites.store import Changed, community_of, owner_table, site_table
from cloud.sites.trees.store import tree_table
from cloud.wire import Tree
from cloud.wire.session import OWNERS_MAX

from .record import CLOUD, Address, By, Change, Owner, Payment, columns_of, differing
from .taps import OwnedTap, owned, tree_of

type Kept = Literal["created", "changed", "same"]
type NotKept = Literal["no-community", "no-owner", "too-many-owners"]

owner_change_table = Table(
    "owner_change",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("owner", TEXT, primary_key=True),
    Column("change", TEXT, primary_key=True),
    Column("changed_at", WHOLE, nullable=False),
    Column("changed_by", TEXT, nullable=False),
    Column("role", TEXT, nullable=False),
    Column("members", TEXT, nullable=False),
    ForeignKeyConstraint(["bucket", "community", "owner"], ["owner.bucket", "owner.community", "owner.owner"]),
    **STRICT,
)


def put_owner(
    conn: Connection, community: str, owner: str, name: str, now: int, *, changed: Changed | None = None
) -> Kept | NotKept:
    """Create an owner or change its name, as nobody in particular."""
    return put_record(conn, community, owner, {"name": name}, by=CLOUD, now=now, changed=changed)


def put_record(
    conn: Connection,
    community: str,
    owner: str,
    members: Mapping[str, Any],
    *,
    by: By,
    now: int,
    changed: Changed | None = None,
) -> Kept | NotKept:
    """Create an owner with these members, as long as a site's settings can name them all, or change one that stands."""
    if community_of(conn, community, locked=True) is None:
        return "no-community"
    if owner_of(conn, community, owner) is not None:
        return change_record(conn, community, owner, members, by=by, now=now, changed=changed)
    rows = select(func.count()).select_from(owner_table).filter_by(bucket=bucket_of(community), community=community)
    if conn.execute(rows).scalar_one() >= OWNERS_MAX:
        return "too-many-owners"
    key = {"bucket": bucket_of(community), "community": community, "owner": owner}
    conn.execute(owner_table.insert().values(key | columns_of(members) | {"created_at": now}))
    note_change(conn, community, owner, [*members], by=by, now=now)
    if changed is not None:
        changed(conn, community, now)
    return "created"


def change_record(
    conn: Connection,
    community: str,
    owner: str,
    members: Mapping[str, Any],
    *,
    by: By,
    now: int,
    changed: Changed | None = None,
) -> Kept | NotKept:
    """Change members of an owner's record and note that; what is so already is no change."""
    key = {"bucket": bucket_of(community), "community": community, "owner": owner}
    # the key stays: who judges credit refers to the owner meanwhile, and must not wait for us while we wait for them
    row = conn.execute(select(owner_table).filter_by(**key).with_for_update(key_share=True)).one_or_none()
    if row is None:
        return "no-owner"
    others = differing(members, row._asdict())
    if not others:
        return "same"
    conn.execute(update(owner_table).filter_by(**key).values(columns_of(others) | {"changed_at": now}))
    note_change(conn, community, owner, [*others], by=by, now=now)
    if changed is not None and {"name", "prepaid"} & others.keys():
        changed(conn, community, now)
    return "changed"


def note_change(conn: Connection, community: str, owner: str, members: list[str], *, by: By, now: int) -> None:
    """Add to an owner's history; nothing ever leaves it."""
    key = {"bucket": bucket_of(community), "community": community, "owner": owner, "change": new_id()}
    values = {"changed_at": now, "changed_by": by.client, "role": by.role, "members": json.dumps(sorted(members))}
    conn.execute(owner_change_table.insert().values(key | values))


def renew_secret(
    conn: Connection, community: str, owner: str, secret_hmac: str, *, by: By, generation: int, now: int
) -> bool:
    """Give an owner's client another secret and note that; False if it was removed or has another one already."""
    if not renew(conn, by.client, generation, secret_hmac, now):
        return False
    note_change(conn, community, owner, ["secret"], by=by, now=now)
    return True


def owner_of(conn: Connection, community: str, owner: str) -> Owner | None:
    """Return an owner's record."""
    key = {"bucket": bucket_of(community), "community": community, "owner": owner}
    row = conn.execute(select(owner_table).filter_by(**key)).one_or_none()
    return None if row is None else _owner(row)


def records_of(conn: Connection, community: str, after: str, limit: int) -> list[Owner] | None:
    """Return a page of a community's owners, by id; None if there is no such community."""
    if community_of(conn, community) is None:
        return None
    rows = select(owner_table).filter_by(bucket=bucket_of(community), community=community)
    rows = rows.where(owner_table.c.owner > after).order_by(owner_table.c.owner).limit(limit)
    return [_owner(row) for row in conn.execute(rows)]


def changes_of(conn: Connection, community: str, owner: str, after: str, limit: int) -> list[Change] | None:
    """Return a page of an owner's history, oldest first; None if there is no such owner."""
    if owner_of(conn, community, owner) is None:
        return None
    table = owner_change_table
    rows = select(table).filter_by(bucket=bucket_of(community), community=community, owner=owner)
    rows = rows.where(table.c.change > after).order_by(table.c.change).limit(limit)
    return [
        Change(row.change, row.changed_at, row.changed_by, row.role, tuple(json.loads(row.members)))
        for row in conn.execute(rows)
    ]


def _owner(row: Row[Any]) -> Owner:
    lines = row.address_lines
    return Owner(
        row.community,
        row.owner,
        row.name,
        row.mail,
        row.phone,
        row.language,
        None if lines is None else Address(tuple(lines.split("\n")), row.postal_code, row.city, row.country),
        None if row.payment_token is None else Payment(row.payment_provider, row.payment_token),
        bool(row.prepaid),
        row.created_at,
        row.changed_at,
    )


def taps_of(conn: Connection, community: str, owner: str, now: int, *, after: str, limit: int) -> list[OwnedTap] | None:
    """Return the taps an owner has now, of at most `limit` of its sites; None if there is no such owner."""
    if owner_of(conn, community, owner) is None:
        return None
    found: list[OwnedTap] = []
    sites = 0
    for site, site_name, raw in _newest_trees(conn, community, after, now):
        if sites == limit:
            break
        if any(tap.owner == owner for tap in tree_of(raw).taps.values()):
            found += owned(_revisions(conn, community, site, now), owner, site_name)
            sites += 1
    return found


def _newest_trees(conn: Connection, community: str, after: str, now: int) -> list[tuple[str, str, bytes]]:
    """Return each site, its name and its tree in force, by site."""
    tree = tree_table
    newest = select(tree.c.site, func.max(tree.c.rev).label("rev")).where(tree.c.valid_from <= now)
    newest = newest.filter_by(bucket=bucket_of(community), community=community).where(tree.c.site > after)
    last = newest.group_by(tree.c.site).subquery()
    rows = select(tree.c.site, site_table.c.name, tree.c.raw).filter_by(
        bucket=bucket_of(community), community=community
    )
    rows = rows.join(last, (last.c.site == tree.c.site) & (last.c.rev == tree.c.rev))
    rows = rows.join(
        site_table,
        (site_table.c.bucket == tree.c.bucket)
        & (site_table.c.community == tree.c.community)
        & (site_table.c.site == tree.c.site),
    )
    return [(row.site, row.name, row.raw) for row in conn.execute(rows.order_by(tree.c.site))]


def _revisions(conn: Connection, community: str, site: str, now: int) -> list[Tree]:
    """Return a site's trees that are or were in force, newest first."""
    rows = select(tree_table.c.raw).filter_by(bucket=bucket_of(community), community=community, site=site)
    rows = rows.where(tree_table.c.valid_from <= now).order_by(tree_table.c.rev.desc())
    return [tree_of(raw) for raw in conn.execute(rows).scalars()]
