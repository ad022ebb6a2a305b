"""Keeps batches as they came, their chain, what contradicts it, and the incidents they report."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    ForeignKeyConstraint,
    Index,
    Join,
    Table,
    and_,
    exists,
    func,
    or_,
    select,
    text,
    update,
)

from cloud.database import RAW, STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata
from cloud.ingest.arrivals.arrival import Evidence
from cloud.ingest.chain import Standing, walk
from cloud.ingest.derive import Held
from cloud.sites.store import site_table
from cloud.sites.trees.store import tree_table
from cloud.wire import GENESIS, Batch, Head

CONTRADICTIONS_MAX = 100  # kept per site: enough to prove it, too few to fill a disk with

NOT_DERIVED = text("state <> 'derived'")  # as a literal: with a parameter, no planner would use the index

TO_SITE: Any = (["bucket", "community", "site"], ["site.bucket", "site.community", "site.site"])

chain_table = Table(
    "chain",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("epoch", WHOLE, primary_key=True, autoincrement=False),
    Column("acked_through", WHOLE, nullable=False),
    Column("highest", WHOLE, nullable=False),
    Column("highest_hash", TEXT, nullable=False),
    Column("closed", WHOLE, nullable=False),
    CheckConstraint("acked_through BETWEEN 0 AND highest", name="acked_is_stored"),
    ForeignKeyConstraint(*TO_SITE),
    **STRICT,
)

batch_table = Table(
    "batch",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("epoch", WHOLE, primary_key=True, autoincrement=False),
    Column("seq", WHOLE, primary_key=True, autoincrement=False),
    Column("prev", TEXT, nullable=False),
    Column("hash", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("reason", TEXT),
    Column("due_at", WHOLE),
    Column("tree_rev", WHOLE),
    Column("received_ms", WHOLE, nullable=False),
    Column("kid", TEXT, nullable=False),
    Column("signature", TEXT, nullable=False),
    Column("raw", RAW, nullable=False),
    Column("derived_at", WHOLE),
    Column("first_start", WHOLE),  # of its readings, once they are derived
    Column("last_end", WHOLE),
    CheckConstraint("state IN ('waiting', 'held', 'derived')", name="state_known"),
    CheckConstraint("(state = 'held') = (reason IS NOT NULL)", name="held_with_reason"),
    ForeignKeyConstraint(*TO_SITE),
    Index(
        "ix_batch_not_derived",
        *("bucket", "community", "site", "epoch", "seq"),
        sqlite_where=NOT_DERIVED,
        postgresql_where=NOT_DERIVED,
    ),
    Index("ix_batch_derived_at", "bucket", "community", "derived_at"),
    **STRICT,
)

contradiction_table = Table(
    "contradiction",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("epoch", WHOLE, primary_key=True, autoincrement=False),
    Column("seq", WHOLE, primary_key=True, autoincrement=False),
    Column("hash", TEXT, primary_key=True),
    Column("received_ms", WHOLE, nullable=False),
    Column("kid", TEXT, nullable=False),
    Column("signature", TEXT, nullable=False),
    Column("raw", RAW, nullable=False),
    ForeignKeyConstraint(*TO_SITE),
    **STRICT,
)

incident_table = Table(
    "incident",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("site", TEXT, primary_key=True),
    Column("epoch", WHOLE, primary_key=True, autoincrement=False),
    Column("seq", WHOLE, primary_key=True, autoincrement=False),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("at", WHOLE, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("tap", TEXT),
    Column("detail", TEXT),
    ForeignKeyConstraint(
        ["bucket", "community", "site", "epoch", "seq"],
        ["batch.bucket", "batch.community", "batch.site", "batch.epoch", "batch.seq"],
    ),
    **STRICT,
)


@dataclass(frozen=True, slots=True)
class Pending:
    """A batch that is stored and not derived yet, though its turn has come."""

    epoch: int
    seq: int
    hash: str
    raw: bytes


def _owned(community: str, site: str) -> dict[str, Any]:
    return {"bucket": bucket_of(community), "community": community, "site": site}


def standing_of(conn: Connection, community: str, site: str, epoch: int, seq: int) -> Standing:
    """Return what stands around a batch that arrives."""
    c, owned = chain_table.c, _owned(community, site)
    chains = select(c.epoch, c.highest, c.highest_hash).filter_by(**owned).order_by(c.epoch.desc()).limit(1)
    here = conn.execute(chains.where(c.epoch == epoch)).one_or_none()
    earlier = conn.execute(chains.where(c.epoch < epoch)).one_or_none()
    newest = conn.execute(chains).one_or_none()
    near = select(batch_table.c.seq, batch_table.c.hash, batch_table.c.prev).filter_by(**owned, epoch=epoch)
    found = {row.seq: row for row in conn.execute(near.where(batch_table.c.seq.between(seq - 1, seq + 1)))}
    later = select(c.epoch).filter_by(**owned).where(c.epoch > epoch, c.acked_through > 0).limit(1)
    return Standing(
        newest_epoch=newest.epoch if newest else 0,
        highest=here.highest if here else 0,
        closed=conn.execute(later).one_or_none() is not None,
        head_before=earlier.highest_hash if earlier else GENESIS,
        same_hash=found[seq].hash if seq in found else None,
        before_hash=found[seq - 1].hash if seq - 1 in found else None,
        after_prev=found[seq + 1].prev if seq + 1 in found else None,
    )


def head_of(conn: Connection, community: str, site: str) -> Head:
    """Return where a site's chain stands: what the next epoch must begin with."""
    c = chain_table.c
    rows = select(c.epoch, c.highest, c.highest_hash).filter_by(**_owned(community, site))
    row = conn.execute(rows.order_by(c.epoch.desc()).limit(1)).one_or_none()
    return Head(site, 0, 0, GENESIS) if row is None else Head(site, row.epoch, row.highest, row.highest_hash)


