"""The outbox's file: held by one program alone, of a form known here, verified before anything in it is trusted."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
import logging
import os
from pathlib import Path
import sqlite3

from ..errors import OutboxError
from ..wire import digest

_LOGGER = logging.getLogger(__name__)

APPLICATION_ID = 0x43574F42  # "CWOB"
SCHEMA_VERSION = 4
CHECKPOINT_PAGES = 1000  # SQLite's own default: 4 MB of what was written last may lie beside the file
RESERVE_BYTES = 1024 * 1024  # on a full disk even deleting needs space: giving this up makes room to go on

SCHEMA = (
    """CREATE TABLE interval (
        start INTEGER PRIMARY KEY, seconds INTEGER NOT NULL, tree_rev INTEGER, body TEXT NOT NULL, mark TEXT NOT NULL,
        epoch INTEGER, seq INTEGER) STRICT""",
    "CREATE INDEX interval_by_batch ON interval (seq, epoch)",
    """CREATE TABLE incident (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, tap TEXT, detail TEXT,
        epoch INTEGER, seq INTEGER) STRICT""",
    "CREATE INDEX incident_by_batch ON incident (seq, epoch)",
    """CREATE TABLE tree (
        rev INTEGER PRIMARY KEY, valid_from INTEGER NOT NULL, body TEXT NOT NULL, mark TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('kept', 'acknowledged', 'refused'))) STRICT""",
    """CREATE TABLE batch (
        epoch INTEGER NOT NULL, seq INTEGER NOT NULL, prev TEXT NOT NULL, raw BLOB NOT NULL, hash TEXT NOT NULL,
        signature TEXT NOT NULL, mark TEXT NOT NULL, acked_at INTEGER, result TEXT, reason TEXT,
        PRIMARY KEY (epoch, seq), CHECK (acked_at IS NULL OR result IS NOT NULL)) STRICT""",
    "CREATE INDEX batch_to_send ON batch (epoch, seq) WHERE result IS NULL",
    "CREATE TABLE notice (id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT",
    "CREATE TABLE keepsake (name TEXT PRIMARY KEY, body TEXT NOT NULL, mark TEXT NOT NULL) STRICT",
)
SCHEMA_SINCE: Mapping[int, tuple[str, ...]] = {
    2: (
        """CREATE TABLE paper (
            kind TEXT NOT NULL, name TEXT NOT NULL, raw BLOB NOT NULL, signature TEXT NOT NULL,
            kept_at INTEGER NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (kind, name)) STRICT""",
    ),
    3: (
        """CREATE TABLE amendment (
            start INTEGER PRIMARY KEY, seconds INTEGER NOT NULL, tree_rev INTEGER, body TEXT NOT NULL,
            mark TEXT NOT NULL, epoch INTEGER, seq INTEGER) STRICT""",
    ),
    4: (
        """CREATE TABLE record (
            id INTEGER PRIMARY KEY, cable TEXT NOT NULL, hash TEXT NOT NULL, kept_at INTEGER NOT NULL, ocmf TEXT,
            mark TEXT NOT NULL, epoch INTEGER, seq INTEGER, UNIQUE (cable, hash)) STRICT""",
        "CREATE INDEX record_waiting ON record (id) WHERE seq IS NULL",
        "CREATE INDEX record_by_batch ON record (seq, epoch)",
    ),
}


def mark_of(*members: object) -> str:
    """Return the check text of a row over the members that must not change unseen."""
    return digest("\n".join(str(member) for member in members).encode())


class Database:
    """The connection, opened again after a failure of the disk; every error leaves it as OutboxError.

    After a failed write nobody knows what the disk holds, so nothing goes on over the old connection: the file is
    opened and verified anew by the next call, and `generation` tells the owner that it must ask the cloud again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._rests = False
        self.generation = 0

    def read[T](self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what a query finds."""
        with self._errors():
            return query(self._open())

    def write[T](self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Make a change in one transaction that is on the disk when this returns; on a full disk, with the reserve."""
        with self._errors():
            connection = self._open()
            try:
                return _commit(connection, change)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL or not self._reserve.exists():
                    raise
                _LOGGER.warning("The disk of the outbox is full: going on with its reserve")
                self._reserve.unlink()
            return _commit(connection, change)

    def open(self) -> None:
        """Take the file, creating it if it is not there, and verify it."""
        with self._errors():
            self._open()

    def close(self) -> None:
        """Give the file free."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def rest(self) -> None:
        """Bring everything into the one file and leave that file as it is until `resume`: a copy of it is whole.

        What is written meanwhile is as durable as ever, but lies beside it.
        """
        self._rests = True
        with self._errors():
            connection = self._open()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # nobody else holds the file, so it is done at once
            _rest(connection)

    def resume(self) -> None:
        """Let the file follow what is written again."""
        self._rests = False
        if self._connection is not None:
            with self._errors():
                self._connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, False)
                self._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")

    @property
    def _reserve(self) -> Path:
        return self._path.with_name(f"{self._path.name}.reserve")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            if not self._path.exists():
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._path.touch(mode=0o600)
            if not self._reserve.exists():
                _write_reserve(self._reserve)
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            try:
                _prepare(connection)
                verify(connection)
                if self._rests:
                    _rest(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self.generation += 1
        return self._connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a second thread, or a closed cursor: we are wrong, not the disk
        except sqlite3.Error as error:
            kind = error.sqlite_errorcode & 0xFF
            if kind != sqlite3.SQLITE_FULL:
                self.close()
            raise OutboxError(
                "another program holds it" if kind == sqlite3.SQLITE_BUSY else f"database: {error}"
            ) from error
        except OSError as error:
            raise OutboxError(f"file: {error.strerror}") from error


def _commit[T](connection: sqlite3.Connection, change: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcome = change(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcome


def _rest(connection: sqlite3.Connection) -> None:
    """Keep SQLite from writing into the file by itself, at the end of the connection too."""
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)


def _prepare(connection: sqlite3.Connection) -> None:
    """Take the lock for as long as the connection lives; create the tables, or refuse a file of another form."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    [application], [version] = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise OutboxError("the file is no outbox")
    if version > SCHEMA_VERSION:
        raise OutboxError(f"the file was written by a newer version ({version}, known here: {SCHEMA_VERSION})")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    if version < SCHEMA_VERSION:
        statements = SCHEMA if version == 0 else ()
        newer = [change for since in sorted(SCHEMA_SINCE) if since > version for change in SCHEMA_SINCE[since]]
        for statement in (*statements, *newer):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def verify(connection: sqlite3.Connection) -> None:
    """Prove every row that is evidence, and the chain of batches; raises OutboxError and deletes nothing."""
    last: tuple[int, int, str] | None = None
    rows = connection.execute("SELECT epoch, seq, prev, raw, hash, signature, mark FROM batch ORDER BY epoch, seq")
    for epoch, seq, prev, raw, its_hash, signature, mark in rows:
        if digest(raw) != its_hash or mark != mark_of(epoch, seq, prev, its_hash, signature):
            raise OutboxError(f"batch {epoch}/{seq} is not as it was stored")
        if last is not None and last[0] == epoch and (seq, prev) != (last[1] + 1, last[2]):
            raise OutboxError(f"the chain breaks before batch {epoch}/{seq}")
        last = epoch, seq, its_hash
    for table, members in (
        ("interval", "start, seconds, tree_rev, body"),
        ("amendment", "start, seconds, tree_rev, body"),
        ("tree", "rev, valid_from, body"),
        ("keepsake", "name, body"),
        ("paper", "kind, name, raw, signature, kept_at"),
        ("record", "cable, hash, kept_at"),
    ):
        for *protected, mark in connection.execute(f"SELECT {members}, mark FROM {table}"):  # noqa: S608 our own words
            if mark != mark_of(*protected):
                raise OutboxError(f"{table} {protected[0]} is not as it was stored")
    for cable, ocmf, its_hash in connection.execute("SELECT cable, ocmf, hash FROM record WHERE ocmf IS NOT NULL"):
        if digest(ocmf.encode()) != its_hash:
            raise OutboxError(f"a record of {cable} is not as it was stored")


def _write_reserve(path: Path) -> None:
    try:
        with path.open("wb") as file:
            file.write(bytes(RESERVE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        _LOGGER.warning("The outbox has no reserve: %s", error.strerror)
