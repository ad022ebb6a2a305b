"""The chain of batches: where it goes on, what goes into it, what of it is sent next, and what the cloud said."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import batched
from sqlite3 import Connection
from typing import Final, Literal

from ..errors import OutboxError
from ..wire import BODY_BYTES_MAX, Answer, Batch, Head, Incident, digest, to_bytes
from . import amendments, records as cable_records
from .database import mark_of
from .kept import KeptInterval, Remark, SealedBatch, interval_of
from .packing import columns_of, packs, telemetry_of

INCIDENTS_MAX = 200  # as the wire has it
REMARKS_MAX = 100
TELEMETRY_DROPPED = "telemetry-dropped"
NEVER = 0  # the batch number of what is never sent
INTERVAL: Final = "interval"  # the tables a batch's intervals lie in
AMENDMENT: Final = "amendment"

# Intervals, incidents and records of one batch, and the table that its intervals lie in.
type Content = tuple[
    tuple[KeptInterval, ...], list[tuple[int, Incident]], list[cable_records.Waiting], Literal["interval", "amendment"]
]

BATCH = "SELECT epoch, seq, raw, signature, hash, result FROM batch"


@dataclass(frozen=True, slots=True)
class Position:
    """The last link of the chain: the next batch follows it, or is the first of a new epoch (`seq` 0)."""

    epoch: int
    seq: int
    hash: str


def meet(db: Connection, head: Head) -> Position:
    """Return where to go on, given where the cloud stands; what it does not hold (any longer) is sent again.

    A new epoch begins, so that no number is ever used twice, if the cloud's head is not among our batches: ours are an
    older copy, or another program wrote with our key. So it does when a batch was refused for good and every other one
    is answered, for the cloud waits for a missing number only until a later epoch begins. An epoch that the cloud has
    not seen yet goes on in any case, because it takes them without a gap.
    """
    newest = db.execute("SELECT epoch, seq, hash FROM batch ORDER BY epoch DESC, seq DESC LIMIT 1").fetchone()
    db.execute(
        "UPDATE batch SET result = NULL, reason = NULL, acked_at = NULL"
        " WHERE acked_at IS NOT NULL AND (epoch, seq) > (?, ?)",
        (head.epoch, head.seq),
    )
    if newest is not None and (newest[0] > head.epoch or (_has(db, head) and not has_hole(db, newest[0]))):
        return Position(*newest)
    return Position(head.epoch + 1, 0, head.hash)


def has_hole(db: Connection, epoch: int) -> bool:
    """Say whether the epoch can never become whole, and nothing is under way that would still belong to it."""
    refused = "SELECT 1 FROM batch WHERE epoch = ? AND result = 'refused' LIMIT 1"
    waiting = "SELECT 1 FROM batch WHERE result IS NULL LIMIT 1"
    return db.execute(refused, (epoch,)).fetchone() is not None and db.execute(waiting).fetchone() is None


def _has(db: Connection, head: Head) -> bool:
    row = db.execute("SELECT hash FROM batch WHERE epoch = ? AND seq = ?", (head.epoch, head.seq)).fetchone()
    return bool(row == (head.hash,))


def seal(db: Connection, position: Position, site: str, now: int, sign: Callable[[bytes], str]) -> tuple[Position, int]:
    """Pack, number, sign and store what waits; return the new end of the chain and how many batches were made."""
    count = 0
    for pack, incidents, records, table in _contents(db):
        intervals = columns_of(pack, amends=table == AMENDMENT) if pack else None
        values, signed = tuple(value for _, value in incidents), tuple(record for _, record in records)
        place = position.epoch, position.seq + 1, position.hash
        batch, raw = _fitting(db, Batch(site, *place, now, intervals, values, signed, telemetry_of(pack)))
        sealed = SealedBatch(batch.epoch, batch.seq, raw, sign(raw), digest(raw))
        _store(db, batch, sealed)
        number = (batch.epoch, batch.seq)
        sealed_now = [(*number, interval.start) for interval in pack]
        db.executemany(f"UPDATE {table} SET epoch = ?, seq = ? WHERE start = ?", sealed_now)  # noqa: S608 our own words
        db.executemany("UPDATE incident SET epoch = ?, seq = ? WHERE id = ?", [(*number, row) for row, _ in incidents])
        cable_records.sealed(db, records, *number)
        position = Position(batch.epoch, batch.seq, sealed.hash)
        count += 1
    return position, count


def _fitting(db: Connection, batch: Batch) -> tuple[Batch, bytes]:
    """Return a batch and its bytes as they can be sent; where they are too many, telemetry stays behind, said once."""
    raw = to_bytes(batch)
    if len(raw) > BODY_BYTES_MAX and batch.telemetry:
        waiting = "SELECT 1 FROM incident WHERE kind = ? AND seq IS NULL LIMIT 1"
        if db.execute(waiting, (TELEMETRY_DROPPED,)).fetchone() is None:
            words = f"a batch would have had {len(raw)} bytes"
            incident = (batch.made_at, TELEMETRY_DROPPED, words)
            db.execute("INSERT INTO incident (at, kind, detail) VALUES (?, ?, ?)", incident)
        batch = replace(batch, telemetry=())
        raw = to_bytes(batch)
    if len(raw) > BODY_BYTES_MAX:
        raise OutboxError(f"a batch of {len(raw)} bytes cannot be sent")
    return batch, raw


def next_to_send(db: Connection) -> SealedBatch | None:
    """Return the newest batch if the cloud has not answered it, else the oldest that it has not."""
    row = db.execute(f"{BATCH} ORDER BY epoch DESC, seq DESC LIMIT 1").fetchone()
    if row is not None and row[-1] is not None:
        row = db.execute(f"{BATCH} WHERE result IS NULL ORDER BY epoch, seq LIMIT 1").fetchone()
    return None if row is None else SealedBatch(*row[:-1])


def acknowledge(db: Connection, answer: Answer) -> None:
    """Note a durable answer; it must be about the very bytes that lie here."""
    changed = db.execute(
        "UPDATE batch SET result = ?, reason = ?, acked_at = ? WHERE epoch = ? AND seq = ? AND hash = ?",
        (answer.result, answer.reason, answer.sent_ms // 1000, answer.epoch, answer.seq, answer.hash),
    )
    if changed.rowcount != 1:
        raise OutboxError(f"an answer to batch {answer.epoch}/{answer.seq}, whose bytes are not here")


def refuse(db: Connection, epoch: int, seq: int, reason: str) -> None:
    """Take a batch out of the queue for good."""
    db.execute("UPDATE batch SET result = 'refused', reason = ? WHERE epoch = ? AND seq = ?", (reason, epoch, seq))


def remarks(db: Connection) -> list[Remark]:
    """Return the batches that the cloud held or refused, newest first, with its reasons."""
    query = (
        "SELECT epoch, seq, result, reason FROM batch WHERE result IN ('held', 'refused')"
        " ORDER BY epoch DESC, seq DESC LIMIT ?"
    )
    return [Remark(*row) for row in db.execute(query, (REMARKS_MAX,)).fetchall()]


def prune(db: Connection, before: int) -> None:
    """Delete what the cloud acknowledged before a time, from the start of each epoch; the newest batch always stays."""
    keep = db.execute(
        "SELECT epoch, min(seq) FROM batch WHERE acked_at IS NULL OR acked_at >= ?"
        " OR (epoch, seq) = (SELECT epoch, seq FROM batch ORDER BY epoch DESC, seq DESC LIMIT 1) GROUP BY epoch",
        (before,),
    )
    first_kept = dict(keep.fetchall())
    for [epoch] in db.execute("SELECT DISTINCT epoch FROM batch").fetchall():
        db.execute("DELETE FROM batch WHERE epoch = ? AND seq < ?", (epoch, first_kept.get(epoch, 2**62)))
    gone = "seq IS NOT NULL AND (epoch, seq) NOT IN (SELECT epoch, seq FROM batch)"
    db.execute(f"DELETE FROM incident WHERE {gone} AND at < ?", (before,))  # noqa: S608 our own words
    db.execute(f"DELETE FROM record WHERE {gone} AND kept_at < ?", (before,))  # noqa: S608 our own words
    db.execute(
        f"DELETE FROM interval WHERE {gone} AND start < ? AND start < (SELECT max(start) FROM interval)",  # noqa: S608
        (before,),
    )
    db.execute(f"DELETE FROM amendment WHERE {gone} AND start < ?", (before,))  # noqa: S608


def _contents(db: Connection) -> Iterator[Content]:
    """Yield what goes into each batch and the table its intervals lie in: first what was measured, then amendments.

    Incidents and the records of cables ride along with intervals, and alone only when there are too many. Intervals
    under a tree that the cloud refused wait for one that it takes.
    """
    rows = db.execute("SELECT id, at, kind, tap, detail FROM incident WHERE seq IS NULL ORDER BY id").fetchall()
    incidents = [
        [*part] for part in batched(((row[0], Incident(*row[1:])) for row in rows), INCIDENTS_MAX, strict=False)
    ]
    records = [*cable_records.waiting(db)]
    waiting = db.execute(
        "SELECT start, seconds, tree_rev, body FROM interval WHERE seq IS NULL"
        " AND tree_rev NOT IN (SELECT rev FROM tree WHERE state = 'refused') ORDER BY start"
    ).fetchall()
    for pack in packs(interval_of(*row) for row in waiting):
        yield pack, _first(incidents), _first(records), INTERVAL
    for pack in packs(amendments.waiting(db)):
        yield pack, [], [], AMENDMENT
    while incidents or records:
        yield (), _first(incidents), _first(records), INTERVAL


def _first[T](portions: list[list[T]]) -> list[T]:
    return portions.pop(0) if portions else []


def _store(db: Connection, batch: Batch, sealed: SealedBatch) -> None:
    mark = mark_of(batch.epoch, batch.seq, batch.prev, sealed.hash, sealed.signature)
    db.execute(
        "INSERT INTO batch (epoch, seq, prev, raw, hash, signature, mark) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (batch.epoch, batch.seq, batch.prev, sealed.raw, sealed.hash, sealed.signature, mark),
    )
