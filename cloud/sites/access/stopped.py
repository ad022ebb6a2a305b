"""Which access tokens hold no longer although their time is not over: their client was removed or got another secret.

A token is checked without asking the database, so that must be made good here: what was stopped lately is kept in
memory and read anew when it is a few seconds old. What this process itself stops holds at once.
"""

from collections.abc import Awaitable, Callable, Mapping

STALE_SECONDS = 5  # how long another process may go on believing a token

type Read = Callable[[int], Awaitable[Mapping[str, int]]]  # (now): by client, the oldest generation that holds


class Stopped:
    """The clients stopped within the life of a token, as far as this process has looked."""

    def __init__(self, read: Read) -> None:
        """Look by `read`, for the first time when first asked."""
        self._read = read
        self._oldest: Mapping[str, int] = {}
        self._looked_at: int | None = None
        self._turn = 0

    def forget(self) -> None:
        """Look anew when next asked: this process has stopped a client."""
        self._looked_at = None
        self._turn += 1

    async def holds(self, client_id: str, generation: int, now: int) -> bool:
        """Tell whether a token of this client and generation still holds."""
        while self._looked_at is None or not 0 <= now - self._looked_at < STALE_SECONDS:
            turn, oldest = self._turn, await self._read(now)
            if turn == self._turn:  # else what was read may be older than what was stopped meanwhile
                self._oldest, self._looked_at = oldest, now
        return generation >= self._oldest.get(client_id, 0)
