"""Posting to the ledger, durable, beside SQLite's own insertion of the same rows."""

from collections.abc import Sequence
from contextlib import closing
from itertools import batched
from pathlib import Path
import sqlite3
import tempfile
import time

from cloud.database import Database, bucket_of
from cloud.ledger import store
from cloud.ledger.account import GRID, owner_account
from cloud.ledger.posting import Entry, postings_of
from cloud.schema.tables import metadata
from cloud.wire import digest

from .figure import Figure

COMMUNITY = "lane"
OWNERS = 100
TOGETHER = 16  # entries in a transaction, as the settler posts a backlog
TIMES = 3
GOAL = 0.5
BARE = """CREATE TABLE posting (bucket INTEGER, community TEXT, number INTEGER, account TEXT, amount_micro INTEGER,
    PRIMARY KEY (bucket, community, number, account)) STRICT"""

type Entries = Sequence[tuple[Entry, bytes]]


def measure(seconds: float, seed: int) -> list[Figure]:
    """Measure postings a second of wall time, the best of some runs: one entry per interval, a leg for every owner."""
    entries = [_entry(number, seed) for number in range(max(TOGETHER, int(seconds * 100)))]
    postings = sum(len(entry.postings) for entry, _ in entries)
    limit = postings / min(_bare_s(entries) for _ in range(TIMES))
    ours = postings / min(_ours_s(entries) for _ in range(TIMES))
    return [Figure("ledger, durable, 100 owners", "postings/s", "executemany of postings", limit, ours, GOAL)]


def _entry(number: int, seed: int) -> tuple[Entry, bytes]:
    amounts = {f"owner:owner-{place:03}": (number * 7 + place * 13 + seed) % 5000 + 1 for place in range(OWNERS)}
    document = b"%d" % number * 1000  # as long as what 100 owners' nets are written in
    legs = postings_of(amounts | {GRID.id: -sum(amounts.values())})
    return Entry(COMMUNITY, f"energy:{number}", number, number, digest(document), legs), document


def _bare_s(entries: Entries) -> float:
    """Return the time of inserting the postings alone, with their key, as many in a commit."""
    bucket = bucket_of(COMMUNITY)
    groups = [
        [
            (bucket, COMMUNITY, entry.valued_at + 1, leg.account, leg.amount_micro)
            for entry, _ in group
            for leg in entry.postings
        ]
        for group in batched(entries, TOGETHER, strict=False)
    ]
    with (
        tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder,
        closing(sqlite3.connect(f"{folder}/bare.db", isolation_level=None)) as connection,
    ):
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", BARE):
            connection.execute(statement)
        begun = time.perf_counter()
        for rows in groups:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO posting VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        return time.perf_counter() - begun


def _ours_s(entries: Entries) -> float:
    """Return the time of posting with every guard: hashes, documents, sums read back, balances, the chain's head."""
    with tempfile.TemporaryDirectory(prefix="commonwatt-bench-") as folder:
        database = Database(f"sqlite:///{Path(folder)}/ledger.db")
        try:
            metadata.create_all(database.engine)
            accounts = [GRID, *(owner_account(f"owner-{place:03}") for place in range(OWNERS))]
            with database.engine.begin() as conn:
                store.open_accounts(conn, COMMUNITY, accounts, 0)
            begun = time.perf_counter()
            for group in batched(entries, TOGETHER, strict=False):
                with database.engine.begin() as conn:
                    store.post_all(conn, group)
            return time.perf_counter() - begun
        finally:
            database.dispose()
