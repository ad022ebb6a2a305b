"""Takes what devices publish: into the store, then acknowledged, then answered. One device keeps no other waiting."""

import asyncio
from collections.abc import Awaitable, Callable
import logging
import time
from typing import Literal

from cloud.database import Database
from cloud.errors import Unavailable
from cloud.hub.broker.allowance import Allowance, is_full, spent
from cloud.hub.broker.answer import No, clock_answer, refused_answer, taken_answer
from cloud.hub.broker.client import IN_FLIGHT_MAX, UNCONFIRMED_MAX, BrokerAway, Connection, Published
from cloud.hub.broker.store import community_of
from cloud.hub.broker.topic import Inward, answers_of, clock_of, inward
from cloud.hub.events.event import Event
from cloud.hub.messages.job import Intake
from cloud.hub.messages.message import Sender, Taken
from cloud.wire import BODY_BYTES_MAX

from .log import Log

UNDER_WAY_MAX = IN_FLIGHT_MAX + UNCONFIRMED_MAX  # so that the broker's own bound keeps nobody from reading its answers
UNCONFIRMED_BYTES_MAX = 32 * 1024 * 1024  # of messages of QoS 0: bounds memory, as the broker does for those of QoS 1
KNOWN_SECONDS = 4  # how long a device is known: what another process revokes is heard no more within five seconds
KNOWN_MAX = 20_000
STATUS: dict[bytes, Literal["online", "offline"]] = {b"online": "online", b"offline": "offline"}
RETRY_SECONDS = (1, 2, 5, 10, 30)  # the last for ever
MISTAKES_MAX = 3  # of ours, with one message
SETTLING_SECONDS = 300  # after we were away or behind: what comes then may have waited at the broker

LOGGER = logging.getLogger(__name__)


