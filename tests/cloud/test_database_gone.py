"""The database is locked, broken or gone: callers are told to come again, nothing is half done, and then it works."""

from contextlib import closing
from pathlib import Path
import sqlite3
from typing import Any

import pytest

from cloud import database as database_module
from cloud.config import Config
from cloud.ingest.batches.store import batch_table, chain_table, incident_table
from cloud.ingest.readings.store import reading_table
from cloud.sites.store import owner_table, site_table
from cloud.wire import Incident

from .conftest import INTERVAL, NOON, TREE, Cloud, Reply, Site, running

TABLES = (batch_table, chain_table, incident_table, reading_table, site_table, owner_table)


@pytest.fixture
def store() -> str:
    """Choose the store whose file a test can take away."""
    return "sqlite"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for another process only a moment."""
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 50)


def file_of(config: Config) -> Path:
    """Return the file of a test's database."""
    return Path(config.database_url.removeprefix("sqlite:///"))


async def state(cloud: Cloud) -> list[Any]:
    """Return everything that a write could have changed."""
    return [await cloud.rows(table) for table in TABLES]


async def everything(site: Site) -> list[Reply]:
    """Try a write of each room."""
    raw = site.batch(incidents=(Incident(NOON, "meter-silent", "ev"),))
    return [await site.post(raw), await site.put_tree(2), await Site(site.cloud).pair("0000-0000-0000-0000")]


async def test_while_another_process_writes_callers_come_again(impatient: None, config: Config) -> None:
    """A backup, say, holds the lock: 503 with a time to wait, readers are served, and nothing was half done."""
    async with running(config) as cloud:
        await cloud.found()
        site = await cloud.join()
        await site.put_tree()
        before = await state(cloud)
        other = sqlite3.connect(file_of(config), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for reply in await everything(site):
            assert (reply.status, reply.problem) == (503, "unavailable")
            assert int(reply.headers["Retry-After"]) > 0
        assert (await site.get("head")).status == 200
        assert await state(cloud) == before
        other.execute("ROLLBACK")
        other.close()
        assert [reply.status for reply in await everything(site)] == [201, 201, 403]
        assert await cloud.count(reading_table) == len(TREE)


async def test_a_disk_that_is_full_keeps_nothing_by_half(cloud: Cloud, site: Site) -> None:
    """SQLite is not given another page: 503, and when there is room again, the same batch is created."""
    raw = site.batch(start=NOON - 100 * INTERVAL, count=100, incidents=(Incident(NOON, "meter-silent", "ev"),) * 100)
    before = await state(cloud)

    def set_limit(conn: Any, pages: int) -> None:
        conn.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    await cloud.database.write(set_limit, 1)  # as many as there are
    reply = await site.post(raw)
    assert (reply.status, reply.problem) == (503, "unavailable")
    assert await state(cloud) == before
    await cloud.database.write(set_limit, 10**6)
    assert (await site.post(raw)).status == 201
    assert (await site.post(raw)).status == 200


async def test_a_file_that_is_broken_is_the_worlds_fault(cloud: Cloud, site: Site) -> None:
    """Every caller is told to come again, as with a disk that fails: none is acknowledged."""
    path = file_of(cloud.config)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))
    for reply in (await site.post(site.batch()), await site.get("head")):
        assert (reply.status, reply.problem) == (503, "unavailable")


async def test_a_file_that_was_taken_away_takes_no_batch(cloud: Cloud, site: Site, tmp_path: Path) -> None:
    """A deleted file could still be written to, and would be lost with the process: nothing is acknowledged."""
    path, aside = file_of(cloud.config), tmp_path / "aside.db"
    raws = site.chain(2)
    assert (await site.post(raws[0])).status == 201
    path.rename(aside)
    reply = await site.post(raws[1])
    assert (reply.status, reply.problem) == (503, "unavailable")
    assert not path.exists()
    aside.rename(path)
    assert (await site.post(raws[1])).status == 201


async def test_a_file_that_was_put_there_is_taken(cloud: Cloud, site: Site, tmp_path: Path) -> None:
    """A backup is put in place: the first caller comes again, then all that comes goes into the new file."""
    path, backup = file_of(cloud.config), tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("VACUUM INTO ?", (str(backup),))
    path.unlink()
    for left in ("-wal", "-shm"):
        path.with_name(path.name + left).unlink(missing_ok=True)
    backup.rename(path)
    raw = site.batch()
    assert (await site.post(raw)).status == 503
    assert (await site.post(raw)).status == 201
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM batch").fetchone() == (1,)
