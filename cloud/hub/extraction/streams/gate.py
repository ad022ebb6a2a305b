"""How many extractions run at once, of one client and of all: who comes too many is told to come again. Pure."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

CLIENT_MAX = 4  # a dashboard and a nightly export side by side
ALL_MAX = 32  # a page in memory and one being written each, ten megabytes


class Gate:
    """Counts the extractions that run in one process."""

    def __init__(self, client_max: int = CLIENT_MAX, all_max: int = ALL_MAX) -> None:
        """Begin with none."""
        self._client_max, self._all_max = client_max, all_max
        self._running: Counter[str] = Counter()

    @property
    def running(self) -> int:
        """How many run."""
        return self._running.total()

    @contextmanager
    def place(self, client: str) -> Iterator[bool]:
        """Take a place for a while; False if there is none."""
        if self._running[client] >= self._client_max or self.running >= self._all_max:
            yield False
            return
        self._running[client] += 1
        try:
            yield True
        finally:
            self._running[client] -= 1
            if not self._running[client]:
                del self._running[client]