class Arrivals:
    """Takes messages for one process, so many at a time."""

    def __init__(self, database: Database, intake: Intake, log: Log, clock_ms: Callable[[], int]) -> None:
        """Begin with nothing under way."""
        self._database = database
        self._intake = intake
        self._log = log
        self._clock_ms = clock_ms
        self._free = asyncio.Semaphore(UNDER_WAY_MAX)
        self._unconfirmed_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: dict[str, tuple[float, str | None]] = {}
        self._allowances: dict[str, Allowance] = {}
        self._failing = False
        self._behind_s = time.monotonic()

    def behind(self) -> None:
        """Hear that messages are waiting, or were, at the broker or here."""
        self._behind_s = time.monotonic()

    async def begin(self, connection: Connection, item: Published) -> None:
        """Take a message in a task of its own; waits while as many as may be are under way."""
        named = inward(item.topic)
        if named is None:
            connection.acknowledge(item)
            return
        loose = 0 if item.qos else len(item.payload)
        if self._unconfirmed_bytes + loose > UNCONFIRMED_BYTES_MAX:
            self._event("refused", "", named.device, self._clock_ms(), "too-many")
            return
        self._unconfirmed_bytes += loose
        if self._free.locked():
            self.behind()
        await self._free.acquire()
        task = asyncio.create_task(self._guarded(connection, item, named), name="mqtt message")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, loose))

    async def end(self) -> None:
        """Leave what is under way: it was not acknowledged and comes again."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None], loose: int) -> None:
        self._unconfirmed_bytes -= loose
        self._tasks.discard(task)
        self._free.release()

    async def _guarded(self, connection: Connection, item: Published, named: Inward) -> None:
        """Let one message fail without the others; without its acknowledgement it comes again, and is the same."""
        try:
            await self._take(connection, item, named)
        except BrokerAway:
            pass  # whoever reads tells it; of this message only the answer is lost
        except Exception:
            LOGGER.exception("a message failed", extra={"device": named.device})

    async def _take(self, connection: Connection, item: Published, named: Inward) -> None:
        device, received_ms = named.device, self._clock_ms()
        no = self._no(device, len(item.payload), received_ms)
        community = await self._patient(lambda: self._community(device))
        if community is None or no is not None:
            why = no or "not-registered"
            self._event("refused", community or "", device, received_ms, why)
            connection.acknowledge(item)
            if community is not None and no is not None:
                await self._say(connection, (community, answers_of(device)), refused_answer(no), item, item.qos)
            return
        if named.status:
            if (kind := STATUS.get(item.payload)) is not None:
                self._log.add(Event(community, received_ms, kind, device, device, detail={"way": "mqtt"}))
            connection.acknowledge(item)
            return
        sender = await self._patient(lambda: self._intake.sender(community, device, received_ms))
        taken = await self._kept(sender, item, received_ms, named.format)
        connection.acknowledge(item)
        said = refused_answer("internal") if taken is None else taken_answer(taken)
        # a fault is told as surely as the message came; that all is well is told of every message, and once
        surely = item.qos if taken is None or taken.faults else 0
        await self._say(connection, (community, answers_of(device)), said, item, surely)
        notice = None if taken is None or taken.notice is None else clock_answer(taken.notice, received_ms)
        if notice is not None:
            await self._say(connection, (community, clock_of(device)), notice, item, item.qos)

    def _no(self, device: str, size: int, at_ms: int) -> No | None:
        """Return why a message is not even looked at."""
        allowance, within = spent(self._allowances.get(device), at_ms)
        self._allowances[device] = allowance
        if len(self._allowances) > KNOWN_MAX:
            self._allowances = {key: kept for key, kept in self._allowances.items() if not is_full(kept, at_ms)}
        if not within:
            return "too-many"
        return "too-large" if size > BODY_BYTES_MAX else None

    async def _community(self, device: str) -> str | None:
        """Return the community of a device; None where it may not log in."""
        until, found = self._known.get(device, (0.0, None))
        if time.monotonic() < until:
            return found
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        found = await self._database.read(community_of, device)
        self._known[device] = time.monotonic() + KNOWN_SECONDS, found
        return found

    async def _kept(self, sender: Sender, item: Published, received_ms: int, hint: str | None) -> Taken | None:
        """Have a message kept; None where a mistake of ours keeps it from being, again and again."""
        waited = item.retained or time.monotonic() - self._behind_s < SETTLING_SECONDS

        async def take() -> Taken:
            raw, sent_ms = item.payload, item.sent_ms
            return await self._intake.take(sender, "mqtt", raw, received_ms, hint=hint, sent_ms=sent_ms, waited=waited)

        for wait_s in RETRY_SECONDS[:MISTAKES_MAX]:
            try:
                taken = await self._patient(take)
            except Exception:
                LOGGER.exception("a message could not be taken", extra={"device": sender.who})
                await asyncio.sleep(wait_s)
            else:
                self._note(failing=False)
                return taken
        return None

    async def _patient[R](self, step: Callable[[], Awaitable[R]]) -> R:
        """Take a step however long the database is away."""
        tries = 0
        while True:
            try:
                return await step()
            except Unavailable:
                self._note(failing=True)
                await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1

    def _note(self, *, failing: bool) -> None:
        if failing:
            self.behind()
        if failing and not self._failing:
            LOGGER.error("messages wait for the database")
        if self._failing and not failing:
            LOGGER.info("messages wait no longer for the database")
        self._failing = failing

    async def _say(self, connection: Connection, to: tuple[str, str], said: bytes, item: Published, qos: int) -> None:
        """Tell a device something about a message of its own; `to` is its community and the topic."""
        community, topic = to
        await connection.say(topic, said, qos, item.correlation)
        self._event("send", community, topic.split("/")[1], self._clock_ms(), topic.rpartition("/")[2])

    def _event(self, kind: Literal["send", "refused"], community: str, device: str, at_ms: int, what: str) -> None:
        named = {"what" if kind == "send" else "why": what, "way": "mqtt"}
        self._log.add(Event(community, at_ms, kind, device, device, detail={**named}))
