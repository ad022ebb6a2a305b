"""Keepsakes: texts the outbox keeps by name, one of each."""

from sqlite3 import Connection

from ..errors import OutboxError
from .database import mark_of


def keep(db: Connection, name: str, body: str) -> None:
    """Keep a text in place of the one of its name."""
    row = (name, body, mark_of(name, body))
    db.execute("INSERT OR REPLACE INTO keepsake (name, body, mark) VALUES (?, ?, ?)", row)


def kept(db: Connection, name: str) -> str | None:
    """Return the text of a name."""
    row = db.execute("SELECT body FROM keepsake WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def claim(db: Connection, site: str) -> None:
    """Hold the outbox to the site that it first spoke for: another site's chain is another file."""
    known = kept(db, "site")
    if known is None:
        keep(db, "site", site)
    elif known != site:
        raise OutboxError(f"it belongs to site {known}")
