"""Reads makers' clouds when they are due, each by itself: one that hangs, breaks or never ends delays no other."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from functools import partial
import logging
import traceback
from typing import Protocol

from pydantic import ValidationError

from cloud.database import Database
from cloud.endpoint import Body
from cloud.errors import Unavailable
from cloud.hub.messages.job import Intake
from cloud.hub.pull.client import Client, Fetch
from cloud.hub.pull.driver import Driver, Pulled, PullFailed, Round
from cloud.hub.pull.registry import Found
from cloud.hub.sources.source import Outcome, Source, after, sealed, secrets_in
from cloud.hub.sources.store import spoken_for

from . import store
from .taking import new_names, sender_of, unread, without

TURN_SECONDS = 1
ROUND_SECONDS_MAX = 120
LEASE_SECONDS = 180  # longer than a round can take: nobody else begins before
AT_ONCE = 64  # rounds at a time; each holds at most one answer
FAILING_AT_ONCE = 16  # of them such that failed the last time: those that work are never kept waiting by those
LOOKED_AT_MAX = 1000  # sources that are due, in one turn
MESSAGES_MAX = 2000  # of one round

LOGGER = logging.getLogger(__name__)


class Taker(Protocol):
    """Takes what a round yields; `devices` by the maker's names, once it is prepared."""

    devices: dict[str, str]

    @property
    def messages(self) -> int:
        """How many answers it has taken."""

    async def prepare(self) -> None:
        """Learn which devices the maker means by which names."""

    async def take(self, pulled: Pulled) -> bool:
        """Take an answer; False: no more is wanted."""


