"""Looks up what stands around many arriving batches, and writes those that are plainly next, each by few statements."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Subquery, and_, bindparam, exists, select, update
from sqlalchemy.types import TypeEngine

from cloud.bulk import GIVEN, as_given, given, insert_many
from cloud.database import TEXT, WHOLE, bucket_of
from cloud.ingest.batches.store import NOT_DERIVED, batch_table, chain_table, incident_table
from cloud.ingest.cables.store import add_cables
from cloud.ingest.derive import Held, Registers, end_of
from cloud.ingest.readings.store import add_batches, reading_table
from cloud.ingest.telemetry.store import add_telemetry
from cloud.sites.access.store import site_key_table
from cloud.sites.store import community_table, site_table
from cloud.sites.trees.boundary import BoundaryTap, read_tree
from cloud.sites.trees.store import tree_table

from .arrival import Around, Arrival, End

GIVEN_COLUMNS: Final[Mapping[str, TypeEngine[Any]]] = {
    "bucket": WHOLE,
    "community": TEXT,
    "site": TEXT,
    "kid": TEXT,
    "epoch": WHOLE,
    "tree_rev": WHOLE,
    "start": WHOLE,  # where the batch's readings begin
    "before": WHOLE,  # where the reading just before them begins
}
BATCH_MEMBERS = (
    *("bucket", "community", "site", "epoch", "seq", "prev", "hash", "state", "reason", "due_at", "tree_rev"),
    *("received_ms", "kid", "signature", "raw", "derived_at", "first_start", "last_end"),
)
INCIDENT_MEMBERS = ("bucket", "community", "site", "epoch", "seq", "number", "at", "kind", "tap", "detail")


def lock(conn: Connection, arrivals: Sequence[Arrival]) -> None:
    """Keep other transactions off the chains of these sites; always in the same order, so that none wait in a ring."""
    if conn.dialect.name != "sqlite":  # which has one writer anyway
        conn.execute(_locked(conn.dialect.name), {GIVEN: _given(arrivals)}).all()


def around(conn: Connection, arrivals: Sequence[Arrival]) -> list[Around | None]:
    """Return what stands around each batch; None if its site has no (such) key any more."""
    rows = {row.n: row for row in conn.execute(_facts(conn.dialect.name), {GIVEN: _given(arrivals)})}
    before: defaultdict[int, dict[str, Registers]] = defaultdict(dict)
    for number, tap, imported, exported in conn.execute(_registers(conn.dialect.name), {GIVEN: _given(arrivals)}):
        before[number][tap] = imported, exported
    return [None if n not in rows else _around(rows[n], before[n]) for n in range(len(arrivals))]


def _around(row: Any, before: dict[str, Registers]) -> Around:
    return Around(
        quarantined=row.quarantined_at is not None,
        interval_seconds=row.interval_seconds,
        tree=None if row.raw is None else read_tree(row.raw),
        end=None if row.highest is None else End(row.acked_through, row.highest, row.highest_hash, bool(row.closed)),
        waiting=bool(row.waiting),
        later=bool(row.later),
        before=before,
        tree_ends=row.valid_through,
    )


def _given(arrivals: Sequence[Arrival]) -> str:
    rows = []
    for item in arrivals:
        batch, intervals = item.batch, item.batch.intervals
        key = bucket_of(item.community), item.community, batch.site, item.evidence.kid, batch.epoch
        place: tuple[int | None, ...] = (None, None, None)
        if intervals is not None:
            place = intervals.tree_rev, intervals.start, intervals.start - intervals.seconds
        rows.append((*key, *place))
    return as_given(rows)


def _same(left: FromClause, right: FromClause, *others: str) -> ColumnElement[bool]:
    names = ("bucket", "community", *others)
    return and_(*(left.c[name] == right.c[name] for name in names))


@lru_cache
def _locked(dialect: str) -> Select[Any]:
    g = given(dialect, GIVEN_COLUMNS)
    rows = select(site_table.c.site).select_from(site_table.join(g, _same(site_table, g, "site")))
    return rows.order_by(site_table.c.community, site_table.c.site).with_for_update(of=site_table)


@lru_cache
def _facts(dialect: str) -> Select[Any]:
    g = given(dialect, GIVEN_COLUMNS)
    key = and_(_same(site_key_table, g, "site", "kid"), site_key_table.c.revoked_at.is_(None))
    rev = and_(_same(tree_table, g, "site"), tree_table.c.rev == g.c.tree_rev)
    tables: Any = g.join(site_table, _same(site_table, g, "site")).join(site_key_table, key)
    tables = tables.join(community_table, _same(community_table, g)).outerjoin(tree_table, rev)
    tables = tables.outerjoin(chain_table, _same(chain_table, g, "site", "epoch"))
    c = chain_table.c
    columns = (g.c.n, site_table.c.quarantined_at, community_table.c.interval_seconds)
    tree = (tree_table.c.raw, tree_table.c.valid_through)
    chain = (c.acked_through, c.highest, c.highest_hash, c.closed)
    return select(*columns, *tree, *chain, _waiting(g).label("waiting"), _later(g).label("later")).select_from(tables)


def _waiting(g: Subquery) -> ColumnElement[bool]:
    return exists().where(_same(batch_table, g, "site"), NOT_DERIVED)


def _later(g: Subquery) -> ColumnElement[bool]:
    return exists().where(_same(reading_table, g, "site"), reading_table.c.start >= g.c.start)


@lru_cache
def _registers(dialect: str) -> Select[Any]:
    g, r = given(dialect, GIVEN_COLUMNS), reading_table.c
    same = and_(_same(reading_table, g, "site"), r.start == g.c.before, r.start + r.seconds == g.c.start)
    columns = (g.c.n, r.tap, r.import_register_wh, r.export_register_wh)
    return select(*columns).select_from(g.join(reading_table, same))


def add_next(conn: Connection, judged: Sequence[tuple[Arrival, Around, Held | None]]) -> None:
    """Keep batches that are next in their chains, with their incidents and, of those not held, their readings."""
    if not judged:
        return
    insert_many(conn, batch_table, BATCH_MEMBERS, [_batch(item, held) for item, _, held in judged])
    insert_many(conn, incident_table, INCIDENT_MEMBERS, [row for item, *_ in judged for row in _incidents(item)])
    _advance_chains(conn, [item for item, *_ in judged])
    derived = [(item, stands) for item, stands, held in judged if held is None]
    add_batches(conn, [(item.community, item.batch, _taps(stands)) for item, stands in derived])
    told = [(item.community, item.batch, item.evidence.received_ms // 1000) for item, _ in derived]
    add_cables(conn, told)
    add_telemetry(conn, told)


def _taps(stands: Around) -> Mapping[str, BoundaryTap]:
    return {} if stands.tree is None else stands.tree[1]


def _key(item: Arrival) -> tuple[int, str, str, int, int]:
    return bucket_of(item.community), item.community, item.batch.site, item.batch.epoch, item.batch.seq


def _batch(item: Arrival, held: Held | None) -> tuple[Any, ...]:
    batch, evidence = item.batch, item.evidence
    state = ("derived", None, None) if held is None else ("held", held.reason, held.due_at)
    tree_rev, span = None, tuple[int | None, ...]((None, None))
    if batch.intervals is not None:
        tree_rev, span = batch.intervals.tree_rev, (batch.intervals.start, end_of(batch.intervals))
    came = evidence.received_ms, evidence.kid, evidence.signature, evidence.raw
    derived = (None, None, None) if held else (evidence.received_ms // 1000, *span)
    return *_key(item), batch.prev, evidence.hash, *state, tree_rev, *came, *derived


def _incidents(item: Arrival) -> Iterable[tuple[Any, ...]]:
    found = enumerate(item.batch.incidents)
    return ((*_key(item), number, one.at, one.kind, one.tap, one.detail) for number, one in found)


_c = chain_table.c
ADVANCED = (
    update(chain_table)
    .where(_c.bucket == bindparam("in_bucket"), _c.community == bindparam("in_community"))
    .where(_c.site == bindparam("of_site"), _c.epoch == bindparam("in_epoch"), _c.highest == bindparam("seq") - 1)
    .values(acked_through=bindparam("seq"), highest=bindparam("seq"), highest_hash=bindparam("digest"))
)


def _advance_chains(conn: Connection, arrivals: Sequence[Arrival]) -> None:
    names = ("in_bucket", "in_community", "of_site", "in_epoch", "seq")
    rows = [dict(zip(names, _key(item), strict=True)) | {"digest": item.evidence.hash} for item in arrivals]
    moved = conn.execute(ADVANCED, rows).rowcount
    assert moved == len(rows), f"{moved} of {len(rows)} chains moved on"
