"""Keeps which site hangs below which other one, from when on, and until when that has settled intervals."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKeyConstraint, Table, select, update

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, upsert
from cloud.sites.store import community_of, site_of
from cloud.sites.trees.store import newest_rev, tree_raw, tree_table
from cloud.wire import parse_tree

from .forest import Forest, Link, Upstreams

NEVER = 0

site_upstream_table = Table(
    "site_upstream",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("valid_from", WHOLE, primary_key=True, autoincrement=False),
    Column("upstream_site", TEXT),
    Column("upstream_tap", TEXT),
    Column("made_at", WHOLE, nullable=False),
    CheckConstraint("(upstream_site IS NULL) = (upstream_tap IS NULL)", name="a_tap_of_a_site"),
    CheckConstraint("upstream_site <> site", name="not_below_itself"),
    ForeignKeyConstraint(["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"]),
    ForeignKeyConstraint(["bucket", "community", "upstream_site"], ["site.bucket", "site.community", "site.site"]),
    **STRICT,
)

# one row per community, locked by who changes the forest and by who settles by it
forest_use_table = Table(
    "forest_use",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("used_through", WHOLE, nullable=False),
    ForeignKeyConstraint(["bucket", "community"], ["community.bucket", "community.community"]),
    **STRICT,
)

type Verdict = Literal[
    "created", "exists", "replaced", "no-site", "no-upstream", "no-tap", "itself", "loop", "off-boundary", "settled"
]


def put(conn: Connection, community: str, wanted: Link, now: int) -> Verdict:
    """Keep a link from a time on, unless it could not be, or intervals after it are settled already."""
    settings = community_of(conn, community)
    if settings is None or site_of(conn, community, wanted.site) is None:
        return "no-site"
    if wanted.valid_from % settings.interval_seconds:
        return "off-boundary"
    refused = _upstream_refused(conn, community, wanted)
    if refused is not None:
        return refused
    used_through = _held(conn, community)
    forest = Forest.of(links_of(conn, community))
    own = forest.links.get(wanted.site, ())
    if wanted in own:
        return "exists"
    if wanted.valid_from < used_through:
        return "settled"
    if forest.with_link(wanted).loops(wanted.valid_from):
        return "loop"
    key = {"bucket": bucket_of(community), "community": community, "site": wanted.site}
    key |= {"valid_from": wanted.valid_from}
    values = {"upstream_site": wanted.upstream_site, "upstream_tap": wanted.upstream_tap, "made_at": now}
    upsert(conn, site_upstream_table, [*key], key | values)
    return "replaced" if any(link.valid_from == wanted.valid_from for link in own) else "created"


def _upstream_refused(
    conn: Connection, community: str, wanted: Link
) -> Literal["itself", "no-upstream", "no-tap"] | None:
    if wanted.upstream_site is None:
        return None
    if wanted.upstream_site == wanted.site:
        return "itself"
    if site_of(conn, community, wanted.upstream_site) is None:
        return "no-upstream"
    raw = tree_raw(conn, community, wanted.upstream_site, newest_rev(conn, community, wanted.upstream_site))
    return None if raw is not None and wanted.upstream_tap in parse_tree(raw).taps else "no-tap"


def links_of(conn: Connection, community: str, site: str | None = None) -> Sequence[Link]:
    """Return the links of a community, or of one site, in the order of their validity."""
    c = site_upstream_table.c
    rows = select(c.site, c.valid_from, c.upstream_site, c.upstream_tap).filter_by(**_owned(community))
    rows = rows if site is None else rows.where(c.site == site)
    return [Link(*row) for row in conn.execute(rows.order_by(c.site, c.valid_from))]


def upstreams(conn: Connection, community: str) -> Upstreams:
    """Return whose energy comes in at sites below others, with every tree that says so."""
    links = links_of(conn, community)
    above = {link.upstream_site for link in links if link.upstream_site is not None}
    if not above:
        return Upstreams()
    t = tree_table.c
    rows = select(t.site, t.received_at, t.raw).filter_by(**_owned(community)).where(t.site.in_(above))
    trees: dict[str, list[Any]] = {site: [] for site in above}
    for site, received_at, raw in conn.execute(rows.order_by(t.site, t.rev)):
        trees[site].append((received_at, parse_tree(raw)))
    return Upstreams(Forest.of(links), {site: tuple(found) for site, found in trees.items()})


def held_upstreams(conn: Connection, community: str) -> Upstreams:
    """Return the same to settle by, and keep it from changing until this transaction ends."""
    _held(conn, community)
    return upstreams(conn, community)


def _held(conn: Connection, community: str) -> int:
    """Keep others from changing or using the forest until this transaction ends; return until when it has settled."""
    insert_new(conn, forest_use_table, _owned(community) | {"used_through": NEVER})
    rows = select(forest_use_table.c.used_through).filter_by(**_owned(community)).with_for_update()
    used_through: int = conn.execute(rows).scalar_one()
    return used_through


def mark_used(conn: Connection, community: str, through: int) -> None:
    """Let the forest stand for every interval up to a time, for one that ends then was settled by it."""
    rows = update(forest_use_table).filter_by(**_owned(community)).where(forest_use_table.c.used_through < through)
    conn.execute(rows.values(used_through=through))


def _owned(community: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community}
