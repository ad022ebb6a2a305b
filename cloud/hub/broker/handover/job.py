"""Hands passwords and revocations to the broker, and looks on each new connection whether both sides agree."""

from collections.abc import Callable, Sequence
import logging
import time

from cloud.database import Database
from cloud.hub.broker import store
from cloud.hub.broker.client import Connection
from cloud.hub.broker.control import (
    PAGE,
    Client,
    Command,
    ControlError,
    check,
    found_of,
    kept_out,
    let_in,
    listed,
    looked_at,
    ours_of,
)
from cloud.hub.broker.seal import SealError, opened
from cloud.hub.broker.store import LEASE_MS, Change

ASK_SECONDS = 2  # between two looks whether another process has left the lease
TOGETHER = 100  # changes in one turn
MISSING_TOLD_MAX = 1000  # at one look: beyond, the log's count must do

LOGGER = logging.getLogger(__name__)


class HandOver:
    """Hands over for one process; a lease lets only one of several do so, since order matters."""

    def __init__(self, database: Database, key: bytes, holder: str, clock_ms: Callable[[], int]) -> None:
        """Begin without the lease."""
        self._database = database
        self._key = key
        self._holder = holder
        self._clock_ms = clock_ms
        self._ask_at = 0.0
        self._until = 0.0
        self._agreed_on: Connection | None = None
        self._told_missing: set[str] = set()

    @property
    def holds(self) -> bool:
        """Whether it is this process that deals with the broker's clients and log."""
        return time.monotonic() < self._until

    async def turn(self, connection: Connection) -> int:
        """Hand over what is due, if it is on us; return how many changes the broker has confirmed."""
        if not await self._leased():
            return 0
        if self._agreed_on is not connection:
            await self.agree(connection)
            self._agreed_on = connection
        due = await self._database.read(store.changes, TOGETHER)
        if not due:
            return 0
        done = await self._handed(connection, due)
        await self._database.write(store.erase, done)
        return len(done)

    async def end(self) -> None:
        """Give the lease back."""
        if self.holds:
            self._until = 0.0
            await self._database.write(store.drop_lease, self._holder)

    async def _leased(self) -> bool:
        """Take the lease, or prolong it when half of it is over."""
        now_s = time.monotonic()
        if now_s >= self._ask_at:
            held = await self._database.write(store.hold_lease, self._holder, self._clock_ms())
            self._ask_at = now_s + (LEASE_MS / 2000 if held else ASK_SECONDS)
            self._until = now_s + LEASE_MS / 1000 if held else 0.0
        return self.holds

    async def _handed(self, connection: Connection, due: Sequence[Change]) -> list[Change]:
        """Hand changes over; return those that are done with: the broker confirmed them, or nobody ever can."""
        looks = [command for change in due for command in looked_at(change.device)]
        found = await connection.ask(looks)
        clients = [found_of(response, change.device) for change, response in zip(due, found, strict=True)]
        steps = [await self._step(change, client) for change, client in zip(due, clients, strict=True)]
        responses = iter(await connection.ask([command for step in steps for command in step]))
        done = []
        for change, step in zip(due, steps, strict=True):
            answers = [next(responses) for _ in step]
            try:
                check(step, answers)
            except ControlError as error:
                LOGGER.warning("the broker refused a device", extra={"device": change.device, "problem": str(error)})
            else:
                done.append(change)
        return done

    async def _step(self, change: Change, client: Client) -> list[Command]:
        """Return what is to be told of a change; nothing where it cannot be, or is not ours to tell."""
        if change.sealed is None:
            return kept_out(change.device) if client == "ours" else []
        if client == "foreign":
            await self._tell_missing([change.device], "another client of the broker has its name")
            return []
        try:
            return let_in(change.device, opened(self._key, change.sealed), client)
        except SealError:
            await self._tell_missing([change.device], "the cloud has another key now")
            return []

    async def agree(self, connection: Connection) -> None:
        """Remove the broker's clients that are no devices of ours any more, and tell whom it is missing.

        Their passwords are kept nowhere, so somebody has to give those devices new ones.
        """
        there = await self._there(connection)
        pending = await self._database.read(store.pending_of)
        gone = sorted(await self._database.read(store.strangers, there - pending))
        for start in range(0, len(gone), TOGETHER):
            commands = [command for device in gone[start : start + TOGETHER] for command in kept_out(device)]
            check(commands, await connection.ask(commands))
        if gone:
            LOGGER.warning("clients of the broker were removed that are no devices", extra={"clients": len(gone)})
        await self._missing(there | pending)

    async def _there(self, connection: Connection) -> set[str]:
        """Return the devices the broker lets in."""
        there: set[str] = set()
        offset = total = 0
        while offset <= total:
            [response] = await connection.ask(listed(offset))
            names, total = ours_of(response)
            there |= set(names)
            offset += PAGE
        return there

    async def _missing(self, there: set[str]) -> None:
        """Tell once which devices that may log in the broker does not know."""
        after, missing = "", 0
        while page := await self._database.read(store.let_in, after):
            after = page[-1]
            absent = [device for device in page if device not in there]
            missing += len(absent)
            new = [device for device in absent if device not in self._told_missing]
            new = new[: MISSING_TOLD_MAX - len(self._told_missing)]
            self._told_missing |= set(new)
            await self._tell_missing(new, "the broker was never told its password")
        if missing:
            LOGGER.warning("devices are not known to the broker: give them new passwords", extra={"devices": missing})

    async def _tell_missing(self, devices: Sequence[str], why: str) -> None:
        for device in devices:
            await self._database.write(store.add_not_at_broker, device, why, self._clock_ms())
