"""What the outbox can bear witness to: each interval as it was measured, and the signed batch that said so."""

from dataclasses import dataclass
from sqlite3 import Connection

from .kept import KeptInterval, interval_of


@dataclass(frozen=True, slots=True)
class Witnessed:
    """An interval, and epoch, number and hash of its batch; None where it is in none, or in none that is kept."""

    interval: KeptInterval
    batch: tuple[int, int, str] | None


def between(db: Connection, start: int, end: int) -> list[Witnessed]:
    """Return the intervals that begin in [start, end), in order."""
    rows = db.execute(
        "SELECT start, seconds, tree_rev, body, batch.epoch, batch.seq, batch.hash FROM interval"
        " LEFT JOIN batch ON batch.epoch = interval.epoch AND batch.seq = interval.seq"
        " WHERE start >= ? AND start < ? ORDER BY start",
        (start, end),
    )
    return [Witnessed(interval_of(*row[:4]), None if row[4] is None else tuple(row[4:])) for row in rows]
