"""Killed at any moment while it settles, the cloud goes on where it was; its ledger is the one it would have been."""

import asyncio
from collections.abc import Callable
from pathlib import Path
import random
import subprocess
import sys
import time

import pytest
from sqlalchemy import Connection, select

from cloud.config import Config
from cloud.database import Database
from cloud.ledger.store import account_table, entry_table, ledger_head_table, posting_table
from cloud.settlement.job import settle
from cloud.settlement.store import settled_interval_table, settled_owner_interval_table, settled_without_table
from cloud.wire import Quality

from .audited import HOUSE, Signer
from .ground import HALF_HOUR, NOON, found
from .test_audit import audited

KILLS = 20
INTERVALS = 960
NOW = NOON + INTERVALS * HALF_HOUR
LATEST_S = 0.2  # a child that is not killed needs many times this to settle everything
ROOT = Path(__file__).parents[2]
BOOKS = (
    *(account_table, entry_table, ledger_head_table, posting_table),
    *(settled_interval_table, settled_owner_interval_table, settled_without_table),
)


def month(conn: Connection) -> None:
    """Let a community live through many intervals, with another energy in each."""
    found(conn)
    house = Signer("house", HOUSE)
    house.join(conn)
    for first in range(0, INTERVALS, 120):
        rows: dict[str, list[tuple[int, int, Quality]]] = {
            "main": [(700 + number, 0, "ok") for number in range(first, first + 120)],
            "ev": [(300 + number % 7, 0, "ok") for number in range(first, first + 120)],
            "pv": [(0, 400 + number % 11, "ok") for number in range(first, first + 120)],
        }
        house.send(conn, NOON + first * HALF_HOUR, rows, NOW)


def books(conn: Connection) -> list[list[tuple[object, ...]]]:
    """Return every row of the ledger and of what was settled."""
    return [[tuple(row) for row in conn.execute(select(t).order_by(*t.primary_key.columns))] for t in BOOKS]


def undisturbed(folder: Path, prepare: Callable[[Connection], None]) -> list[list[tuple[object, ...]]]:
    """Return the books of a cloud that settled the same without being killed."""

    async def run() -> list[list[tuple[object, ...]]]:
        database = Database(f"sqlite:///{folder}/undisturbed.db")
        account_table.metadata.create_all(database.engine)
        await database.write(prepare)
        assert await settle(database, NOW) == INTERVALS
        kept = await database.read(books)
        database.dispose()
        return kept

    return asyncio.run(run())


SALTED = "5a"  # in place of chance: two runs are only then to be compared


def child(url: str, after_s: float | None) -> bool:
    """Settle in a child that is killed so long after it began, or never; tell whether it came to its end."""
    command = [sys.executable, "-m", "tests.cloud.settle_child", url, str(NOW)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        if after_s is not None:
            time.sleep(after_s)
            process.kill()
        return process.stdout.read() == b"done\n"


def test_killed_at_any_moment_the_ledger_is_the_same_to_the_byte(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty times dead while it settles; the audit is clean, and every row is that of an undisturbed run."""
    monkeypatch.setattr("secrets.token_hex", lambda length: SALTED * length)
    seed = random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    database = Database(config.database_url)
    asyncio.run(database.write(month))
    ended = sum(child(config.database_url, chance.uniform(0, LATEST_S)) for _ in range(KILLS))
    settled = len(asyncio.run(database.read(books))[4])
    sys.stdout.write(f"{ended} of {KILLS} came to their end; {settled} of {INTERVALS} intervals settled\n")
    assert ended <= KILLS // 2, "hardly anything was killed at work"
    assert settled > 0, "everything was killed before it began"
    assert child(config.database_url, None)
    kept = asyncio.run(database.read(books))
    database.dispose()
    findings, report = audited(config)
    assert findings == []
    assert (report.intervals, report.entries, report.readings) == (INTERVALS, INTERVALS, 3 * INTERVALS)
    assert kept == undisturbed(tmp_path, month)
