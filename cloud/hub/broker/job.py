"""Keeps the hub at the broker: comes back however long it was away, and does there what is to be done."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
import logging
import secrets
import ssl
import time

from cloud.database import Database, new_id
from cloud.errors import CommonwattError, Unavailable
from cloud.hub.events.event import Event
from cloud.hub.events.store import add_events
from cloud.hub.messages.job import Intake
from cloud.principal import CloudKey

from .address import Address, with_session
from .arrivals.job import Arrivals
from .arrivals.log import Log
from .client import BrokerAway, Connection, Published, connected, tls_context
from .handover.job import HandOver
from .log_line import LOG, told_by
from .store import came_in, next_used

PURPOSE = "broker hand-over"
TURN_SECONDS = 1
BACK_OFF_SECONDS_MAX = 60
STEADY_SECONDS = 60  # a connection that holds for so long is no part of the trouble before it
BROKER = "mqtt"

LOGGER = logging.getLogger(__name__)


class BrokerWork:
    """The hub's life at the broker, for one process."""

    def __init__(
        self, database: Database, intake: Intake, key: CloudKey, address: Address, clock_ms: Callable[[], int]
    ) -> None:
        """Begin away from the broker; raises ConfigError where its certificate cannot be checked."""
        self._database = database
        self._address = with_session(address, key)
        self._clock_ms = clock_ms
        self._tls: ssl.SSLContext | None = tls_context(address)
        self._log = Log()
        self._arrivals = Arrivals(database, intake, self._log, clock_ms)
        self._hand_over = HandOver(database, key.derive(PURPOSE), f"{address.client} {new_id()}", clock_ms)
        self._failures = 0
        self._problem = ""
        self._silent = False
        self._here_s = 0.0
        self._problems: dict[str, str] = {}

    async def run(self) -> None:
        """Be at the broker for ever."""
        writer = asyncio.create_task(self._write_for_ever(), name="mqtt log")
        try:
            while True:
                try:
                    async with connected(self._address, self._tls) as connection:
                        await self._stay(connection)
                except BrokerAway as error:
                    self._away(str(error))
                except Exception:
                    LOGGER.exception("the work at the MQTT broker failed")
                    self._failures += 1
                await asyncio.sleep(self._wait_s())
        finally:
            writer.cancel()
            await self._arrivals.end()
            await self._write()
            await self._hand_over.end()

    async def _stay(self, connection: Connection) -> None:
        """Read and hand over until the connection ends. What waits in our session comes before we have subscribed."""
        self._arrivals.behind()
        tasks = [asyncio.create_task(self._take_all(connection), name="mqtt take")]
        try:
            await connection.subscribe()
            self._here()
            tasks.append(asyncio.create_task(self._tell(connection), name="mqtt hand over"))
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_all(self, connection: Connection) -> None:
        async for item in connection.published():
            if item.topic == LOG:
                await self._logged(item)
            else:
                await self._arrivals.begin(connection, item)

    async def _tell(self, connection: Connection) -> None:
        """Hand over for ever; what fails is tried again each turn and logged once."""
        while True:
            try:
                await self._hand_over.turn(connection)
            except BrokerAway:
                raise
            except CommonwattError as error:
                self._failing("hand-over", str(error))
            except Exception:
                LOGGER.exception("handing over to the MQTT broker failed")
            else:
                self._failing("hand-over", None)
            await asyncio.sleep(TURN_SECONDS)

    async def _logged(self, item: Published) -> None:
        """Take a line of the broker's log over into ours, if it tells who came in or did not."""
        line = told_by(item.payload)
        at_ms = self._clock_ms()
        if line is None:
            return
        if line.told == "dropped":
            lost = line.who == self._address.client
            self._failing("queue", "the broker drops messages for the hub: raise max_queued_messages" if lost else None)
        elif self._hand_over.holds and line.told == "kept-out":
            self._log.add(Event("", at_ms, "auth-failure", BROKER, detail={"way": "mqtt"}))
        elif self._hand_over.holds and line.who is not None and line.who != self._address.user:
            await self._came_in(line.who, line.address, at_ms)

    async def _came_in(self, device: str, address: str | None, at_ms: int) -> None:
        """Note that a device logged in at the broker; while the database is away, nothing can be noted."""
        with suppress(Unavailable):
            found = await self._database.read(came_in, device)
            if found is None:
                return
            community, used_next = found
            if used_next:
                await self._database.write(next_used, device, at_ms)
            detail: dict[str, str | int | None] = {"way": "mqtt", "address": address}
            self._log.add(Event(community, at_ms, "auth-success", device, device, detail=detail))

    async def _write_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TURN_SECONDS)
            await self._write()

    async def _write(self) -> None:
        """Write down what was logged, one transaction a community."""
        for events in self._log.taken().values():
            try:
                await self._database.write(add_events, events)
            except Exception as error:  # noqa: BLE001 - the guard of this turn; told once
                self._log.back(events)
                self._failing("event log", f"{type(error).__name__}: {error}")
            else:
                self._failing("event log", None)

    def _here(self) -> None:
        if self._silent:
            LOGGER.info("the MQTT broker is back")
        self._silent = False
        self._here_s = time.monotonic()

    def _away(self, problem: str) -> None:
        """Log silence once; coming and going, as two processes of one name make each other do, is one silence."""
        if time.monotonic() - self._here_s >= STEADY_SECONDS:
            self._failures = 0
        if not self._silent and (not self._failures or problem != self._problem):
            LOGGER.warning("the MQTT broker is away", extra={"problem": problem})
            self._silent, self._problem = True, problem
        self._failures += 1

    def _wait_s(self) -> float:
        """Return how long to stay away: longer each time, and each process another time."""
        most = min(BACK_OFF_SECONDS_MAX, 1 << min(self._failures, 10))
        return most * (0.5 + secrets.randbelow(500) / 1000)

    def _failing(self, what: str, problem: str | None) -> None:
        """Log what fails once, and once that it works again."""
        before = self._problems.pop(what, None)
        if problem is not None:
            self._problems[what] = problem
            if problem != before:
                LOGGER.error("something fails at the MQTT broker", extra={"what": what, "problem": problem})
        elif before is not None:
            LOGGER.info("it works again at the MQTT broker", extra={"what": what})
