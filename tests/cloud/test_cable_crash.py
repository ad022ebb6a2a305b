"""Killed at any moment while it judges and pays, the cloud goes on where it was: everything is posted once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import Connection

from cloud.__main__ import main
from cloud.config import Config
from cloud.database import Database, bucket_of
from cloud.ingest.batches.store import batch_table
from cloud.settlement.job import settle
from cloud.v2g.audit.store import v2g_findings
from cloud.v2g.job import CableWork
from cloud.v2g.judgement.store import judged_period_table
from cloud.v2g.reward.store import driver_reward_table, rewarded_period_table
from cloud.wire import GENESIS, time_text

from .ground import HALF_HOUR, NOON
from .judgement_ground import claim
from .reward_ground import BASE, DRIVERS, HOSTS, PRICE, SITE, entries, ground, measured, rows, sound

ROOT = Path(__file__).parents[2]
PERIODS, WAITING = 12, 4  # the look-back of the last ones has not passed
GAVE_WH = 1500
NOW = NOON + PERIODS * HALF_HOUR
STRIKES = (1, 2, 4, 6, 6, 6)  # so many commits each worker lives to see
LATEST_S = 0.005  # how long a transaction may take: so it is killed within the next


def visit(conn: Connection) -> None:
    """Let a cable stand at a site for many periods, which are reported and settled, and judged by nobody yet."""
    cable = ground(conn)
    batch = {"prev": GENESIS, "hash": GENESIS, "state": "derived", "received_ms": 0, "kid": "k", "raw": b""}
    owned = {"bucket": bucket_of(HOSTS), "community": HOSTS, "site": SITE, "epoch": 1, "seq": 1}
    conn.execute(batch_table.insert().values(owned | batch | {"signature": ""}))
    for number in range(PERIODS):
        start = NOON + number * HALF_HOUR
        cable.sign(conn, start, -GAVE_WH)
        claim(conn, start, -GAVE_WH, meter_wh=500, consumption_wh=2000)
        measured(conn, start, 500)


async def prepared(config: Config) -> None:
    """Fill the database of a cloud."""
    database = Database(config.database_url)
    await database.write(visit)
    assert await settle(database, NOW) == PERIODS
    database.dispose()


@contextmanager
def nursery(url: str) -> Iterator[subprocess.Popen[str]]:
    """Run the process that makes workers."""
    command = [sys.executable, "-m", "tests.cloud.cable_child", url, str(NOW)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as made:
        yield made
        assert made.stdin is not None
        made.stdin.close()


def worker(made: subprocess.Popen[str], writes: int, after_s: float) -> bool:
    """Let a worker commit so many transactions, and kill it a moment later; tell whether it was struck at work."""
    assert made.stdin is not None
    assert made.stdout is not None
    made.stdin.write("one more\n")
    made.stdin.flush()
    said = [made.stdout.readline().strip()]
    while said.count("wrote") < writes and "done" not in said:
        said.append(made.stdout.readline().strip())
    time.sleep(after_s)
    (process,) = (int(word) for word in said if word.isdigit())
    os.kill(process, signal.SIGKILL)  # it has not been waited for yet, so the number is its own
    made.stdin.write("how did it end\n")
    made.stdin.flush()
    while (ended := made.stdout.readline().strip()) in ("wrote", "done"):
        pass
    return ended == str(-signal.SIGKILL)


async def test_killed_while_it_judges_and_pays_every_reward_is_posted_once(config: Config) -> None:
    """Killed again and again, between the buckets too; then one comes to its end, and the books are as they must be."""
    await prepared(config)
    seed = random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    with nursery(config.database_url) as made:
        struck = [worker(made, writes, chance.uniform(0, LATEST_S)) for writes in STRIKES]
    assert all(struck), "one came to its end before it was killed"
    database = Database(config.database_url)
    try:
        paid = len(await database.read(rows, driver_reward_table))
        assert 0 < paid < PERIODS - WAITING, "nothing was killed while it paid"
        await CableWork(database).to_rest(NOW)
        await whole(database)
    finally:
        database.dispose()


async def whole(database: Database) -> None:
    """Hold the books against what they must be: a leg and a reward for each final period, and nothing twice."""
    earned_micro = BASE + GAVE_WH * PRICE
    rewards = await database.read(rows, driver_reward_table)
    assert [row.reward_micro for row in rewards] == [earned_micro] * (PERIODS - WAITING)
    paid = await database.read(entries, DRIVERS)
    assert sorted(paid) == sorted({f"v2g-reward:{time_text(row.start)}:{row.period}" for row in rewards})
    assert sum(moved["owner:dora"] for moved in paid.values()) == earned_micro * (PERIODS - WAITING)
    assert len(await database.read(entries, HOSTS)) == PERIODS - WAITING
    assert all(row.rewarded_at is not None for row in await database.read(rows, rewarded_period_table))
    states = [row.state for row in await database.read(rows, judged_period_table)]
    assert (states.count("final"), states.count("pending")) == (PERIODS - WAITING, WAITING)
    for community in (HOSTS, DRIVERS):
        assert await database.read(v2g_findings, community) == []
    await sound(database)


def test_settling_by_hand_judges_and_pays_too(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m cloud settle` does all that is due, once: the second time nothing is."""
    asyncio.run(prepared(config))
    monkeypatch.setenv("COMMONWATT_DATABASE_URL", config.database_url)
    monkeypatch.setenv("COMMONWATT_KEY_FILE", str(config.key_file))
    monkeypatch.setattr("cloud.__main__.wall_clock_ms", lambda: NOW * 1000)
    assert main(["settle"]) == 0
    assert " 0 steps" not in capsys.readouterr().out
    database = Database(config.database_url)
    asyncio.run(whole(database))
    database.dispose()
    assert main(["settle"]) == 0
    assert " 0 steps done for cables" in capsys.readouterr().out
