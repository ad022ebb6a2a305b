"""Keeps readings by measurement time: the newest word on each, and beside it what stood there before."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Select,
    Table,
    and_,
    bindparam,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from cloud.bulk import GIVEN, as_given, given, insert_many, insert_missing
from cloud.database import STRICT, TEXT, WHOLE, bucket_column, metadata

from .merge import Merged, Row, Standing, merge

# time first: what arrives together lies together, however old the table is
hub_reading_table = Table(
    "hub_reading",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("measured_ms", WHOLE, primary_key=True, autoincrement=False),
    Column("device", TEXT, primary_key=True),
    Column("point", TEXT, primary_key=True),
    Column("quantity", TEXT, primary_key=True),
    Column("seconds", WHOLE, nullable=False),
    Column("value", WHOLE, nullable=False),
    Column("timed", TEXT, nullable=False),
    Column("revision", WHOLE, nullable=False),
    Column("message", TEXT, nullable=False),
    CheckConstraint("seconds >= 0", name="seconds_not_negative"),
    CheckConstraint("timed IN ('given', 'received')", name="timed_by_whom"),
    ForeignKeyConstraint(
        ["bucket", "community", "message"],
        ["hub_message.bucket", "hub_message.community", "hub_message.message"],
    ),
    Index("ix_hub_reading_device", "bucket", "community", "device", "measured_ms", "point", "quantity"),
    **STRICT,
    sqlite_with_rowid=False,  # the key is the row: one tree less to write
)

hub_replaced_reading_table = Table(
    "hub_replaced_reading",
    metadata,
    bucket_column(),
    Column("community", TEXT, primary_key=True),
    Column("measured_ms", WHOLE, primary_key=True, autoincrement=False),
    Column("device", TEXT, primary_key=True),
    Column("point", TEXT, primary_key=True),
    Column("quantity", TEXT, primary_key=True),
    Column("revision", WHOLE, primary_key=True, autoincrement=False),
    Column("seconds", WHOLE, nullable=False),
    Column("value", WHOLE, nullable=False),
    Column("timed", TEXT, nullable=False),
    Column("message", TEXT, nullable=False),
    Column("replaced_ms", WHOLE, nullable=False),
    **STRICT,
)

KEY: Final[Mapping[str, TypeEngine[Any]]] = {
    "bucket": WHOLE,
    "community": TEXT,
    "measured_ms": WHOLE,
    "device": TEXT,
    "point": TEXT,
    "quantity": TEXT,
}
SAID: Final = ("seconds", "value", "timed")
MEMBERS: Final = (*KEY, *SAID, "revision", "message")
REPLACED_MEMBERS: Final = (*KEY, "revision", *SAID, "message", "replaced_ms")
LOOKED_UP_MAX = 5000  # keys in one statement: bounds its parameter

REVISED = (
    update(hub_reading_table)
    .where(*(hub_reading_table.c[name] == bindparam(f"of_{name}") for name in KEY))
    .values({name: bindparam(f"new_{name}") for name in (*SAID, "revision", "message")})
)


def put_readings(
    conn: Connection, rows: Sequence[Row], *, taken_before: Collection[str], replaced_ms: Mapping[str, int]
) -> Merged:
    """Keep readings, in the order of their receipt; whoever calls has locked their devices and kept their messages.

    `taken_before` are the messages of which some rows may stand already; `replaced_ms` is when each was received.
    Where all are new, which is nearly always, this is one statement.
    """
    fresh = [(*key, *said, 0, message) for key, said, message in rows if message not in taken_before]
    inserted = insert_missing(conn, hub_reading_table, MEMBERS, fresh)
    if inserted == len(rows):
        return Merged.all_new(rows)
    merged = merge(rows, _standing(conn, rows), taken_before)
    missing = [(*key, *said, 0, message) for key, said, message in merged.missing]
    insert_many(conn, hub_reading_table, MEMBERS, missing)
    insert_many(
        conn,
        hub_replaced_reading_table,
        REPLACED_MEMBERS,
        [
            (*key, stood.revision, *stood.said, stood.message, replaced_ms[message])
            for (key, _, message), stood in merged.replaced
        ],
    )
    _revise(conn, merged.revised)
    return merged


def _revise(conn: Connection, revised: Mapping[tuple[Any, ...], Standing]) -> None:
    if revised:
        conn.execute(
            REVISED,
            [
                {f"of_{name}": part for name, part in zip(KEY, key, strict=True)}
                | {f"new_{name}": part for name, part in zip(SAID, stands.said, strict=True)}
                | {"new_revision": stands.revision, "new_message": stands.message}
                for key, stands in revised.items()
            ],
        )


def _standing(conn: Connection, rows: Sequence[Row]) -> dict[tuple[Any, ...], Standing]:
    keys = list(dict.fromkeys(key for key, *_ in rows))
    found: dict[tuple[Any, ...], Standing] = {}
    for start in range(0, len(keys), LOOKED_UP_MAX):
        looked_up = keys[start : start + LOOKED_UP_MAX]
        for number, *said, revision, message in conn.execute(_lookup(conn.dialect.name), {GIVEN: as_given(looked_up)}):
            found[looked_up[number]] = Standing(tuple(said), revision, message)
    return found


@lru_cache
def _lookup(dialect: str) -> Select[Any]:
    g, r = given(dialect, KEY), hub_reading_table.c
    same = and_(*(r[name] == g.c[name] for name in KEY))
    picked = (*(r[name] for name in SAID), r.revision, r.message)
    return select(g.c.n, *picked).select_from(g.join(hub_reading_table, same))
