"""Asks a time server once over UDP."""

import asyncio
from collections.abc import Callable
import secrets

from .answer import Measured, Unusable, question, read_answer

TIMEOUT_SECONDS = 5.0
MARK_BYTES = 8


class Exchange(asyncio.DatagramProtocol):
    """Waits for the first datagram from the server it is connected to; the system lets in no other's."""

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        """Wait."""
        self._clock_ms = clock_ms
        self.answer: asyncio.Future[tuple[bytes, int]] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Take the answer, and the time it came."""
        del addr
        if not self.answer.done():
            self.answer.set_result((data, self._clock_ms()))

    def error_received(self, exc: Exception) -> None:
        """Hear that nobody listens there."""
        if not self.answer.done():
            self.answer.set_exception(exc)


async def ask(
    server: str, host: str, port: int, clock_ms: Callable[[], int], timeout_s: float | None = None
) -> Measured | Unusable:
    """Return what a server says of the time, or why it says nothing; never raises for what it does."""
    mark = secrets.token_bytes(MARK_BYTES)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS if timeout_s is None else timeout_s):
            transport, exchange = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Exchange(clock_ms), remote_addr=(host, port)
            )
            try:
                sent_ms = clock_ms()
                transport.sendto(question(mark))
                raw, received_ms = await exchange.answer
            finally:
                transport.close()
    except TimeoutError:
        return Unusable(server, "it does not answer")
    except (OSError, UnicodeError) as error:  # the latter: of a name that can be no host
        return Unusable(server, f"it cannot be reached ({type(error).__name__})")
    return read_answer(server, raw, mark, sent_ms, received_ms)
