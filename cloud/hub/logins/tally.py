"""Counts at the door: who came in, who did not, and from where, so that each costs no row of its own. Pure.

Nothing is lost of the counts: whatever there is no room to tell apart is counted under "*".
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

from cloud.hub.events.event import Event, Kind

TOGETHER_MS = 60_000  # comings of one device from one address within it are one row
KEYS_MAX = 20_000  # told apart at a time
EVENTS_AT_ONCE = 1000  # rows in one transaction
WINDOW_MS = 600_000
WRONG_MAX = 20  # of an address in a window: a system that was set up wrong, beyond it only their number is noted
WRONG_EVERYWHERE_MAX = 2000  # of all addresses in a window: rows that strangers may make us write
FLOOD = 1000  # wrong ones of an address in a window, beyond which none is looked at any more
ADDRESSES_MAX = 20_000
MANY = "*"

type Key = tuple[Kind, str, str | None, str]  # what, community, device, address


class Wrong:
    """How many wrong passwords came from each address in the window of time that runs.

    A right one opens from any address: it cannot be guessed, and one broken system must not silence its neighbours.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._window = 0
        self._counts: defaultdict[str, int] = defaultdict(int)

    def counted(self, address: str, at_ms: int) -> Literal["few", "last", "many"]:
        """Count a wrong one: of `few` each is noted, of `many` only the number."""
        self._now(at_ms)
        named = address if address in self._counts or len(self._counts) < ADDRESSES_MAX else MANY
        self._counts[named] += 1
        self._counts[MANY] += 1
        if self._counts[named] > WRONG_MAX or self._counts[MANY] > WRONG_EVERYWHERE_MAX:
            return "many"
        return "last" if self._counts[named] == WRONG_MAX else "few"

    def flooded(self, address: str, at_ms: int) -> bool:
        """Tell whether so many came from an address that no more are looked at in this window."""
        self._now(at_ms)
        return self._counts.get(address, 0) >= FLOOD

    def _now(self, at_ms: int) -> None:
        if at_ms // WINDOW_MS != self._window:
            self._window = at_ms // WINDOW_MS
            self._counts.clear()


class Tally:
    """Comings and failures that are not yet written: by device and address, how many, since when and until when."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts: dict[Key, tuple[int, int, int]] = {}

    def succeeded(self, community: str, device: str, address: str, at_ms: int) -> None:
        """Count one who came in."""
        self._add(("auth-success", community, device, address), 1, at_ms, at_ms)

    def failed(self, community: str, device: str | None, address: str, at_ms: int) -> None:
        """Count one who did not."""
        self._add(("auth-failure", community, device, address), 1, at_ms, at_ms)

    def taken(self, now_ms: int | None) -> Iterator[list[Event]]:
        """Take out what was counted for long enough, with None all of it: events of one community at a time."""
        due: defaultdict[str, list[Event]] = defaultdict(list)
        crowded = now_ms is None or len(self._counts) >= KEYS_MAX
        for key, (count, first_ms, last_ms) in [*self._counts.items()]:
            if crowded or not 0 <= (now_ms or 0) - first_ms < TOGETHER_MS:
                del self._counts[key]
                due[key[1]].append(_event(key, count, first_ms, last_ms))
        for events in due.values():
            for place in range(0, len(events), EVENTS_AT_ONCE):
                yield events[place : place + EVENTS_AT_ONCE]

    def give_back(self, events: Sequence[Event]) -> None:
        """Count again what could not be written."""
        for event in events:
            key = (event.kind, event.community, event.device, str(event.detail["address"]))
            last_ms = event.detail["until_ms"]
            assert isinstance(last_ms, int)
            self._add(key, event.count, event.at_ms, last_ms)

    def _add(self, key: Key, count: int, first_ms: int, last_ms: int) -> None:
        if key not in self._counts and len(self._counts) >= KEYS_MAX:
            key = (key[0], key[1] if len(self._counts) < 2 * KEYS_MAX else "", MANY, MANY)
        before = self._counts.get(key, (0, first_ms, last_ms))
        self._counts[key] = before[0] + count, min(before[1], first_ms), max(before[2], last_ms)


def _event(key: Key, count: int, first_ms: int, last_ms: int) -> Event:
    kind, community, device, address = key
    detail: dict[str, str | int | None] = {"address": address, "until_ms": last_ms, "with": "password"}
    return Event(community, first_ms, kind, device or address, device, count, detail)
