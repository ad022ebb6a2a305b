"""Transactions, on a file and on a server: durable or undone, one after another where they must be, and bounded."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
import threading

import pytest
from sqlalchemy import Column, Connection, MetaData, Table, select, text, update
from sqlalchemy.exc import DataError, IntegrityError, InternalError

from cloud import database as database_module
from cloud.database import BUCKETS, STRICT, TEXT, WHOLE, Database, bucket_of, insert_new, new_id, upsert
from cloud.errors import ConfigError, Unavailable
from cloud.wire.strict import IDENTIFIER

from .conftest import STORES

type NewUrl = Callable[[Path], str]

counter = Table(
    "counter", MetaData(), Column("name", TEXT, primary_key=True), Column("count", WHOLE, nullable=False), **STRICT
)


@pytest.fixture
async def database(new_url: NewUrl, tmp_path: Path) -> AsyncIterator[Database]:
    """Open a database with one table."""
    opened = Database(new_url(tmp_path))
    await opened.write(counter.create)
    await opened.write(lambda conn: conn.execute(counter.insert().values(name="a", count=0)))
    yield opened
    opened.dispose()


def count(conn: Connection) -> int:
    """Return the counter."""
    found: int = conn.execute(select(counter.c.count).filter_by(name="a")).scalar_one()
    return found


def add(conn: Connection, amount: int) -> int:
    """Lock, read, think, write: what two writers at once would lose without the lock."""
    conn.execute(select(counter.c.count).filter_by(name="a").with_for_update())
    now = count(conn) + amount
    conn.execute(update(counter).filter_by(name="a").values(count=now))
    return now


async def test_writers_never_lose_one_another(database: Database) -> None:
    """A hundred at once add up, though each reads before it writes."""
    results = await asyncio.gather(*(database.write(add, 1) for _ in range(100)))
    assert sorted(results) == list(range(1, 101))
    assert await database.read(count) == 100


async def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    """All of it or none."""

    def half(conn: Connection) -> None:
        add(conn, 5)
        raise LookupError("in the middle")

    with pytest.raises(LookupError):
        await database.write(half)
    assert await database.read(count) == 0


async def test_a_reader_cannot_write(database: Database) -> None:
    """What is called a read changes nothing."""
    for write in (add, lambda conn, by: conn.execute(update(counter).values(count=by))):
        with pytest.raises((Unavailable, InternalError)):
            await database.read(write, 1)
    assert await database.read(count) == 0


async def test_a_reader_sees_one_moment(database: Database) -> None:
    """Two questions of one read are answered from the same snapshot, whatever is written between them."""
    loop = asyncio.get_running_loop()

    def twice(conn: Connection) -> tuple[int, int]:
        first = count(conn)
        asyncio.run_coroutine_threadsafe(database.write(add, 1), loop).result(5)
        return first, count(conn)

    assert await database.read(twice) == (0, 0)
    assert await database.read(count) == 1


@pytest.mark.parametrize("store", ["sqlite"])
async def test_what_is_written_is_on_the_disk(database: Database) -> None:
    """WAL with a sync at every commit: measured to lose nothing in a power cut, which NORMAL does."""
    for run in (database.write, database.read):
        assert await run(lambda conn: conn.execute(text("PRAGMA synchronous")).scalar_one()) == 2
        assert await run(lambda conn: conn.execute(text("PRAGMA journal_mode")).scalar_one()) == "wal"
        assert await run(lambda conn: conn.execute(text("PRAGMA foreign_keys")).scalar_one()) == 1


@pytest.mark.parametrize("value", [2**63, "1x"])
async def test_a_number_is_a_whole_number_of_64_bits(database: Database, value: object) -> None:
    """SQLite alone would keep text and what is too large as something else."""
    with pytest.raises((IntegrityError, DataError, OverflowError)):
        await database.write(lambda conn: conn.execute(counter.insert().values(name="b", count=value)))


@pytest.mark.parametrize("store", ["sqlite"])
async def test_a_fraction_is_no_number_of_a_file(database: Database) -> None:
    """PostgreSQL has no fraction to keep in such a column; SQLite would have."""
    with pytest.raises(IntegrityError):
        await database.write(lambda conn: conn.execute(counter.insert().values(name="b", count=1.5)))


async def test_another_process_that_writes_is_waited_for_only_so_long(
    new_url: NewUrl, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the caller is told to come again, and it works once the other is done."""
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 50)
    mine = Database(new_url(tmp_path))
    with database.engine.begin() as other:
        add(other, 1)
        with pytest.raises(Unavailable):
            await mine.write(add, 1)
    assert await mine.write(add, 1) == 2
    mine.dispose()


@pytest.mark.parametrize("store", [STORES[1]])
async def test_a_server_that_hung_up_is_called_again(new_url: NewUrl, tmp_path: Path, database: Database) -> None:
    """Connections that a restart of the server broke are found and replaced before a caller meets them."""
    other = Database(new_url(tmp_path))
    assert await other.read(count) == 0
    hang_up = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = {}"
    await database.write(lambda conn: conn.execute(text(hang_up.format("current_database()"))))
    assert await other.write(add, 1) == 1
    assert await other.read(count) == 1
    other.dispose()


async def test_writers_do_not_wait_without_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound they are told to come again; who waits already is served."""
    monkeypatch.setattr(database_module, "WRITES_WAITING_MAX", 10)
    all_asked = threading.Event()

    def add_then(conn: Connection) -> None:
        all_asked.wait(10)
        add(conn, 1)

    writes = [asyncio.create_task(database.write(add_then)) for _ in range(30)]
    await asyncio.sleep(0)
    all_asked.set()
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(result, Unavailable) for result in results) == 20
    assert await database.read(count) == 10


async def test_upsert_and_insert_new(database: Database) -> None:
    """The first inserts, the second finds it there; upsert changes what is there."""

    def work(conn: Connection) -> tuple[bool, bool, int]:
        created = insert_new(conn, counter, {"name": "b", "count": 1})
        again = insert_new(conn, counter, {"name": "b", "count": 2})
        upsert(conn, counter, ["name"], {"name": "a", "count": 7})
        return created, again, conn.execute(select(counter.c.count).filter_by(name="b")).scalar_one()

    assert await database.write(work) == (True, False, 1)
    assert await database.read(count) == 7


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://u:hunter2@h/d", "x", "", "nosuch+driver://u:hunter2@h/d"]
)
def test_a_database_must_be_one_of_two(url: str) -> None:
    """The message says which, and never repeats a password."""
    with pytest.raises(ConfigError, match="postgresql") as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)


def test_postgresql_is_only_another_url() -> None:
    """The driver is chosen here, so that a plain URL is enough."""
    database = Database("postgresql://u:p@h/d")
    assert database.engine.dialect.driver == "psycopg"
    database.dispose()


def test_buckets_are_stable_and_bounded() -> None:
    """A community never moves: its bucket is part of every key."""
    assert bucket_of("riverside") == 0xA1AE4893 % BUCKETS
    assert {bucket_of(f"community-{number}") for number in range(20_000)} == set(range(BUCKETS))


def test_ids_are_identifiers_that_grow() -> None:
    """Newer ids sort after older ones."""
    made = [new_id() for _ in range(1000)]
    assert made == sorted(set(made))
    assert all(IDENTIFIER.fullmatch(one) for one in made)
