"""Time slices: long work on the loop stops for breath every few milliseconds, so that nothing else has to wait."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from time import perf_counter
from typing import Any

from .const import LOGGER

SLICE_S = 0.002  # a task that waits a moment may meet three of them: its timer, its wake-up and its turn

type Listener = Callable[[], None]
type Listeners = Mapping[int, tuple[Listener, object | None]]
type Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Breath:
    """Lets the loop run others whenever a slice is over."""

    def __init__(self) -> None:
        """Begin a slice."""
        self._until = perf_counter() + SLICE_S

    @property
    def needed(self) -> bool:
        """Whether the slice is over."""
        return perf_counter() > self._until

    async def take(self) -> None:
        """Go on at once within a slice; else when everybody else had their turn."""
        if self.needed:
            await asyncio.sleep(0)
            self._until = perf_counter() + SLICE_S


class Teller:
    """Tells listeners in their order and in slices: the first slice at once, the others as the loop finds time.

    Whoever has left is told no more. Told to begin again before the end, it begins with those who still wait.
    """

    def __init__(self, listeners: Listeners, spawn: Spawn) -> None:
        """Follow listeners, which may come and go; `spawn` runs what is left for later."""
        self._listeners = listeners
        self._spawn = spawn
        self._waiting: dict[int, None] = {}
        self._at_it = False

    def begin(self) -> None:
        """Tell everybody, and now as many as a slice holds."""
        self._waiting |= dict.fromkeys(self._listeners)
        if self._at_it:
            return
        self._at_it = True
        self._slice()
        if self._waiting:
            self._spawn(self._rest())
        else:
            self._at_it = False

    async def _rest(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(0)
                self._slice()
        finally:
            self._at_it = False

    def _slice(self) -> None:
        breath = Breath()
        while self._waiting:
            number = next(iter(self._waiting))
            del self._waiting[number]
            if (listener := self._listeners.get(number)) is not None:
                _tell(listener[0])
            if breath.needed:
                return


def _tell(listener: Listener) -> None:
    try:
        listener()
    except Exception:  # noqa: BLE001 - the guard of this job: a fault in one entity must not keep the others still
        LOGGER.exception("An entity could not be told")
