"""The link runs without Home Assistant: its tests start none, and speak to a cloud over the loopback interface."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import pytest

from custom_components.commonwatt.link import CloudClient, LinkState, Outbox, Runner, Uplink
from custom_components.commonwatt.wire import Notice, Settings

from .cloud_double import CloudDouble
from .material import SITE, key


@pytest.fixture(autouse=True)
def _custom_integrations() -> None:
    """Stand in for the shell's fixture of this name."""


@pytest.fixture
async def cloud(socket_enabled: None) -> AsyncIterator[CloudDouble]:
    """Serve a minimal cloud."""
    async with CloudDouble().serving() as cloud:
        yield cloud


@pytest.fixture
async def session(socket_enabled: None) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a session as the shell would hand it in."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(cloud: CloudDouble, session: aiohttp.ClientSession) -> CloudClient:
    """Return the client of a paired site."""
    return client_of(cloud, session)


def client_of(cloud: CloudDouble, session: aiohttp.ClientSession, secret: str = "secret") -> CloudClient:
    """Return a client with these credentials."""
    return CloudClient(
        session,
        cloud.url,
        key=key(),
        site=SITE,
        client_id="client",
        client_secret=secret,
        cloud_key=cloud.key.public_key,
    )


@pytest.fixture
def run() -> Iterator[Runner]:
    """Return what runs the outbox's calls in a thread of its own."""
    executor = ThreadPoolExecutor(1)

    def runner[*Args, T](call: Callable[[*Args], T], /, *args: *Args) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(executor, call, *args)

    yield runner
    executor.shutdown()


@pytest.fixture
async def outbox(run: Runner, tmp_path: Path) -> AsyncIterator[Outbox]:
    """Return an open outbox."""
    outbox = await run(Outbox.open, tmp_path / "outbox.db")
    yield outbox
    await run(outbox.close)


class Watched:
    """An uplink and everything that it called back."""

    def __init__(self, client: CloudClient, outbox: Outbox, run: Runner, *, poll_s: float = 0.05) -> None:
        self.outbox = outbox
        self.run = run
        self.states: list[LinkState] = []
        self.settings: list[Settings] = []
        self.notices: list[Notice] = []
        self.waits: list[int] = []
        self.uplink = Uplink(
            client,
            outbox,
            run,
            on_state=self.states.append,
            on_settings=self.settings.append,
            on_notice=self.notices.append,
            wait_s=self._wait_s,
            poll_s=poll_s,
        )
        self.task: asyncio.Task[None] | None = None

    def _wait_s(self, failures: int) -> float:
        self.waits.append(failures)
        return 0.02

    async def __aenter__(self) -> Watched:
        self.task = asyncio.create_task(self.uplink.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
def link(client: CloudClient, outbox: Outbox, run: Runner) -> Watched:
    """Return an uplink that is not running yet."""
    return Watched(client, outbox, run)


async def until(condition: Callable[[], object], seconds: float = 5) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 a condition of anything, not an event of ours
            await asyncio.sleep(0.005)


async def drained(run: Runner, outbox: Outbox, seconds: float = 5) -> None:
    """Wait until everything kept is sealed, sent and answered."""
    async with asyncio.timeout(seconds):
        while await run(outbox.depth):  # noqa: ASYNC110 the outbox rings no bell
            await asyncio.sleep(0.005)
