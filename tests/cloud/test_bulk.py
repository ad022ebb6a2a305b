"""Writes that arrive side by side: durable together, each with its own result, and one that fails undoes no other."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Index, MetaData, Table, select
from sqlalchemy.exc import IntegrityError

from cloud import bulk as bulk_module
from cloud.bulk import GIVEN, Group, as_given, given, insert_many
from cloud.database import RAW, STRICT, TEXT, WHOLE, Database
from cloud.errors import Unavailable

type NewUrl = Callable[[Path], str]

kept = Table(
    "kept",
    MetaData(),
    Column("name", TEXT, primary_key=True),
    Column("count", WHOLE, nullable=False),
    Column("raw", RAW),
    Index("ix_kept_count", "count"),
    **STRICT,
)
NAMES = ("name", "count", "raw")


@pytest.fixture
async def database(new_url: NewUrl, tmp_path: Path) -> AsyncIterator[Database]:
    """Open a database with one table."""
    opened = Database(new_url(tmp_path))
    await opened.write(kept.create)
    yield opened
    opened.dispose()


class Keeper:
    """Keeps names, and remembers which came in one transaction."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []

    def __call__(self, conn: Connection, items: Sequence[str]) -> list[int]:
        """Keep names; a name that is there breaks the key."""
        self.groups.append(list(items))
        insert_many(conn, kept, NAMES, [(name, len(items), None) for name in items])
        return [len(self.groups)] * len(items)


def grouped(database: Database, keeper: Keeper) -> Group[str, int]:
    """Group names, those with the same first letter one after another."""
    return Group(database, keeper, lane=lambda _: 0, key=lambda name: name[0])


async def names(database: Database) -> list[str]:
    """Return what is kept."""
    return await database.read(lambda conn: list(conn.execute(select(kept.c.name).order_by(kept.c.name)).scalars()))


async def test_what_comes_side_by_side_shares_a_transaction(database: Database) -> None:
    """The first goes at once; what came meanwhile goes together, and each caller hears of its own transaction."""
    keeper = Keeper()
    group = grouped(database, keeper)
    first = asyncio.create_task(group.write("a"))
    await asyncio.sleep(0)
    rest = await asyncio.gather(*(group.write(name) for name in "bcdefgh"))
    assert await first == 1
    assert keeper.groups[0] == ["a"]
    assert sorted(name for names in keeper.groups[1:] for name in names) == list("bcdefgh")
    assert len(keeper.groups) == 2
    assert rest == [2] * 7
    assert await names(database) == list("abcdefgh")


async def test_of_one_key_only_one_is_in_a_transaction_and_they_keep_their_order(database: Database) -> None:
    """A site's batches follow each other: the second is judged by what the first has left."""
    keeper = Keeper()
    group = grouped(database, keeper)
    await asyncio.gather(*(group.write(name) for name in ("x", "a1", "a2", "b1", "a3", "b2")))
    for together in keeper.groups:
        assert len({name[0] for name in together}) == len(together)
    order = [name for together in keeper.groups for name in together]
    assert [name for name in order if name[0] == "a"] == ["a1", "a2", "a3"]
    assert [name for name in order if name[0] == "b"] == ["b1", "b2"]


async def test_one_that_fails_undoes_no_other(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Its group is undone, then each goes alone: only the caller whose fault it is hears of it."""
    group = grouped(database, Keeper())
    assert await group.write("twice") == 1
    results = await asyncio.gather(
        group.write("a"), *(group.write(name) for name in ("b", "twice", "c")), return_exceptions=True
    )
    assert [isinstance(result, IntegrityError) for result in results] == [False, False, True, False]
    assert await names(database) == ["a", "b", "c", "twice"]
    assert [record.message for record in caplog.records] == ["a group of writes failed, each is tried alone"]
    caplog.clear()


async def test_a_database_that_fails_is_told_to_all(database: Database) -> None:
    """No item is at fault, so none is tried alone: each would only wait for the same again."""
    tried: list[int] = []

    def fail(_: Connection, items: Sequence[str]) -> list[int]:
        tried.append(len(items))
        raise Unavailable("the disk is full")

    group = Group(database, fail, lane=lambda _: 0, key=lambda name: name)
    results = await asyncio.gather(*(group.write(name) for name in "abc"), return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert sum(tried) == 3
    assert len(tried) <= 2


async def test_a_caller_that_leaves_keeps_nobody(database: Database) -> None:
    """Its write goes on, as it may have been under way; the others are answered."""
    group = grouped(database, Keeper())
    tasks = [asyncio.create_task(group.write(name)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert await group.write("d") > 0
    assert await names(database) == list("abcd")


async def test_callers_do_not_wait_without_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound they are told to come again; who waits already is served."""
    monkeypatch.setattr(bulk_module, "WAITING_MAX", 4)
    group = grouped(database, Keeper())
    results = await asyncio.gather(*(group.write(name) for name in "abcdef"), return_exceptions=True)
    assert [isinstance(result, Unavailable) for result in results] == [False] * 4 + [True] * 2
    assert await names(database) == list("abcd")


async def test_a_group_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of many is not kept waiting for the last."""
    monkeypatch.setattr(bulk_module, "GROUP_MAX", 3)
    keeper = Keeper()
    await asyncio.gather(*(grouped_write for grouped_write in map(grouped(database, keeper).write, "abcdefgh")))
    assert max(map(len, keeper.groups)) == 3
    assert await names(database) == list("abcdefgh")


async def test_given_rows_are_a_table(database: Database) -> None:
    """They join with what is kept, in any number, by one text of a statement; NULL stays NULL."""
    rows = [("ä'\"", 2**53, b"\x00\xff"), ("b", -1, None)]

    def looked_up(conn: Connection) -> list[tuple[int, int, int | None]]:
        insert_many(conn, kept, NAMES, rows)
        insert_many(conn, kept, NAMES, [])
        g = given(conn.dialect.name, {"name": TEXT, "other": WHOLE})
        found = select(g.c.n, kept.c.count, g.c.other).join_from(g, kept, kept.c.name == g.c.name).order_by(g.c.n)
        wanted = as_given([("b", 7), ("nobody", 8), ("ä'\"", None)])
        return [tuple(row) for row in conn.execute(found, {GIVEN: wanted})]

    assert await database.write(looked_up) == [(0, -1, 7), (2, 2**53, None)]
    stored = await database.read(lambda conn: [tuple(row) for row in conn.execute(select(kept).order_by(kept.c.count))])
    assert stored == [("b", -1, None), ("ä'\"", 2**53, b"\x00\xff")]
