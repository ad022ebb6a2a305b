"""One poll of every device at once, in which a slow or silent one holds nobody up."""

import asyncio
from collections.abc import Mapping
from itertools import batched
import logging

from ..errors import DeviceError
from .port import Answer, Device

LOGGER = logging.getLogger(__name__)

# A read may wait its turn on a link behind units that are silent; after this it is given up in any case.
READ_SECONDS_MAX = 12.0

# The first step of a read, up to its wait for the device, takes a part of a millisecond: so many hold the loop no
# longer than a slice of other work does.
STARTED_TOGETHER = 10


class DevicePoll:
    """Reads devices concurrently. A read that is late goes on, and its answer counts in the poll in which it comes."""

    def __init__(self, devices: Mapping[str, Device]) -> None:
        """Take the devices by tap id."""
        self._devices = devices
        self._reads: dict[str, asyncio.Task[Answer | DeviceError]] = {}
        self._closed = False

    async def async_poll(self, patience_s: float) -> dict[str, Answer | DeviceError]:
        """Start a read at every device that has none under way; return what answered or failed within `patience_s`."""
        until = asyncio.get_running_loop().time() + patience_s
        await self._start()
        if self._reads:
            patience_s = max(0.0, until - asyncio.get_running_loop().time())
            await asyncio.wait(self._reads.values(), timeout=patience_s)
        done = {tap: task for tap, task in self._reads.items() if task.done()}
        for tap in done:
            del self._reads[tap]
        return {tap: _outcome(tap, task) for tap, task in done.items()}

    async def _start(self) -> None:
        waiting = [tap for tap in self._devices if tap not in self._reads]
        for together in batched(waiting, STARTED_TOGETHER, strict=False):
            if self._closed:
                return
            for tap in together:
                self._reads[tap] = asyncio.create_task(_read(self._devices[tap]), name=f"read {tap}")
            await asyncio.sleep(0)

    async def async_close(self) -> None:
        """Give up the reads under way, wait until they have let go of their links, and begin no more."""
        self._closed = True
        reads = list(self._reads.values())
        self._reads.clear()
        for task in reads:
            task.cancel()
        await asyncio.gather(*reads, return_exceptions=True)


async def _read(device: Device) -> Answer | DeviceError:
    try:
        async with asyncio.timeout(READ_SECONDS_MAX):
            return await device.async_read()
    except DeviceError as error:
        return error
    except TimeoutError:
        return DeviceError(f"no answer within {READ_SECONDS_MAX:.0f} s")


def _outcome(tap: str, task: asyncio.Task[Answer | DeviceError]) -> Answer | DeviceError:
    # the guard of this job's turn: a fault in one adapter is ours, but must not stop the other devices
    if (fault := task.exception()) is not None:
        LOGGER.error("Reading the device of tap %s failed", tap, exc_info=fault)
        return DeviceError(f"{type(fault).__name__} in the adapter")
    return task.result()
