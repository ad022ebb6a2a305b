"""Papers: what the cloud signed and a site keeps word for word, to hold it against the cloud later."""

from dataclasses import dataclass
from sqlite3 import Connection, Row
from typing import Any, Literal

from .database import mark_of

PAPERS_MAX = 1000  # in one answer

type Kept = Literal["kept", "same", "different"]


@dataclass(frozen=True, slots=True)
class Paper:
    """A signed document: its kind, its name within the kind, its raw bytes with the cloud's signature over them."""

    kind: str
    name: str
    raw: bytes
    signature: str
    kept_at: int


def keep(db: Connection, paper: Paper) -> Kept:
    """Keep a paper unless one of its name is there: the first word stands, and `different` tells of another one."""
    known = one(db, paper.kind, paper.name)
    if known is not None:
        return "same" if known.raw == paper.raw else "different"
    _write(db, paper)
    return "kept"


def replace(db: Connection, paper: Paper) -> None:
    """Keep a paper in place of the one of its name: for what says how things stand, not what was promised."""
    _write(db, paper)


def one(db: Connection, kind: str, name: str) -> Paper | None:
    """Return a paper by its name."""
    row = db.execute(
        "SELECT kind, name, raw, signature, kept_at FROM paper WHERE kind = ? AND name = ?", (kind, name)
    ).fetchone()
    return None if row is None else _paper(row)


def between(db: Connection, kind: str, first: str, last: str) -> list[Paper]:
    """Return the papers of a kind whose names lie between two names, both included, in the order of their names."""
    rows = db.execute(
        "SELECT kind, name, raw, signature, kept_at FROM paper WHERE kind = ? AND name BETWEEN ? AND ?"
        " ORDER BY name LIMIT ?",
        (kind, first, last, PAPERS_MAX),
    )
    return [_paper(row) for row in rows]


def newest(db: Connection, kind: str, before: str) -> Paper | None:
    """Return the paper of a kind with the greatest name up to this one."""
    row = db.execute(
        "SELECT kind, name, raw, signature, kept_at FROM paper WHERE kind = ? AND name <= ? ORDER BY name DESC LIMIT 1",
        (kind, before),
    ).fetchone()
    return None if row is None else _paper(row)


def prune(db: Connection, before: int) -> None:
    """Drop the papers kept before a time."""
    db.execute("DELETE FROM paper WHERE kept_at < ?", (before,))


def _write(db: Connection, paper: Paper) -> None:
    row = (paper.kind, paper.name, paper.raw, paper.signature, paper.kept_at)
    db.execute(
        "INSERT OR REPLACE INTO paper (kind, name, raw, signature, kept_at, mark) VALUES (?, ?, ?, ?, ?, ?)",
        (*row, mark_of(*row)),
    )


def _paper(row: Row | tuple[Any, ...]) -> Paper:
    return Paper(*row)
