"""The revisions of the tap tree as the outbox keeps them, until the cloud holds each.

The cloud numbers strictly by one. Where its count and ours differ (an older backup on either side), a revision that it
never took moves to the number that it expects, together with the intervals that are in no batch yet.
"""

from collections.abc import Mapping
from sqlite3 import Connection

from ..wire import Tree, TreeTap, parse_tree, to_bytes
from .database import mark_of
from .kept import KeptTree, taps_of, taps_text


def keep(db: Connection, taps: Mapping[str, TreeTap], valid_from: int) -> int:
    """Keep a tree as the newest revision; one that the cloud refused gives its number, and its validity, to it."""
    parse_tree(to_bytes(Tree("check", 1, valid_from, taps)))
    body = taps_text(taps)
    newest = db.execute("SELECT rev, valid_from, body, state FROM tree ORDER BY rev DESC LIMIT 1").fetchone()
    rev = 1 if newest is None else newest[0] + 1
    if newest is not None and newest[2] == body:
        return int(newest[0])
    if newest is not None and newest[3] == "refused":
        rev, valid_from = newest[:2]
    db.execute(
        "INSERT OR REPLACE INTO tree (rev, valid_from, body, mark, state) VALUES (?, ?, ?, ?, 'kept')",
        (rev, valid_from, body, mark_of(rev, valid_from, body)),
    )
    return int(rev)


def at(db: Connection, start: int) -> tuple[int, dict[str, TreeTap]] | None:
    """Return the newest revision that is valid at a boundary."""
    row = db.execute("SELECT rev, body FROM tree WHERE valid_from <= ? ORDER BY rev DESC LIMIT 1", (start,)).fetchone()
    return None if row is None else (row[0], taps_of(row[1]))


def unsent(db: Connection) -> KeptTree | None:
    """Return the oldest revision that the cloud does not hold."""
    row = db.execute(
        "SELECT rev, valid_from, body FROM tree WHERE state != 'acknowledged' ORDER BY rev LIMIT 1"
    ).fetchone()
    return None if row is None else KeptTree(row[0], row[1], taps_of(row[2]))


def mark(db: Connection, rev: int, state: str) -> bool:
    """Set how a revision stands with the cloud; False if it is not here."""
    return db.execute("UPDATE tree SET state = ? WHERE rev = ?", (state, rev)).rowcount == 1


def shift(db: Connection, rev: int) -> None:
    """Move this revision and those after it up by one: the cloud has another tree of this number."""
    later = db.execute("SELECT rev, valid_from, body FROM tree WHERE rev >= ? ORDER BY rev DESC", (rev,)).fetchall()
    for number, valid_from, body in later:
        db.execute(
            "UPDATE tree SET rev = ?, mark = ? WHERE rev = ?",
            (number + 1, mark_of(number + 1, valid_from, body), number),
        )
    waiting = "SELECT start, seconds, tree_rev, body FROM interval WHERE seq IS NULL AND tree_rev >= ?"
    for start, seconds, number, body in db.execute(waiting, (rev,)).fetchall():
        db.execute(
            "UPDATE interval SET tree_rev = ?, mark = ? WHERE start = ?",
            (number + 1, mark_of(start, seconds, number + 1, body), start),
        )
