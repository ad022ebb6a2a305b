"""Programs killed in the middle of their work: Home Assistant and the cloud as processes of their own, and kill -9."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
import os
from pathlib import Path
import signal
import time

import aiohttp
import pytest

from demo.cloud import Operator, wait_healthy
from demo.options import Options
from demo.processes import Children, free_port, python
from demo.progress import Progress
from demo.stage import ASSISTANT, CLOUD, Stage, cloud_environment, set_up

from .conftest import until
from .stores import outbox_rows, rows_of

SECONDS = 10


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Prepare a demo of its own: nothing runs yet."""
    ha_port, cloud_port = free_port(0), free_port(0)
    children = Children(tmp_path, cloud_environment(tmp_path, cloud_port))
    async with aiohttp.ClientSession() as session:
        options = Options(interval_seconds=SECONDS)
        progress = Progress()
        try:
            yield Stage(options, tmp_path, children, session, progress, ha_port, cloud_port, password="x" * 12)
        finally:
            await children.stop()


async def test_what_was_measured_survives_the_killing_of_both_sides(stage: Stage) -> None:
    """The cloud is killed, then Home Assistant with a full outbox; both come back, and every Wh is there once."""
    operator, begins_at, _ = await set_up(stage)
    await settled_through(operator, begins_at, begins_at)

    kill(stage, CLOUD)
    await asyncio.sleep(2.3 * SECONDS)
    kill(stage, ASSISTANT)
    waiting = outbox_rows(stage.folder / "homeassistant")
    assert waiting >= 2, "the outbox is full when the program dies"
    configuration = str(stage.folder / "homeassistant")
    await stage.children.start(ASSISTANT, python("homeassistant", "--config", configuration, "--skip-pip"))
    await stage.children.start(CLOUD, python("cloud", "serve"))
    await wait_healthy(stage.session, stage.cloud_url)

    last = int(time.time()) // SECONDS * SECONDS + SECONDS
    await settled_through(operator, begins_at, last)
    batches = rows_of(stage.folder / "cloud.db", "SELECT epoch, seq FROM batch ORDER BY epoch, seq")
    assert [row["seq"] for row in batches] == list(range(1, len(batches) + 1)), "no number is lost or used twice"
    assert {row["epoch"] for row in batches} == {1}
    for tap in rows_of(stage.folder / "cloud.db", "SELECT DISTINCT tap FROM reading"):
        assert_registers_join(stage, tap["tap"])
    proof = await operator.proof()
    assert (proof["energy_sum_wh"], proof["ledger_sum_micro"], proof["accounts_off"]) == (0, 0, 0)


def kill(stage: Stage, name: str) -> None:
    """Kill a program without a word of warning."""
    child = next(child for child in stage.children._children if child.name == name)
    os.killpg(child.process.pid, signal.SIGKILL)
    stage.children._children.remove(child)


async def settled_through(operator: Operator, first: int, last: int) -> None:
    """Wait until every interval from `first` to `last` is settled."""

    async def found() -> bool | None:
        settled = {item.start for item in await operator.intervals(first - 1) if item.settled}
        return settled.issuperset(range(first, last + 1, SECONDS)) or None

    await until(found, f"not everything from {first} to {last} was settled", patience_s=90)


def assert_registers_join(stage: Stage, tap: str) -> None:
    """Check that a tap's intervals follow one another, and that each is the difference of two registers."""
    query = "SELECT start, import_wh, export_wh, import_register_wh, export_register_wh, quality FROM reading"
    rows = rows_of(stage.folder / "cloud.db", f"{query} WHERE tap = ? ORDER BY start", tap)
    for before, after in pairwise(rows):
        assert after["start"] == before["start"] + SECONDS
        assert after["quality"] != "reset"
        for direction in ("import", "export"):
            moved = after[f"{direction}_register_wh"] - before[f"{direction}_register_wh"]
            assert after[f"{direction}_wh"] == moved