def acked_through(conn: Connection, community: str, site: str, epoch: int) -> int:
    """Return the number up to which every batch of an epoch is stored."""
    rows = select(chain_table.c.acked_through).filter_by(**_owned(community, site), epoch=epoch)
    return conn.execute(rows).scalar_one_or_none() or 0


def add_batch(conn: Connection, community: str, batch: Batch, evidence: Evidence, held: Held | None) -> None:
    """Keep a batch and its incidents, and let the chain reach as far as it now does."""
    owned = _owned(community, batch.site) | {"epoch": batch.epoch, "seq": batch.seq}
    tree_rev = None if batch.intervals is None else batch.intervals.tree_rev
    values = {"prev": batch.prev, "tree_rev": tree_rev} | _judged(held) | _evidence(evidence)
    conn.execute(batch_table.insert().values(owned | values))
    incidents = [
        owned | {"number": number, "at": item.at, "kind": item.kind, "tap": item.tap, "detail": item.detail}
        for number, item in enumerate(batch.incidents)
    ]
    if incidents:
        conn.execute(incident_table.insert(), incidents)
    _extend_chain(conn, community, batch, evidence.hash)


def _judged(held: Held | None) -> dict[str, Any]:
    if held is None:
        return {"state": "waiting", "reason": None, "due_at": None}
    return {"state": "held", "reason": held.reason, "due_at": held.due_at}


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {member.name: getattr(evidence, member.name) for member in fields(Evidence)}


def _extend_chain(conn: Connection, community: str, batch: Batch, digest: str) -> None:
    key = _owned(community, batch.site) | {"epoch": batch.epoch}
    before = conn.execute(select(chain_table).filter_by(**key)).one_or_none()
    acked = before.acked_through if before else 0
    if batch.seq == acked + 1:  # else the gap in front is still there
        seq = batch_table.c.seq
        acked = walk(acked, conn.execute(select(seq).filter_by(**key).where(seq > acked).order_by(seq)).scalars())
    values: dict[str, Any] = {"acked_through": acked}
    if before is None or batch.seq > before.highest:
        values |= {"highest": batch.seq, "highest_hash": digest}
    if before is None:
        conn.execute(chain_table.insert().values(key | values | {"closed": 0}))
    else:
        conn.execute(update(chain_table).filter_by(**key).values(values))
    if batch.seq == 1:
        older = update(chain_table).filter_by(**_owned(community, batch.site)).where(chain_table.c.epoch < batch.epoch)
        conn.execute(older.values(closed=1))


