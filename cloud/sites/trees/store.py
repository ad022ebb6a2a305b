"""Keeps every revision of every site's tree: its raw bytes and the signature over them."""

from sqlalchemy import Column, Connection, ForeignKeyConstraint, Table, func, or_, select, update

from cloud.database import RAW, STRICT, TEXT, WHOLE, bucket_column, bucket_of, metadata
from cloud.sites import store as sites
from cloud.sites.transfer import store as transfers
from cloud.sites.transfer.effect import handed_over
from cloud.wire import Tree, digest

from .boundary import TreeStands, Verdict, judge

tree_table = Table(
    "tree",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("rev", WHOLE, primary_key=True, autoincrement=False),
    Column("valid_from", WHOLE, nullable=False),
    Column("hash", TEXT, nullable=False),
    Column("raw", RAW, nullable=False),
    Column("signature", TEXT, nullable=False),
    Column("received_at", WHOLE, nullable=False),
    Column("valid_through", WHOLE),  # the boundary from which a tap of it is somebody else's
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)


def keep_tree(conn: Connection, community: str, tree: Tree, *, raw: bytes, signature: str, now: int) -> Verdict:
    """Judge a signed tree against what stands and keep it; return `created`, `exists` or the name of the problem."""
    sites.site_of(conn, community, tree.site, locked=True)
    settings = sites.community_of(conn, community)
    assert settings is not None
    stands = TreeStands(newest_rev(conn, community, tree.site), _hash_of(conn, community, tree.site, tree.rev))
    owners = frozenset(sites.owners_of(conn, community))
    verdict = judge(tree, digest(raw), stands, owners, settings.interval_seconds)
    if verdict == "created":
        known = transfers.tap_owners(conn, community, tree.site)
        done = handed_over(tree, known, transfers.pending(conn, community, tree.site))
        if done is None:
            return "owner-not-transferred"
        transfers.note_tree(conn, community, tree, known, done)
        if done:
            _end_earlier(conn, community, tree)
        owned = {"bucket": bucket_of(community), "community": community, "site": tree.site, "rev": tree.rev}
        values = {"valid_from": tree.valid_from, "hash": digest(raw), "raw": raw, "signature": signature}
        conn.execute(tree_table.insert().values(owned | values | {"received_at": now}))
    return verdict


def newest_rev(conn: Connection, community: str, site: str) -> int:
    """Return the newest revision of a site's tree, 0 if there is none yet."""
    rows = select(func.max(tree_table.c.rev)).filter_by(bucket=bucket_of(community), community=community, site=site)
    return conn.execute(rows).scalar_one() or 0


def tree_raw(conn: Connection, community: str, site: str, rev: int) -> bytes | None:
    """Return a revision's bytes as the site signed them."""
    rows = select(tree_table.c.raw).filter_by(bucket=bucket_of(community), community=community, site=site, rev=rev)
    return conn.execute(rows).scalar_one_or_none()


def tree_ends(conn: Connection, community: str, site: str, rev: int) -> int | None:
    """Return the boundary from which a tap of a revision is somebody else's: it says nothing of what follows."""
    rows = select(tree_table.c.valid_through)
    rows = rows.filter_by(bucket=bucket_of(community), community=community, site=site, rev=rev)
    return conn.execute(rows).scalar_one_or_none()


def _end_earlier(conn: Connection, community: str, tree: Tree) -> None:
    """Let every earlier revision end where this one hands a tap over, unless it ends sooner already."""
    rows = update(tree_table).filter_by(bucket=bucket_of(community), community=community, site=tree.site)
    rows = rows.where(tree_table.c.rev < tree.rev)
    sooner = or_(tree_table.c.valid_through.is_(None), tree_table.c.valid_through > tree.valid_from)
    conn.execute(rows.where(sooner).values(valid_through=tree.valid_from))


def _hash_of(conn: Connection, community: str, site: str, rev: int) -> str | None:
    rows = select(tree_table.c.hash).filter_by(bucket=bucket_of(community), community=community, site=site, rev=rev)
    return conn.execute(rows).scalar_one_or_none()
