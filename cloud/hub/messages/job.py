"""The one way in: bytes from a sender, read by today's formats, kept with their readings, answered once durable."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
import time
from typing import Literal

from cloud.bulk import Group
from cloud.database import Database, bucket_of, new_id
from cloud.errors import Unavailable
from cloud.hub.clocks.clock import Notice, System, SystemKind
from cloud.hub.clocks.job import Clocks
from cloud.hub.devices.store import sender_of_device
from cloud.hub.formats.book import Book, read
from cloud.hub.formats.store import book_mark, book_of

from . import store
from .listing.store import message_of, sender_again, take_again
from .message import Arrived, Fault, Parsed, Sender, Taken, Way
from .resolve import SPEAKS_FOR_ITSELF, device_of

BOOK_SECONDS = 1  # between two looks whether a format has changed
THREAD_BYTES = 32 * 1024  # reading more than this would keep the loop from others for some milliseconds
LARGE_AT_ONCE = 2  # large messages that are read and kept at a time: the small ones go on beside them
WAITING_BYTES_MAX = 32 * 1024 * 1024  # of messages that are not answered yet: bounds memory
SENDERS_MAX = 20_000  # devices whose names for others are kept at hand
SENDER_MS = 5000  # for so long: another process may have changed them


@dataclass(frozen=True, slots=True)
class Shelf:
    """The book of formats as it was read last, its mark, and when it was looked at."""

    book: Book
    mark: int
    looked_s: float


class Intake:
    """Takes messages for one process, whichever way they come; those that come together share a transaction."""

    def __init__(self, database: Database, clocks: Clocks | None = None) -> None:
        """Begin with no format read; clocks are listened to by `clocks`."""
        self._database = database
        self.clocks = Clocks(database) if clocks is None else clocks
        self._group = Group(database, store.keep_all, lane=self._lane, key=_who)
        self._shelf: Shelf | None = None
        self._looking = asyncio.Lock()
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._waiting_bytes = 0
        self._senders: OrderedDict[tuple[str, str], tuple[int, Sender]] = OrderedDict()

    def _lane(self, item: Arrived) -> int:
        return 0 if self._database.one_writer else bucket_of(item.sender.community)

    async def take(
        self,
        sender: Sender,
        way: Way,
        raw: bytes,
        received_ms: int,
        *,
        hint: str | None = None,
        sent_ms: int | None = None,
        address: str | None = None,
        waited: bool = False,
    ) -> Taken:
        """Keep a message and what it says; on stable storage when this returns.

        `hint` is the code of its format where the sender, the topic or the address says it; `sent_ms` what the
        sender's clock showed, long ago perhaps where it `waited` on its way. Raises `Unavailable` where too much is
        waiting: nothing was kept, it may come again.
        """
        if self._waiting_bytes + len(raw) > WAITING_BYTES_MAX:
            raise Unavailable(f"{WAITING_BYTES_MAX} bytes of messages are waiting for the database")
        message = new_id()  # now: the order of their ids is that of their receipt
        self._waiting_bytes += len(raw)
        try:
            async with self._beside(raw):
                parsed, faults = await self.parsed(raw, received_ms, hint, sender.format)
                sender = await self._knowing(sender, way, parsed)
                about = sent_ms, address, hint, waited, message
                item = Arrived(sender, way, received_ms, raw, parsed, faults, *about)
                taken = await self._group.write(item)
        finally:
            self._waiting_bytes -= len(raw)
        return replace(taken, notice=self._heard(item, taken))

    @asynccontextmanager
    async def _beside(self, raw: bytes) -> AsyncIterator[None]:
        """Let large messages wait for one another, so that they fill no transaction and no thread but a few."""
        if len(raw) <= THREAD_BYTES:
            yield
        else:
            async with self._large:
                yield

    async def parsed(
        self, raw: bytes, received_ms: int, hint: str | None, usual: str | None = None
    ) -> tuple[Parsed | None, tuple[Fault, ...]]:
        """Return what bytes say by today's formats, or why nobody can tell.

        Without a hint the sender's `usual` format is tried first; what it cannot read may tell its format itself.
        """
        book = await self._book()
        found = await self._read(book, raw, received_ms, hint or usual)
        if hint is None and usual is not None and not _reads(found):
            other = await self._read(book, raw, received_ms, None)
            found = other if _reads(other) else found
        return (found, ()) if isinstance(found, Parsed) else (None, found)

    async def _read(self, book: Book, raw: bytes, received_ms: int, hint: str | None) -> Parsed | tuple[Fault, ...]:
        if len(raw) <= THREAD_BYTES:
            return read(book, raw, received_ms, hint=hint)
        return await asyncio.to_thread(read, book, raw, received_ms, hint=hint)

    async def _book(self) -> Book:
        if self._shelf is None or time.monotonic() - self._shelf.looked_s >= BOOK_SECONDS:
            async with self._looking:
                await self._look()
        assert self._shelf is not None
        return self._shelf.book

    async def _look(self) -> None:
        shelf, now_s = self._shelf, time.monotonic()
        if shelf is not None and now_s - shelf.looked_s < BOOK_SECONDS:
            return  # somebody has looked while this one waited
        mark = await self._database.read(book_mark)
        if shelf is None or mark != shelf.mark:
            self._shelf = Shelf(await self._database.read(book_of), mark, now_s)
        else:
            self._shelf = replace(shelf, looked_s=now_s)

    def forget_formats(self) -> None:
        """Look again at the formats before the next message: one was changed by this process."""
        if self._shelf is not None:
            self._shelf = replace(self._shelf, looked_s=self._shelf.looked_s - BOOK_SECONDS)

    async def sender(self, community: str, device: str, at_ms: int) -> Sender:
        """Return for which devices one speaks that is known to be itself."""
        known = self._senders.get((community, device))
        if known is not None and 0 <= at_ms - known[0] < SENDER_MS:
            return known[1]
        sender = await self._database.read(sender_of_device, community, device)
        self._senders[community, device] = at_ms, sender
        self._senders.move_to_end((community, device))
        if len(self._senders) > SENDERS_MAX:
            self._senders.popitem(last=False)
        return sender

    async def _knowing(self, sender: Sender, way: Way, parsed: Parsed | None) -> Sender:
        """Ask again for whom a sender speaks, if it names a device that it was not known to speak for."""
        known = self._senders.get((sender.community, sender.who))
        if way not in SPEAKS_FOR_ITSELF or parsed is None or known is None:
            return sender
        if all(device_of(sender, reading.device) is not None for reading in parsed.readings):
            return sender
        del self._senders[sender.community, sender.who]
        return await self.sender(sender.community, sender.who, known[0])

    async def again(self, community: str, message: str, now_ms: int) -> Taken | Literal["unknown", "gone"]:
        """Take a kept message again with today's formats and devices; `gone`: its bytes are no longer kept."""
        found = await self._database.read(message_of, community, message)
        if found is None:
            return "unknown"
        kept, raw = found
        if raw is None:
            return "gone"
        sender = await self._database.read(sender_again, community, kept)
        async with self._beside(raw):
            parsed, faults = await self.parsed(raw, kept.received_ms, kept.hint, sender.format)
            item = Arrived(sender, kept.way, kept.received_ms, raw, parsed, faults, kept.sent_ms, None, kept.hint)
            return await self._database.write(take_again, item, kept, now_ms)

    def _heard(self, item: Arrived, taken: Taken) -> Notice | None:
        if taken.offset_ms is None or item.way == "upload":
            return None
        kind: SystemKind = "source" if item.way == "pull" else "device"
        system = System(item.sender.community, kind, item.sender.who)
        return self.clocks.heard(system, taken.offset_ms, item.received_ms)


def _reads(found: Parsed | tuple[Fault, ...]) -> bool:
    return isinstance(found, Parsed) and (bool(found.readings) or not found.faults)


def _who(item: Arrived) -> tuple[str, str]:
    return item.sender.community, item.sender.who
