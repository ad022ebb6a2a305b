"""The one thread that owns the outbox: every call of it waits its turn here, and the event loop never waits."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor


class OutboxThread:
    """Runs blocking calls one after another in a thread of their own."""

    def __init__(self) -> None:
        """Start no thread before the first call."""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commonwatt_outbox")

    def __call__[*Args, T](self, call: Callable[[*Args], T], /, *args: *Args) -> Awaitable[T]:
        """Return the call's outcome; it is carried out even if nobody waits for it any more."""
        return asyncio.get_running_loop().run_in_executor(self._executor, call, *args)

    async def async_stop(self) -> None:
        """Take no more calls, and wait until the thread has ended."""
        await asyncio.get_running_loop().run_in_executor(None, self._executor.shutdown)
