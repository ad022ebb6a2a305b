"""Patience with units that say nothing: asked ever less often, one at a time, so that the rest of a line goes on."""

from collections.abc import Callable
import time

BACKOFF_S = (0.0, 10.0, 20.0, 40.0, 60.0)  # after one timeout, two, … ; a single lost frame costs nothing
SILENT_FROM = 2  # timeouts in a row
SHARE = 3  # of a line's time, at most one part in so many goes to waiting for units that say nothing


class Bus:
    """One line and the units on it: says whose turn it is among those that said nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nobody silent."""
        self.now = clock
        self.returns = 0  # how often a silent unit came back
        self._free_at = 0.0
        self._waiting: list[object] = []

    def turn(self, silent: object, seconds: float) -> bool:
        """Tell whether it is a silent unit's turn to be waited for so long; those that asked before come first."""
        if silent not in self._waiting:
            self._waiting.append(silent)
        if self._waiting[0] is not silent or self.now() < self._free_at:
            return False
        del self._waiting[0]
        self._free_at = self.now() + seconds * SHARE
        return True

    def returned(self, unit: object) -> None:
        """Note that a silent unit came back: it took no time, and the others may be back as well."""
        if unit in self._waiting:
            self._waiting.remove(unit)
        self._free_at = self.now()
        self.returns += 1


class Patience:
    """How one unit of a bus is treated after it said nothing."""

    def __init__(self, bus: Bus) -> None:
        """Begin with trust."""
        self._bus = bus
        self._timeouts = 0
        self._again_at = 0.0
        self._returns = 0
        self.reason = ""

    def asks(self, timeout_s: float) -> bool:
        """Tell whether the unit may be asked now. One that was silent waits for its time, then for its turn.

        After another one came back it is asked once at once: a line that was cut has all its units back.
        """
        if self._timeouts < SILENT_FROM:
            return True
        if self._returns != self._bus.returns:
            self._returns = self._bus.returns
            return True
        return self._bus.now() >= self._again_at and self._bus.turn(self, timeout_s)

    def timed_out(self, reason: str) -> None:
        """Note that the unit said nothing, for want of a better reason than this."""
        self._timeouts += 1
        if self._timeouts == SILENT_FROM:
            self._returns = self._bus.returns
        self._again_at = self._bus.now() + BACKOFF_S[min(self._timeouts, len(BACKOFF_S)) - 1]
        self.reason = reason

    def answered(self) -> None:
        """Trust the unit again."""
        if self._timeouts >= SILENT_FROM:
            self._bus.returned(self)
        self._timeouts = 0