class Puller:
    """Reads makers' clouds for one process. Others may do the same: a source is leased to one at a time."""

    def __init__(self, database: Database, key: bytes, client: Client, intake: Intake, found: Found) -> None:
        """Begin with nothing running; `key` opens the secrets of sources."""
        self.database = database
        self._key = key
        self._client = client
        self.intake = intake
        self.found = found
        self._running: dict[tuple[str, str], tuple[asyncio.Task[None], bool]] = {}
        self._leased: dict[tuple[str, str], Source] = {}
        self._failing: set[tuple[str, str] | None] = set()  # of which we could not even say how it went; None: of all

    @property
    def private(self) -> bool:
        """Whether our own network may be called."""
        return self._client.private

    async def run(self, clock_ms: Callable[[], int]) -> None:
        """Read for ever."""
        try:
            while True:
                await self.turn(clock_ms() // 1000)
                await asyncio.sleep(TURN_SECONDS)
        finally:
            await self.close()

    async def turn(self, now: int) -> int:
        """Begin the rounds that are due, as far as there is room; return how many began."""
        try:
            found = await self.database.read(store.due, now, LOOKED_AT_MAX)
        except Exception:
            if None not in self._failing:
                LOGGER.exception("finding what is to be pulled failed")
            self._failing.add(None)
            return 0
        self._failing.discard(None)
        began = 0
        for community, source, failing in found:
            if (community, source) in self._running or not self._room(failing=failing):
                continue
            task = asyncio.create_task(self._guarded(community, source), name=f"pull {source}")
            self._running[community, source] = task, failing
            task.add_done_callback(partial(self._ended, (community, source)))
            began += 1
        return began

    def _ended(self, which: tuple[str, str], _task: asyncio.Task[None]) -> None:
        self._running.pop(which, None)

    def _room(self, *, failing: bool) -> bool:
        if failing and sum(failed for _, failed in self._running.values()) >= FAILING_AT_ONCE:
            return False
        return len(self._running) < AT_ONCE

    async def idle(self) -> None:
        """Wait until no round runs."""
        while self._running:
            await asyncio.gather(*(task for task, _ in self._running.values()))

    async def close(self) -> None:
        """Stop every round where it is; what it took in stays, and another process may go on at once."""
        tasks = [task for task, _ in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        releases = (self.database.write(store.release, source) for source in self._leased.values())
        await asyncio.gather(*releases, return_exceptions=True)
        await self._client.close()

    async def _guarded(self, community: str, source: str) -> None:
        """Let one source fail without the others."""
        try:
            leased = await self.database.write(
                store.lease, community, source, self._client.clock_ms() // 1000, LEASE_SECONDS
            )
            if leased is not None:
                self._leased[community, source] = leased
                await self.round(leased)
                del self._leased[community, source]
        except Exception:
            if (community, source) not in self._failing:
                LOGGER.exception("reading a maker's cloud failed", extra={"community": community, "source": source})
            self._failing.add((community, source))
        else:
            self._failing.discard((community, source))

    async def round(self, source: Source) -> Outcome:
        """Read one source that is leased to us, and note how it went."""
        work = Work(self.database, self.intake, source)
        try:
            outcome = await self.read(source, work, ROUND_SECONDS_MAX)
        except Unavailable as error:  # our own database, not the maker's cloud: it is simply asked again
            LOGGER.warning("a pull was broken off", extra={"source": source.source, "detail": str(error)})
            await self.database.write(store.release, source)
            return Outcome(source.progress, 0, work.messages)
        now_ms = self._client.clock_ms()
        stands = after(source, outcome, now_ms // 1000)
        if await self.database.write(store.done, source, outcome, stands, now_ms) and outcome.problem:
            level = logging.WARNING if stands.told else logging.DEBUG
            about = {"community": source.community, "source": source.source, "problem": outcome.problem}
            LOGGER.log(level, "a maker's cloud was not read", extra=about)
        return outcome

    async def read(self, source: Source, taker: Taker, seconds: int) -> Outcome:
        """Run the driver for at most so long, whatever it is worth: nothing it does passes this."""
        fetch = Fetch(self._client, 60)
        secrets = secrets_in(self._key, source.secrets)
        kept = secrets_in(self._key, source.kept)
        turn: Round | None = None
        try:
            async with asyncio.timeout(seconds):
                driver = driver_of(self.found, source.driver)
                await taker.prepare()
                turn = Round(
                    description_of(driver, source),
                    secrets,
                    kept,
                    source.progress,
                    tuple(taker.devices),
                    self._client.clock_ms(),
                    fetch,
                    partial(self._stored, source),
                )
                fetch.per_minute = driver.per_minute(turn.description)
                async with aclosing(driver.pull(turn)) as pulls:
                    async for pulled in pulls:
                        if not await taker.take(pulled):
                            break
            return Outcome(turn.state, fetch.requests, taker.messages, turn.more)
        except Unavailable:
            raise
        except PullFailed as error:
            failed = error
        except TimeoutError:
            failed = PullFailed("too-slow", f"the round did not end within {seconds} s")
        except Exception as error:  # noqa: BLE001 - logged below
            # the words of somebody else's error may hold a secret; where it happened does not
            frames = traceback.extract_tb(error.__traceback__)[-3:]
            where = ", ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
            about = {"driver": source.driver, "source": source.source, "where": where}
            LOGGER.error("a driver failed", extra=about)  # noqa: TRY400 - without the error's words
            failed = PullFailed("broken", f"the driver {source.driver} failed: {type(error).__name__}")
        progress = source.progress if turn is None else turn.state
        why = without([*secrets.values(), *(kept if turn is None else turn.kept).values()], failed.why)
        return Outcome(
            progress,
            fetch.requests,
            taker.messages,
            reason=failed.reason,
            problem=why,
            wait_seconds=failed.wait_seconds,
        )

    async def _stored(self, source: Source, kept: Mapping[str, str]) -> None:
        if not await self.database.write(store.keep, source, sealed(self._key, kept)):
            raise PullFailed("lease-lost", "its secrets were set anew meanwhile")


def driver_of(found: Found, name: str) -> Driver:
    """Return a driver, or fail with what became of it."""
    if name in found.drivers:
        return found.drivers[name]
    raise PullFailed("broken", f"there is no driver {name}: {found.broken.get(name, 'no file has it')}")


def description_of(driver: Driver, source: Source) -> Body:
    """Return what staff has written, as its driver reads it."""
    try:
        return driver.description.model_validate(source.description)
    except ValidationError:
        raise PullFailed("broken", f"the driver {driver.name} does not take this description any more") from None


class Work:
    """Takes in what one round of a source yields."""

    def __init__(self, database: Database, intake: Intake, source: Source) -> None:
        """Begin with nothing taken."""
        self._database = database
        self._intake = intake
        self._source = source
        self.devices: dict[str, str] = {}
        self._taken = 0

    @property
    def messages(self) -> int:
        """How many answers were kept."""
        return self._taken

    async def prepare(self) -> None:
        """Learn which devices the maker means by which names."""
        self.devices = await self._database.read(spoken_for, self._source.community, self._source.source)

    async def take(self, pulled: Pulled) -> bool:
        """Keep what was pulled; what nobody can read is kept too, and ends the round before it goes past it."""
        if self._taken >= MESSAGES_MAX:
            raise PullFailed("too-many", f"more than {MESSAGES_MAX} answers in one round")
        self._taken += 1
        if self._source.new_kind is not None:
            parsed, _ = await self._intake.parsed(pulled.raw, pulled.received_ms, pulled.hint)
            if names := new_names(parsed, self.devices):
                made = await self._database.write(store.make_devices, self._source, names, pulled.received_ms)
                self.devices = self.devices | made
        taken = await self._intake.take(
            sender_of(self._source, self.devices, pulled),
            "pull",
            pulled.raw,
            pulled.received_ms,
            hint=pulled.hint,
            sent_ms=pulled.sent_ms,
        )
        if (fault := unread(taken)) is not None:
            raise PullFailed("unreadable", f"{fault.reason}: {fault.why}")
        return True
