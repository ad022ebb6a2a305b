"""Amendments: better intervals for those that were sent as estimated; what was sent first stays as it is."""

from collections.abc import Iterable
from sqlite3 import Connection

from .database import mark_of
from .kept import KeptInterval, interval_of, interval_text
from .packing import check
from .witness import Witnessed, between


def keep(db: Connection, intervals: Iterable[KeptInterval]) -> None:
    """Keep intervals that take the place of sent ones; one is amended once."""
    for interval in intervals:
        check(interval)
        row = (interval.start, interval.seconds, interval.tree_rev, interval_text(interval))
        db.execute(
            "INSERT INTO amendment (start, seconds, tree_rev, body, mark) VALUES (?, ?, ?, ?, ?)", (*row, mark_of(*row))
        )


def waiting(db: Connection) -> list[KeptInterval]:
    """Return the amendments that are in no batch yet, in order of time."""
    rows = db.execute("SELECT start, seconds, tree_rev, body FROM amendment WHERE seq IS NULL ORDER BY start")
    return [interval_of(*row) for row in rows]


def witnessed(db: Connection, start: int, end: int) -> list[Witnessed]:
    """Return the amendments of intervals that begin in [start, end), each with the batch that it was signed in."""
    return between(db, start, end, "amendment")
