"""What the outbox can bear witness to: each interval as it was measured, and the signed batch that said so."""

from dataclasses import dataclass
from sqlite3 import Connection
from typing import Literal

from .kept import KeptInterval, interval_of


@dataclass(frozen=True, slots=True)
class Witnessed:
    """An interval, and epoch, number and hash of its batch; None where it is in none, or in none that is kept."""

    interval: KeptInterval
    batch: tuple[int, int, str] | None


def between(
    db: Connection, start: int, end: int, table: Literal["interval", "amendment"] = "interval"
) -> list[Witnessed]:
    """Return the intervals that begin in [start, end), in order, as they were measured or as they were amended."""
    rows = db.execute(
        f"SELECT start, seconds, tree_rev, body, batch.epoch, batch.seq, batch.hash FROM {table} AS item"  # noqa: S608
        " LEFT JOIN batch ON batch.epoch = item.epoch AND batch.seq = item.seq"
        " WHERE start >= ? AND start < ? ORDER BY start",
        (start, end),
    )
    return [Witnessed(interval_of(*row[:4]), None if row[4] is None else tuple(row[4:])) for row in rows]
