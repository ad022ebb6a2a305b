"""The outbox: what was measured is durable here before anything else happens to it, numbered and signed once."""

from collections.abc import Callable, Mapping, Sequence
import json
from pathlib import Path
from sqlite3 import Connection
from types import MappingProxyType
from typing import Any, Self

from ..errors import OutboxError
from ..wire import Answer, Head, Incident, Notice, Settings, TreeTap, parse_settings, to_bytes
from . import amendments, chain, notices, papers, records, trees, witness
from .database import Database, mark_of
from .keepsakes import claim as _claim, keep as _keep, kept as _kept
from .kept import (
    KeptBoundary,
    KeptInterval,
    KeptTree,
    Remark,
    SealedBatch,
    boundaries_of,
    boundaries_text,
    interval_of,
    interval_text,
)
from .packing import check, sendable
from .papers import Paper
from .witness import Witnessed

KEPT_SECONDS = 400 * 86_400  # statements of a year and its audit can be verified from these bytes alone
NO_NOTES: Mapping[str, str] = MappingProxyType({})


class Outbox:
    """One SQLite file, one connection, one thread. Every call that changes it is on the disk when it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._position: tuple[int, chain.Position] | None = None  # with the generation of the file it was met for

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the file, take it for this program alone, and verify what lies in it; raises OutboxError."""
        database = Database(path)
        database.open()
        return cls(database)

    def close(self) -> None:
        """Give the file free."""
        self._database.close()

    def rest(self) -> None:
        """Let the file stand still and whole, so that a backup can copy it, until `resume`."""
        self._database.rest()

    def resume(self) -> None:
        """Write into the file again."""
        self._database.resume()

    def keep_interval(
        self,
        interval: KeptInterval,
        boundaries: Mapping[str, KeptBoundary],
        incidents: Sequence[Incident] = (),
        notes: Mapping[str, str] = NO_NOTES,
    ) -> None:
        """Keep an interval, the boundaries of all taps at its end, what happened in it and notes of it: all or nothing.

        An interval without a tree revision or without taps is kept for this site alone and never sent.
        """
        check(interval)
        body = interval_text(interval)
        sent = interval.tree_rev is not None and len(interval.taps) > 0
        number = None if sent else chain.NEVER
        row = (interval.start, interval.seconds, interval.tree_rev, body)

        def change(db: Connection) -> None:
            last_end = _last_end(db)
            if last_end is not None and interval.start < last_end:
                raise OutboxError(f"an interval from {interval.start} overlaps what is kept until {last_end}")
            db.execute(
                "INSERT INTO interval (start, seconds, tree_rev, body, mark, epoch, seq) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*row, mark_of(*row), number, number),
            )
            _keep(db, "boundaries", boundaries_text(boundaries))
            nets = json.loads(_kept(db, "nets") or "{}")
            totals = {owner: nets.get(owner, 0) + interval.net_wh.get(owner, 0) for owner in {*nets, *interval.net_wh}}
            _keep(db, "nets", to_bytes(totals).decode())
            _keep_incidents(db, incidents)
            for name, note in notes.items():
                _keep(db, f"note.{name}", note)

        self._database.write(change)

    def keep_incidents(self, incidents: Sequence[Incident]) -> None:
        """Keep incidents; they ride along with the next batch."""
        self._database.write(lambda db: _keep_incidents(db, incidents))

    def keep_records(self, cable: str, texts: Sequence[str], through: int, now: int) -> bool:
        """Keep what a cable signed and up to which number; they ride along with the next batch. False: no room now."""

        def change(db: Connection) -> bool:
            kept, incidents = records.keep(db, cable, texts, through, now)
            _keep_incidents(db, incidents)
            return kept

        return self._database.write(change)

    def records_through(self, cable: str) -> int | None:
        """Return the number of the record of a cable that was kept last."""
        return self._database.read(lambda db: records.through(db, cable))

    def boundaries(self) -> dict[str, KeptBoundary]:
        """Return the boundaries of the taps that had one at the end of the latest interval."""
        return boundaries_of(self._database.read(lambda db: _kept(db, "boundaries")) or "{}")

    def last_end(self) -> int | None:
        """Return the end of the latest interval."""
        return self._database.read(_last_end)

    def latest_interval(self) -> KeptInterval | None:
        """Return the latest interval."""
        query = "SELECT start, seconds, tree_rev, body FROM interval ORDER BY start DESC LIMIT 1"
        row = self._database.read(lambda db: db.execute(query).fetchone())
        return None if row is None else interval_of(*row)

    def nets(self) -> dict[str, int]:
        """Return each owner's net energy in Wh over all intervals ever kept here."""
        nets: dict[str, int] = json.loads(self._database.read(lambda db: _kept(db, "nets")) or "{}")
        return nets

    def nets_since(self, start: int) -> list[tuple[int, dict[str, int]]]:
        """Return start and each owner's net energy in Wh of the intervals that begin at a time or later, in order."""
        query = "SELECT start, seconds, tree_rev, body FROM interval WHERE start >= ? ORDER BY start"
        rows = self._database.read(lambda db: db.execute(query, (start,)).fetchall())
        return [(interval.start, dict(interval.net_wh)) for interval in (interval_of(*row) for row in rows)]

    def keep_tree(self, taps: Mapping[str, TreeTap], valid_from: int) -> int:
        """Keep a tree and return its revision: the newest one's if nothing changed."""
        return self._database.write(lambda db: trees.keep(db, taps, valid_from))

    def tree_at(self, start: int) -> tuple[int, dict[str, TreeTap]] | None:
        """Return revision and taps of the tree that is valid at a boundary."""
        return self._database.read(lambda db: trees.at(db, start))

    def unsent_tree(self) -> KeptTree | None:
        """Return the oldest tree that the cloud does not hold; those it refused are tried again."""
        return self._database.read(trees.unsent)

    def mark_tree(self, rev: int) -> None:
        """Note that the cloud holds this tree."""
        self._database.write(lambda db: trees.mark(db, rev, "acknowledged"))

    def refuse_tree(self, rev: int) -> None:
        """Note that the cloud does not take this tree: its intervals wait, the next tree kept takes its number."""
        self._database.write(lambda db: trees.mark(db, rev, "refused"))

    def resend_tree(self, rev: int) -> bool:
        """Note that the cloud no longer holds this tree; False if it does not lie here either."""
        return self._database.write(lambda db: trees.mark(db, rev, "kept"))

    def shift_tree(self, rev: int) -> None:
        """Note that the cloud has another tree of this number: ours, which it never took, becomes the next."""
        self._database.write(lambda db: trees.shift(db, rev))

    def meet(self, head: Head) -> None:
        """Learn where the cloud stands: needed before the first `seal` of a run, and after a failure of the disk."""

        def change(db: Connection) -> chain.Position:
            _claim(db, head.site)
            return chain.meet(db, head)

        position = self._database.write(change)
        self._position = self._database.generation, position

    def must_meet(self) -> bool:
        """Say whether the cloud should be asked for its head (again): never met, or the epoch can not become whole."""
        position = self._known_position()
        return position is None or self._database.read(lambda db: chain.has_hole(db, position.epoch))

    def seal(self, site: str, now: int, sign: Callable[[bytes], str]) -> int:
        """Pack, number, sign and store what is in no batch yet; return how many batches that made, 0 before `meet`."""
        end = self._known_position()
        if end is None:
            return 0

        def change(db: Connection) -> tuple[chain.Position, int]:
            _claim(db, site)
            return chain.seal(db, end, site, now, sign)

        position, count = self._database.write(change)
        self._position = self._database.generation, position
        return count

    def next_batch(self) -> SealedBatch | None:
        """Return the batch to send next: the newest if it is not answered, else the oldest that is not."""
        return self._database.read(chain.next_to_send)

    def mark(self, answer: Answer) -> None:
        """Note the cloud's durable answer to a batch."""
        self._database.write(lambda db: chain.acknowledge(db, answer))

    def set_aside(self, epoch: int, seq: int, reason: str) -> None:
        """Take a batch that the cloud refused for good out of the queue; it is kept with the reason."""
        self._database.write(lambda db: chain.refuse(db, epoch, seq, reason))

    def remarks(self) -> list[Remark]:
        """Return the batches that the cloud held or refused, newest first, with its reasons."""
        return self._database.read(chain.remarks)

    def depth(self) -> int:
        """Return how many intervals wait to be sealed plus how many batches wait to be answered."""
        intervals = "SELECT count(*) FROM interval WHERE seq IS NULL"
        batches = "SELECT count(*) FROM batch WHERE result IS NULL"
        return int(self._database.read(lambda db: db.execute(f"SELECT ({intervals}) + ({batches})").fetchone())[0])

    def accept_notice(self, notice: Notice) -> bool:
        """Remember a notice's id and keep its body as the latest of its kind, in one; False if it was seen before."""
        return self._database.write(lambda db: notices.accept(db, notice))

    def notice(self, kind: str) -> dict[str, Any] | None:
        """Return the body of the notice of a kind that was issued last."""
        return self._database.read(lambda db: notices.latest(db, kind))

    def keep_settings(self, settings: Settings) -> None:
        """Keep the cloud's settings, to start with while it cannot be reached."""
        self._database.write(lambda db: _keep(db, "settings", to_bytes(settings).decode()))

    def settings(self) -> Settings | None:
        """Return the settings kept last."""
        kept = self._database.read(lambda db: _kept(db, "settings"))
        return None if kept is None else parse_settings(kept.encode())

    def keep_paper(self, paper: Paper) -> papers.Kept:
        """Keep what the cloud signed, unless a paper of its kind and name is there: the first word stands."""
        return self._database.write(lambda db: papers.keep(db, paper))

    def replace_paper(self, paper: Paper) -> None:
        """Keep what the cloud signed in place of the paper of its kind and name."""
        self._database.write(lambda db: papers.replace(db, paper))

    def paper(self, kind: str, name: str) -> Paper | None:
        """Return a paper by kind and name."""
        return self._database.read(lambda db: papers.one(db, kind, name))

    def newest_paper(self, kind: str, before: str) -> Paper | None:
        """Return the paper of a kind with the greatest name up to this one."""
        return self._database.read(lambda db: papers.newest(db, kind, before))

    def papers(self, kind: str, first: str, last: str) -> list[Paper]:
        """Return the papers of a kind by name, between two names, both included."""
        return self._database.read(lambda db: papers.between(db, kind, first, last))

    def witnessed(self, start: int, end: int) -> list[Witnessed]:
        """Return the intervals that begin in [start, end), each with the batch that it was signed in."""
        return self._database.read(lambda db: witness.between(db, start, end))

    def amend(self, intervals: Sequence[KeptInterval]) -> None:
        """Keep better intervals for some that were sent as estimated; the next `seal` brings them to the cloud."""
        self._database.write(lambda db: amendments.keep(db, intervals))

    def amended(self, start: int, end: int) -> list[Witnessed]:
        """Return the amendments of intervals that begin in [start, end), each with the batch it was signed in."""
        return self._database.read(lambda db: amendments.witnessed(db, start, end))

    def keep_note(self, name: str, body: str) -> None:
        """Keep a text of the site's own under a name, in place of the one before."""
        self._database.write(lambda db: _keep(db, f"note.{name}", body))

    def note(self, name: str) -> str | None:
        """Return the text kept under a name."""
        return self._database.read(lambda db: _kept(db, f"note.{name}"))

    def prune(self, now: int) -> None:
        """Drop what need not be kept any longer: batches acknowledged 400 days ago, the ids of expired notices."""

        def change(db: Connection) -> None:
            chain.prune(db, now - KEPT_SECONDS)
            papers.prune(db, now - KEPT_SECONDS)
            db.execute("DELETE FROM notice WHERE expires_at < ?", (now,))

        self._database.write(change)

    def _known_position(self) -> chain.Position | None:
        """Return the end of the chain, unless it was learnt of a file that failed since."""
        if self._position is None or self._position[0] != self._database.generation:
            return None
        return self._position[1]


def _last_end(db: Connection) -> int | None:
    row = db.execute("SELECT start + seconds FROM interval ORDER BY start DESC LIMIT 1").fetchone()
    return None if row is None else int(row[0])


def _keep_incidents(db: Connection, incidents: Sequence[Incident]) -> None:
    rows = [(i.at, i.kind, i.tap, i.detail) for i in map(sendable, incidents)]
    db.executemany("INSERT INTO incident (at, kind, tap, detail) VALUES (?, ?, ?, ?)", rows)
