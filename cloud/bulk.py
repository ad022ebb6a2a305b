"""Many at once: rows given to a statement, rows inserted together, and many callers' writes in one transaction.

A statement costs the program far more than a row does, and a commit more than either. So what arrives side by side is
looked up by one statement, judged in Python and written by a few:

    g = given(conn.dialect.name, {"community": TEXT, "site": TEXT})
    rows = conn.execute(select(...).select_from(g.join(...)), {GIVEN: as_given([("lane", "home"), ...])})
    insert_many(conn, reading_table, ("community", "site", ...), rows)

    kept = await Group(database, store.keep_all, lane=bucket, key=site).write(arrival)  # one transaction, many callers
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
import json
import logging
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    Subquery,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.types import TypeEngine

from .database import TEXT, Database
from .errors import Unavailable

GIVEN: Final = "given"  # the parameter that holds the rows given to a statement
GROUP_MAX = 128  # writes in one transaction: beyond, a commit weighs little, and the first waits for the last
LINGER_SECONDS = 0.005  # when others come side by side: fewer, larger transactions cost less than half the processor
WAITING_MAX = 2000  # beyond, callers are told to come again instead of waiting without end

LOGGER = logging.getLogger(__name__)


def given(dialect: str, columns: Mapping[str, TypeEngine[Any]]) -> Subquery:
    """Return rows given as a parameter as if they were a table: `n`, their number from 0 on, and these columns.

    However many there are, the statement stays the same text, and is compiled and planned once.
    """
    named = {"n": BigInteger(), **columns}
    if dialect == "postgresql":
        items = func.json_array_elements(cast(bindparam(GIVEN, type_=TEXT), JSON)).table_valued(column("value", JSON))
        picked: list[ColumnElement[Any]] = [
            cast(items.c.value.op("->>")(place), kind) for place, kind in enumerate(named.values())
        ]
    else:
        items = func.json_each(bindparam(GIVEN, type_=TEXT)).table_valued("value")
        picked = [
            func.json_extract(items.c.value, literal_column(f"'$[{place}]'"), type_=kind)
            for place, kind in enumerate(named.values())
        ]
    return select(*(value.label(name) for name, value in zip(named, picked, strict=True))).subquery("given")


def as_given(rows: Sequence[Sequence[int | str | None]]) -> str:
    """Return rows as the parameter of a statement over `given`."""
    return json.dumps([(number, *row) for number, row in enumerate(rows)], separators=(",", ":"))


def insert_many(conn: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, whose members are in the order of `names`, by one statement."""
    if rows:
        _run(conn, _insert(conn.dialect.name, table, names), rows)


def insert_missing(conn: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert those rows whose key is not there yet, of equal keys the first; return how many were inserted."""
    if not rows:
        return 0
    return _run(conn, _insert(conn.dialect.name, table, names) + " ON CONFLICT DO NOTHING", rows)


def _run(conn: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> int:
    if conn.dialect.name == "postgresql":
        return conn.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True)))).rowcount
    return conn.exec_driver_sql(statement, list(rows)).rowcount


@lru_cache
def _insert(dialect: str, table: Table, names: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    if dialect != "postgresql":
        return f"INSERT INTO {table.name} ({listed}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - our names
    arrays = ", ".join(f"%s::{_array(table.c[name].type)}" for name in names)
    return f"INSERT INTO {table.name} ({listed}) SELECT * FROM unnest({arrays})"  # noqa: S608 - our names


def _array(kind: TypeEngine[Any]) -> str:
    """Return PostgreSQL's name of an array of one of the three types that columns have here."""
    match kind:
        case BigInteger():
            return "bigint[]"
        case Text():
            return "text[]"
        case _:
            assert isinstance(kind, LargeBinary)
            return "bytea[]"


class Group[T, R]:
    """Writes that arrive while one transaction runs share the next one, which is durable before any is answered.

    `fn` gets the connection and the items of one transaction, and returns a result for each. Items of one `lane` go
    one transaction after another, those of different lanes side by side; of items with the same `key` only one is in
    a transaction, and they keep their order.
    """

    def __init__(
        self,
        database: Database,
        fn: Callable[[Connection, Sequence[T]], Sequence[R]],
        *,
        lane: Callable[[T], Hashable],
        key: Callable[[T], Hashable],
    ) -> None:
        """Begin with nobody waiting."""
        self._database = database
        self._fn = fn
        self._lane = lane
        self._key = key
        self._waiting: defaultdict[Hashable, list[Waiting[T, R]]] = defaultdict(list)
        self._running: dict[Hashable, asyncio.Task[None]] = {}
        self._count = 0

    async def write(self, item: T) -> R:
        """Have an item written together with others; it is on stable storage when this returns."""
        if self._count >= WAITING_MAX:
            raise Unavailable(f"{WAITING_MAX} writes are waiting for the database")
        lane = self._lane(item)
        waiting = Waiting[T, R](item, asyncio.get_running_loop().create_future())
        self._waiting[lane].append(waiting)
        if lane not in self._running:
            self._running[lane] = asyncio.create_task(self._run(lane), name="group")
        self._count += 1
        try:
            return await waiting.result
        finally:
            self._count -= 1

    async def _run(self, lane: Hashable) -> None:
        """Write what waits in a lane until nothing does."""
        try:
            await self._together(self._taken(lane))
            while self._waiting[lane]:
                if len(self._waiting[lane]) < GROUP_MAX:
                    await asyncio.sleep(LINGER_SECONDS)
                await self._together(self._taken(lane))
        finally:
            del self._waiting[lane], self._running[lane]

    def _taken(self, lane: Hashable) -> list[Waiting[T, R]]:
        """Take the next group out of a lane: the first of each key, and leave the rest in its order."""
        group: list[Waiting[T, R]] = []
        rest: list[Waiting[T, R]] = []
        keys = set()
        for waiting in self._waiting[lane]:
            key = self._key(waiting.item)
            (rest if key in keys or len(group) == GROUP_MAX else group).append(waiting)
            keys.add(key)
        self._waiting[lane] = rest
        return group

    async def _together(self, group: Sequence[Waiting[T, R]]) -> None:
        """Write a group in one transaction; where that fails, each alone, so that one does not undo the others."""
        items = [waiting.item for waiting in group]
        [outcome] = await asyncio.gather(self._database.write(self._fn, items), return_exceptions=True)
        if not isinstance(outcome, BaseException):
            for waiting, result in zip(group, outcome, strict=True):
                waiting.end(result)
        elif len(group) == 1 or isinstance(outcome, Unavailable):  # no item's fault: alone, each would wait as long
            for waiting in group:
                waiting.fail(outcome)
        else:
            LOGGER.error(
                "a group of writes failed, each is tried alone", exc_info=outcome, extra={"writes": len(group)}
            )
            for waiting in group:
                await self._together([waiting])


@dataclass(frozen=True, slots=True)
class Waiting[T, R]:
    """An item that waits for its transaction, and its caller for the result."""

    item: T
    result: asyncio.Future[R]

    def end(self, result: R) -> None:
        """Give the caller the result, unless it has left."""
        if not self.result.done():
            self.result.set_result(result)

    def fail(self, error: BaseException) -> None:
        """Let the caller hear what went wrong, unless it has left."""
        if not self.result.done():
            self.result.set_exception(error)
