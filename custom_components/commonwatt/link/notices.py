"""Notices as the outbox keeps them: each is done once, and of each kind the latest is known."""

import json
from sqlite3 import Connection
from typing import Any

from ..wire import Notice, to_bytes
from .keepsakes import keep, kept


def accept(db: Connection, notice: Notice) -> bool:
    """Remember a notice's id and keep its body as the latest of its kind; False if it was seen before."""
    row = (notice.id, notice.expires_at)
    if db.execute("INSERT OR IGNORE INTO notice (id, expires_at) VALUES (?, ?)", row).rowcount == 0:
        return False
    former = kept(db, f"notice.{notice.kind}")
    if former is None or json.loads(former)["issued_at"] <= notice.issued_at:
        body = {"issued_at": notice.issued_at, "body": dict(notice.body)}
        keep(db, f"notice.{notice.kind}", to_bytes(body).decode())
    return True


def latest(db: Connection, kind: str) -> dict[str, Any] | None:
    """Return the body of the notice of a kind that was issued last."""
    former = kept(db, f"notice.{kind}")
    body: dict[str, Any] | None = None if former is None else json.loads(former)["body"]
    return body
