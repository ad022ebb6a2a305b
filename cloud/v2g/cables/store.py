"""Keeps the cables with their history; each id and each key is there once in the whole cloud."""

from itertools import pairwise
from typing import Any, Literal

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Row,
    Table,
    delete,
    func,
    select,
    text,
    update,
)

from cloud.database import STRICT, TEXT, WHOLE, bucket_column, bucket_of, insert_new, metadata, new_id
from cloud.sites.store import community_of, owner_table
from cloud.v2g.records.store import newest_number
from cloud.wire.strict import TIME_MAX

from .cable import CABLES_OF_OWNER_MAX, By, Cable, Change, NotChanged, State, may_become

NOT_SEARCHED = text("searched_at IS NULL")
SEARCH_SECONDS = 60  # so long one that was looked at as unknown may still be on its way
STATES = "state IN ('active', 'stolen', 'revoked', 'two-places')"

# a cable's own facts lie in the bucket of its id: it is plugged in at sites of many communities
cable_table = Table(
    "cable",
    metadata,
    bucket_column(),
    Column("cable", TEXT, primary_key=True),
    Column("community", TEXT, nullable=False),
    Column("owner", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("public_key", TEXT, nullable=False),
    Column("first_number", WHOLE, nullable=False),
    Column("proof", TEXT, nullable=False),  # the record that proved the key to be the cable's
    Column("state", TEXT, nullable=False),
    Column("since", WHOLE, nullable=False),
    Column("registered_at", WHOLE, nullable=False),
    Column("searched_at", WHOLE),  # what came of it before it was registered was looked for; NULL: still to be done
    CheckConstraint(STATES, name="state_known"),
    Index("ix_cable_owner", "community", "owner", "cable"),
    Index("ix_cable_not_searched", "bucket", "cable", sqlite_where=NOT_SEARCHED, postgresql_where=NOT_SEARCHED),
    **STRICT,
)

cable_change_table = Table(
    "cable_change",
    metadata,
    bucket_column(),
    Column("cable", TEXT, primary_key=True),
    Column("change", TEXT, primary_key=True),
    Column("state", TEXT, nullable=False),
    Column("at", WHOLE, nullable=False),
    Column("by", TEXT, nullable=False),
    Column("role", TEXT, nullable=False),
    Column("note", TEXT),
    CheckConstraint(STATES, name="state_known"),
    ForeignKeyConstraint(["bucket", "cable"], ["cable.bucket", "cable.cable"]),
    **STRICT,
)

cable_key_table = Table(
    "cable_key",
    metadata,
    Column("public_key", TEXT, primary_key=True),
    Column("cable", TEXT, nullable=False),
    **STRICT,
)

type NotRegistered = Literal["no-community", "no-owner", "too-many-cables", "cable-taken", "key-taken"]

MEMBERS = ("cable", "community", "owner", "name", "public_key", "state", "since", "registered_at", "first_number")


def _owned(cable: str) -> dict[str, Any]:
    return {"bucket": bucket_of(cable), "cable": cable}


def cable_of(conn: Connection, cable: str, *, locked: bool = False) -> Cable | None:
    """Return a cable, None if the cloud does not know it; `locked` keeps others off its facts until the end."""
    rows = select(*(cable_table.c[name] for name in MEMBERS)).filter_by(**_owned(cable))
    row = conn.execute(rows.with_for_update() if locked else rows).one_or_none()
    return None if row is None else Cable(*row)


def cables_of(conn: Connection, community: str, owner: str, after: str, limit: int) -> list[Cable] | None:
    """Return a page of an owner's cables, by id; None if there is no such owner."""
    if not _has_owner(conn, community, owner):
        return None
    c = cable_table.c
    rows = select(*(c[name] for name in MEMBERS)).filter_by(community=community, owner=owner)
    return [Cable(*row) for row in conn.execute(rows.where(c.cable > after).order_by(c.cable).limit(limit))]


def _has_owner(conn: Connection, community: str, owner: str, *, locked: bool = False) -> bool:
    rows = select(owner_table.c.owner).filter_by(bucket=bucket_of(community), community=community, owner=owner)
    return conn.execute(rows.with_for_update(key_share=True) if locked else rows).one_or_none() is not None


def register(conn: Connection, cable: Cable, proof: str, by: By, now: int) -> tuple[Cable, bool] | NotRegistered:
    """Register a cable for an owner; the flag is False where the very same is registered already.

    A serial number whose key was revoked before it signed anything is free for another key: else whoever registers
    other people's numbers, with a key of one's own, would keep those cables out for good.
    """
    if community_of(conn, cable.community) is None:
        return "no-community"
    if not _has_owner(conn, cable.community, cable.owner, locked=True):
        return "no-owner"
    before = cable_of(conn, cable.cable, locked=True)
    if before is not None and (before.community, before.owner, before.public_key) == _identity(cable):
        return before, False
    if before is not None and not _is_free(conn, before, cable.public_key):
        return "cable-taken"
    count = select(func.count()).select_from(cable_table).filter_by(community=cable.community, owner=cable.owner)
    if conn.execute(count).scalar_one() >= CABLES_OF_OWNER_MAX:
        return "too-many-cables"
    refused = _keep(conn, cable, proof, again=before is not None)
    if refused is not None:
        return refused
    _note(conn, cable.cable, cable.state, by=by, note=None, now=now)
    return cable, True


def _identity(cable: Cable) -> tuple[str, str, str]:
    return cable.community, cable.owner, cable.public_key


def _is_free(conn: Connection, before: Cable, public_key: str) -> bool:
    """Tell whether another key may have the number of a cable; what the one before signed stays its own."""
    return before.state == "revoked" and before.public_key != public_key and not newest_number(conn, before.cable)


def _keep(conn: Connection, cable: Cable, proof: str, *, again: bool) -> Literal["cable-taken", "key-taken"] | None:
    values = {name: getattr(cable, name) for name in MEMBERS} | {"bucket": bucket_of(cable.cable), "proof": proof}
    if not again and not insert_new(conn, cable_table, values):
        return "cable-taken"  # another owner was faster
    if not insert_new(conn, cable_key_table, {"public_key": cable.public_key, "cable": cable.cable}):
        if not again:
            conn.execute(delete(cable_table).filter_by(**_owned(cable.cable)))
        return "key-taken"
    if again:
        conn.execute(update(cable_table).filter_by(**_owned(cable.cable)).values(values | {"searched_at": None}))
    return None


def set_state(conn: Connection, cable: str, state: State, *, by: By, note: str | None, now: int) -> Cable | NotChanged:
    """Put a cable into another state and note that; what is so already stays as it was said first."""
    before = cable_of(conn, cable, locked=True)
    if before is None:
        return "no-cable"
    if before.state == state:
        return before
    if not may_become(before.state, state):
        return "revoked" if before.state == "revoked" else "not-so"
    conn.execute(update(cable_table).filter_by(**_owned(cable)).values(state=state, since=now))
    _note(conn, cable, state, by=by, note=note, now=now)
    changed = cable_of(conn, cable)
    assert changed is not None
    return changed


def _note(conn: Connection, cable: str, state: State, *, by: By, note: str | None, now: int) -> None:
    """Add to a cable's history; nothing ever leaves it."""
    said = {"state": state, "at": now, "by": by.client, "role": by.role, "note": note}
    conn.execute(cable_change_table.insert().values(_owned(cable) | {"change": new_id()} | said))


def changes_of(conn: Connection, cable: str, limit: int) -> list[Change]:
    """Return a cable's history, the newest first."""
    rows = select(cable_change_table).filter_by(**_owned(cable)).order_by(cable_change_table.c.change.desc())
    return [_change(row) for row in conn.execute(rows.limit(limit))]


def stopped_spans(conn: Connection, cable: str) -> list[tuple[int, int]]:
    """Return the times [from, to) of which nothing a cable signed is to be booked by itself.

    That is while it was stolen, or once its key was revoked; and while one key is in two places, all that is open.
    """
    c = cable_change_table.c
    rows = select(c.state, c.at).filter_by(**_owned(cable)).order_by(c.at, c.change)
    changes = conn.execute(rows).tuples().all()
    if changes and changes[-1][0] == "two-places":
        return [(0, TIME_MAX)]
    spans = pairwise([*changes, ("", TIME_MAX)])
    return [(at, end) for (state, at), (_, end) in spans if state in ("stolen", "revoked")]


def _change(row: Row[Any]) -> Change:
    return Change(row.change, row.state, row.at, By(row.by, row.role), row.note)


def not_searched(conn: Connection, limit: int) -> list[str]:
    """Return cables of which records may have come before they were registered."""
    rows = select(cable_table.c.cable).where(NOT_SEARCHED).order_by(cable_table.c.bucket, cable_table.c.cable)
    return list(conn.execute(rows.limit(limit)).scalars())


def note_searched(conn: Connection, cable: str, now: int) -> bool:
    """Note that such records were looked for long enough after the registration; tell whether it is so."""
    row = update(cable_table).filter_by(**_owned(cable), searched_at=None)
    row = row.where(cable_table.c.registered_at <= now - SEARCH_SECONDS)
    return conn.execute(row.values(searched_at=now)).rowcount > 0
