"""One schema from a file to a cluster: what holds of every table and every transaction."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
import sqlite3

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
import pytest
from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    create_engine,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from cloud import database as database_module, schema
from cloud.database import BUCKETS, STRICT, TEXT, WHOLE, Database, bucket_of, insert_new, new_id, upsert
from cloud.errors import ConfigError, SchemaError, Unavailable
from cloud.schema.tables import metadata
from cloud.wire.strict import IDENTIFIER

counter = Table(
    "counter", MetaData(), Column("name", TEXT, primary_key=True), Column("count", WHOLE, nullable=False), **STRICT
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a database with one table."""
    opened = Database(f"sqlite:///{tmp_path}/test.db")
    await opened.write(counter.create)
    await opened.write(lambda conn: conn.execute(counter.insert().values(name="a", count=0)))
    yield opened
    opened.dispose()


def count(conn: Connection) -> int:
    """Return the counter."""
    found: int = conn.execute(select(counter.c.count).filter_by(name="a")).scalar_one()
    return found


def add(conn: Connection, amount: int) -> int:
    """Read, think, write: what two writers at once would lose."""
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
    with pytest.raises(Unavailable):
        await database.read(add, 1)
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


async def test_what_is_written_is_on_the_disk(database: Database) -> None:
    """WAL with a sync at every commit: measured to lose nothing in a power cut, which NORMAL does."""
    for run in (database.write, database.read):
        assert await run(lambda conn: conn.execute(text("PRAGMA synchronous")).scalar_one()) == 2
        assert await run(lambda conn: conn.execute(text("PRAGMA journal_mode")).scalar_one()) == "wal"
        assert await run(lambda conn: conn.execute(text("PRAGMA foreign_keys")).scalar_one()) == 1


@pytest.mark.parametrize("value", [2**63, "1x", 1.5])
async def test_a_number_is_a_whole_number_of_64_bits(database: Database, value: object) -> None:
    """SQLite alone would keep text, fractions and what is too large as something else."""
    with pytest.raises((IntegrityError, OverflowError)):
        await database.write(lambda conn: conn.exec_driver_sql("INSERT INTO counter VALUES ('b', ?)", (value,)))


async def test_another_process_that_writes_is_waited_for_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the caller is told to come again, and it works once the other is done."""
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 50)
    mine = Database(f"sqlite:///{tmp_path}/test.db")
    await mine.write(counter.create)
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        await mine.write(lambda conn: conn.execute(counter.insert().values(name="a", count=0)))
    other.execute("ROLLBACK")
    other.close()
    await mine.write(lambda conn: conn.execute(counter.insert().values(name="a", count=0)))
    assert await mine.read(count) == 0
    mine.dispose()


async def test_writers_do_not_wait_without_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound they are told to come again; who waits already is served."""
    monkeypatch.setattr(database_module, "WRITES_WAITING_MAX", 10)
    results = await asyncio.gather(*(database.write(add, 1) for _ in range(30)), return_exceptions=True)
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


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_can_be_spread_over_a_cluster(table: Table) -> None:
    """Strict; whole numbers of 64 bits, text or bytes; and whatever has a bucket has it first in every key."""
    assert table.dialect_options["sqlite"]["strict"]
    assert {type(column.type).__name__ for column in table.columns} <= {"BigInteger", "Text", "LargeBinary"}
    assert all(column.autoincrement is not True for column in table.columns)
    if "bucket" in table.columns:
        for constraint in table.constraints:
            if isinstance(constraint, (PrimaryKeyConstraint, UniqueConstraint, ForeignKeyConstraint)):
                assert next(iter(constraint.columns)).name == "bucket", constraint
        assert all(key.column.name == "bucket" for key in table.columns["bucket"].foreign_keys)
    else:
        assert not table.foreign_keys


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_can_be_made_in_postgresql(table: Table) -> None:
    """No type or default of SQLite's own, and no serial."""
    made = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "STRICT" not in made
    assert "SERIAL" not in made


def schema_of(conn: Connection) -> list[tuple[str, str, str]]:
    """Return every table and index as SQLite was told to make it, but for white space and the order of constraints."""
    rows = conn.execute(
        text("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name <> :own"),
        {"own": "alembic_version"},
    )
    return sorted((kind, name, " ".join(sorted(sql.replace(",", " ").split()))) for kind, name, sql in rows)


def test_the_migrations_make_what_the_rooms_declare(tmp_path: Path) -> None:
    """Column for column, and also the checks and strictness, which a comparison of metadata does not see."""
    migrated = create_engine(f"sqlite:///{tmp_path}/migrated.db")
    declared = create_engine(f"sqlite:///{tmp_path}/declared.db")
    with migrated.begin() as conn, declared.begin() as other:
        schema.migrate(conn)
        metadata.create_all(other)
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert schema_of(conn) == schema_of(other)


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    """An operator may run it at every start."""
    engine = create_engine(f"sqlite:///{tmp_path}/test.db")
    with engine.begin() as conn:
        schema.migrate(conn)
        before = schema_of(conn)
        schema.migrate(conn)
        schema.check(conn)
        assert schema_of(conn) == before


def test_an_unfinished_migration_leaves_nothing(tmp_path: Path) -> None:
    """Cut off before its transaction ends, it never was."""
    database = Database(f"sqlite:///{tmp_path}/test.db")

    def cut(conn: Connection) -> None:
        schema.migrate(conn)
        raise LookupError("the power is gone")

    with pytest.raises(LookupError), database.engine.begin() as conn:
        cut(conn)
    with database.engine.begin() as conn:
        assert schema_of(conn) == []
    database.dispose()


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    """An older program neither serves nor migrates what it does not understand."""
    engine = create_engine(f"sqlite:///{tmp_path}/test.db")
    with engine.begin() as conn:
        with pytest.raises(SchemaError, match="migrate"):
            schema.check(conn)
        schema.migrate(conn)
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for step in (schema.check, schema.migrate):
            with pytest.raises(SchemaError, match="9999"):
                step(conn)
