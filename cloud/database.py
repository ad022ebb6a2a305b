"""Where the rooms keep facts: one SQLAlchemy Core schema, SQLite or PostgreSQL by its URL, one transaction a call.

How a room uses it. Its `store.py` declares tables on `metadata` and offers plain functions that take a `Connection`
first; they neither begin nor commit:

    account = Table("account", metadata, bucket_column(), Column("community", TEXT, primary_key=True), ..., **STRICT)

    def balance(conn: Connection, community: str, owner: str) -> int: ...

`http.py` and `job.py` run one such function as one transaction, in a thread:

    micro = await database.read(store.balance, community, owner)        # a consistent snapshot, writing is refused
    result = await database.write(store.post_entry, community, entry)   # durable when it returns, undone if it raises

Rules that keep one code base from a file to a cluster: `bucket` (`bucket_of(community)`) is the first column of every
primary, unique and foreign key of a community's tables; whole numbers are `WHOLE`, never a serial; ids are natural or
`new_id()`; JSON is text; writing twice goes through `insert_new` or `upsert`. PostgreSQL runs writes side by side, so
a read-decide-write on one thing locks its row first: `select(...).with_for_update()`, which SQLite does not need.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import sqlite3
from typing import Any, Concatenate, Final
import uuid
from zlib import crc32

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    literal,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from .errors import ConfigError, Unavailable

BUCKETS = 1024  # how finely communities spread over a cluster
THREADS = 8  # transactions at once: more than the cores of one machine keep busy
WRITES_WAITING_MAX = 2000  # beyond, callers are told to come again instead of waiting without end
BUSY_TIMEOUT_MS = 5000  # how long a writer waits for another process

WHOLE: Final = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT: Final = Text()
RAW: Final = LargeBinary()
STRICT: Final[dict[str, Any]] = {"sqlite_strict": True}  # else SQLite would turn 2**63 silently into a float

QUIET: Final[dict[str, Any]] = {"hide_parameters": True}  # what was to be stored does not belong into a log

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def bucket_of(community: str) -> int:
    """Return the bucket a community and everything it owns lies in."""
    return crc32(community.encode()) % BUCKETS


def bucket_column() -> Column[int]:
    """Return the first column of every table a community owns."""
    return Column("bucket", WHOLE, primary_key=True, autoincrement=False)


def new_id() -> str:
    """Return a new id, unique in the world and growing with time (UUIDv7)."""
    return str(uuid.uuid7())


def insert(conn: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT of this connection's dialect: it knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return postgresql.insert(table) if conn.dialect.name == "postgresql" else sqlite.insert(table)


def insert_new(conn: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless one of its unique keys is there already; tell whether it was inserted."""
    row = insert(conn, table).values(dict(values)).on_conflict_do_nothing()
    return conn.execute(row.returning(literal(1))).first() is not None  # PostgreSQL's driver does not count the rows


def upsert(conn: Connection, table: Table, key: Sequence[str], values: Mapping[str, Any]) -> None:
    """Insert a row, or give the row with this key the other values."""
    row = insert(conn, table).values(dict(values))
    others = {name: row.excluded[name] for name in values if name not in key}
    conn.execute(row.on_conflict_do_update(index_elements=[*key], set_=others))


class Database:
    """One process's connections. SQLite has a single writer, so writers queue here instead of fighting for the file."""

    def __init__(self, url: str) -> None:
        """Prepare connections; nothing is opened before the first call."""
        self._writer, self._reader = _engines(url)
        writers = 1 if self.one_writer else THREADS
        self._write_threads = ThreadPoolExecutor(writers, "database-write")
        self._read_threads = ThreadPoolExecutor(THREADS, "database-read")
        self._writes_waiting = 0

    @property
    def one_writer(self) -> bool:
        """Whether writes come one after another, whatever they are about."""
        return self._writer.dialect.name == "sqlite"

    @property
    def engine(self) -> Engine:
        """The engine that writes: for migrations, which bring their own transaction."""
        return self._writer

    async def write[**P, R](self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `fn(conn, …)` as one transaction; it is on stable storage when this returns, or undone when it raises."""
        if self._writes_waiting >= WRITES_WAITING_MAX:
            raise Unavailable(f"{WRITES_WAITING_MAX} writes are waiting for the database")
        self._writes_waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._write_threads, lambda: _transaction(self._writer, fn, *args, **kwargs)
            )
        finally:
            self._writes_waiting -= 1

    async def read[**P, R](self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `fn(conn, …)` on one consistent snapshot; a write inside it fails."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._read_threads, lambda: _transaction(self._reader, fn, *args, **kwargs))

    def dispose(self) -> None:
        """Let running transactions end, then close every connection."""
        self._write_threads.shutdown()
        self._read_threads.shutdown()
        self._reader.dispose()
        self._writer.dispose()


def _transaction[**P, R](
    engine: Engine, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
) -> R:
    try:
        with engine.begin() as conn:
            return fn(conn, *args, **kwargs)
    except DBAPIError as error:
        # the bare class is what a broken SQLite file is told by; its other kinds are mistakes of ours
        if not isinstance(error, (OperationalError, InterfaceError)) and type(error) is not DatabaseError:
            raise
        raise Unavailable(f"the database failed: {type(error.orig).__name__}") from error


def _engines(url: str) -> tuple[Engine, Engine]:
    """Return the engine that writes and the one that reads."""
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "postgresql":
            options: dict[str, Any] = {"pool_size": THREADS, "max_overflow": 0, "pool_pre_ping": True, **QUIET}
            writer = create_engine(parsed, **options)
            reader = create_engine(parsed, **options, isolation_level="REPEATABLE READ")
            event.listen(writer, "connect", _wait_only_so_long)
            return writer, reader.execution_options(postgresql_readonly=True)
        if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
            raise ConfigError(f"the database must be sqlite:///<file> or postgresql://…, not {parsed.drivername}")
        return _sqlite_engine(parsed, writes=True), _sqlite_engine(parsed, writes=False)
    except ArgumentError, NoSuchModuleError, ImportError:
        # the URL may hold a password: it is not repeated
        raise ConfigError("the database URL is not of the form sqlite:///<file> or postgresql://…") from None


def _wait_only_so_long(connection: Any, _record: object) -> None:
    """Bound how long a writer waits for a row that another process has locked; PostgreSQL's default is for ever."""
    connection.execute(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
    connection.commit()  # else SQLAlchemy's first rollback would take it back


def _file(url: URL) -> tuple[int, int] | None:
    """Return what tells the file at a URL from another one that may lie there later; None if there is none."""
    try:
        status = Path(url.database or "").stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _sqlite_engine(url: URL, *, writes: bool) -> Engine:
    engine = create_engine(url, pool_size=1 if writes else THREADS, max_overflow=0, **QUIET)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # SQLAlchemy says BEGIN (below), not the driver
        pragmas = ["foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}", "synchronous=FULL"]
        for pragma in [*pragmas, "journal_mode=WAL" if writes else "query_only=ON"]:
            connection.execute(f"PRAGMA {pragma}")
        record.info["file"] = _file(url)

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        if writes and (found := _file(url)) != conn.info["file"]:
            if found is not None:
                conn.invalidate()  # the next one opens the file that lies there now
            raise Unavailable("the database's file was taken away")  # SQLite would go on writing where nobody looks
        conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
