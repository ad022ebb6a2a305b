"""A hub at a broker, for every test of this folder."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud.hub.broker import job
from cloud.hub.broker.arrivals import job as arrivals_job
from cloud.hub.broker.handover import job as handover_job
from tests.cloud.ground import OpenDatabase
from tests.cloud.hub import mosquitto
from tests.cloud.hub.at_broker import Hub, forget_session, founded
from tests.cloud.hub.mosquitto import Broker

PROGRAMS, WHY_NOT = mosquitto.find()


@pytest.fixture(scope="module")
def brokers() -> Iterator[tuple[ExitStack, list[Broker]]]:
    """Stop the broker of this module after its last test."""
    with ExitStack() as stack:
        yield stack, []


@pytest.fixture
def broker(brokers: tuple[ExitStack, list[Broker]]) -> Broker:
    """Run a broker: the first test that asks starts it, since only within a test is there a way to 127.0.0.1."""
    stack, running = brokers
    if not running:
        assert PROGRAMS is not None, WHY_NOT
        running.append(stack.enter_context(mosquitto.running(*PROGRAMS)))
    return running[0]


@pytest.fixture
def store() -> str:
    """Run on SQLite alone: what is at stake here is the broker."""
    return "sqlite"


@pytest.fixture
async def hub(
    broker: Broker, open_database: OpenDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Hub]:
    """Found a community, and let a hub go to the broker when a test says so; it does not dawdle."""
    monkeypatch.setattr(job, "TURN_SECONDS", 0.02)
    monkeypatch.setattr(job, "BACK_OFF_SECONDS_MAX", 0.1)
    monkeypatch.setattr(handover_job, "ASK_SECONDS", 0.1)
    monkeypatch.setattr(arrivals_job, "RETRY_SECONDS", (0.05,))
    hub = Hub(open_database(tmp_path), broker)
    await founded(hub.database)
    yield hub
    await hub.stop()
    await forget_session(hub)