def add_contradiction(conn: Connection, community: str, batch: Batch, evidence: Evidence) -> bool:
    """Keep a batch that says something else under a number that is taken; False if that was known already."""
    owned = _owned(community, batch.site)
    kept = conn.execute(select(func.count()).select_from(contradiction_table).filter_by(**owned)).scalar_one()
    key = owned | {"epoch": batch.epoch, "seq": batch.seq}
    if kept >= CONTRADICTIONS_MAX:
        known = select(contradiction_table.c.hash).filter_by(**key, hash=evidence.hash)
        return conn.execute(known).one_or_none() is None
    return insert_new(conn, contradiction_table, key | _evidence(evidence))


def state_of(conn: Connection, community: str, site: str, epoch: int, seq: int) -> tuple[str, str | None]:
    """Return a stored batch's state and why it is held, if it is."""
    rows = select(batch_table.c.state, batch_table.c.reason)
    row = conn.execute(rows.filter_by(**_owned(community, site), epoch=epoch, seq=seq)).one()
    return row.state, row.reason


def _turn_has_come(now: int) -> ColumnElement[bool]:
    """Tell of a batch, joined with its chain: nothing is missing before it, and no reason holds it back any longer.

    What is missing in an epoch that a later one has closed is lost, and nothing waits for it.
    """
    b, c, t = batch_table.c, chain_table.c, tree_table.c
    tree = exists().where(t.bucket == b.bucket, t.community == b.community, t.site == b.site, t.rev == b.tree_rev)
    free = or_(
        b.state == "waiting",
        and_(b.reason == "future", b.due_at <= now),
        and_(b.reason == "unknown-tree", tree),
    )
    return and_(NOT_DERIVED, free, or_(c.closed == 1, b.seq <= c.acked_through))


def _with_chain() -> Join:
    b, c = batch_table.c, chain_table.c
    same = and_(c.bucket == b.bucket, c.community == b.community, c.site == b.site, c.epoch == b.epoch)
    return batch_table.join(chain_table, same)


def pending(conn: Connection, community: str, site: str, now: int, limit: int) -> Sequence[Pending]:
    """Return the batches of a site whose turn has come, in the order of their chain."""
    b = batch_table.c
    owned = (b.bucket == bucket_of(community), b.community == community, b.site == site)
    rows = select(b.epoch, b.seq, b.hash, b.raw).select_from(_with_chain()).where(*owned, _turn_has_come(now))
    return [Pending(*row) for row in conn.execute(rows.order_by(b.epoch, b.seq).limit(limit))]


def sites_with_pending(conn: Connection, now: int, limit: int) -> list[tuple[str, str]]:
    """Return community and site of those that have batches whose turn has come, quarantined sites left out."""
    b, s = batch_table.c, site_table.c
    same = and_(s.bucket == b.bucket, s.community == b.community, s.site == b.site)
    rows = select(b.community, b.site).distinct().select_from(_with_chain().join(site_table, same))
    rows = rows.where(_turn_has_come(now), s.quarantined_at.is_(None)).limit(limit)
    return [(row.community, row.site) for row in conn.execute(rows)]


def note(
    conn: Connection, community: str, site: str, batch: Pending, outcome: Held | tuple[int, int] | None, *, now: int
) -> None:
    """Note what became of a batch: derived, with the time its readings cover if it has some, or held for a reason."""
    if isinstance(outcome, Held):
        values = _judged(outcome)
    else:
        first_start, last_end = outcome or (None, None)
        values = {"state": "derived", "reason": None, "due_at": None, "derived_at": now}
        values |= {"first_start": first_start, "last_end": last_end}
    key = _owned(community, site) | {"epoch": batch.epoch, "seq": batch.seq}
    conn.execute(update(batch_table).filter_by(**key).values(values))
