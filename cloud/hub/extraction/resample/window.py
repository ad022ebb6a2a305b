"""Brings readings onto half-open windows of equal length in UTC: what each shape of quantity allows, and no more. Pure.

An instant's windows hold the mean, the least and the greatest of the values measured in them. An interval's energy is
cut at the boundaries in proportion to time, by differences of rounded cumulative sums, so that no Wh is lost or made
and windows of windows are the larger windows. A price is the mean over the time it held. A register's value is that at
the window's end, on the straight line between the two reads around it, floored; what it moved in the window stands
beside it. A window nobody measured in is not there.
"""

from collections.abc import Iterable
from typing import Final

from cloud.hub.extraction.question import INTERVAL_BEFORE_MS, REGISTER_GAP_MS
from cloud.hub.extraction.row import Row, Window
from cloud.hub.quantity import MEASURES, Quantity

PENDING_MAX: Final = 400_000  # windows in memory, some 200 MB: a question over more systems is asked in parts
FOREVER: Final = 1 << 62
ADDITIVE: Final = frozenset({Quantity.IMPORT, Quantity.EXPORT, Quantity.PRECIPITATION})
SHAPES: Final = {str(name): measure.shape for name, measure in MEASURES.items()}

type Series = tuple[str, str, str, str, str]  # site or "", device, point, quantity, kind
type Key = tuple[int, Series]


class TooMuchAtOnceError(ValueError):
    """More windows are open at one time than are held in memory."""


def mean(total: int, count: int) -> int:
    """Return a mean, rounded half to even."""
    whole, rest = divmod(total, count)
    return whole + (2 * rest > count or (2 * rest == count and whole % 2 == 1))


class Sums:
    """What a window has gathered so far: a weighted sum, its weight, extremes, and how many readings."""

    __slots__ = ("count", "estimated", "least", "most", "total", "weight")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.total = self.weight = self.count = 0
        self.least = self.most = 0
        self.estimated = False

    def add(self, value: int, weight: int) -> None:
        """Add a value that holds with a weight."""
        if not self.count or value < self.least:
            self.least = value
        if not self.count or value > self.most:
            self.most = value
        self.total += value * weight
        self.weight += weight
        self.count += 1


class Register:
    """How a register moved: its last read, the resets before it, and its value at boundaries not handed out yet."""

    __slots__ = ("at", "counts", "last_ms", "last_value", "run")

    def __init__(self) -> None:
        """Begin before the first read."""
        self.last_ms = -1
        self.last_value = self.run = 0
        self.at: dict[int, tuple[int, bool, int]] = {}  # value, estimated, run
        self.counts: dict[int, int] = {}


class Resampler:
    """Gathers readings that come in order of time, and hands out the windows that nothing can change any more."""

    def __init__(self, window_ms: int, from_ms: int, to_ms: int) -> None:
        """Give whole windows within [from_ms, to_ms) only."""
        self._window = window_ms
        self._from = -(-from_ms // window_ms) * window_ms
        self._to = to_ms // window_ms * window_ms
        self._sums: dict[Key, Sums] = {}
        self._registers: dict[Series, Register] = {}
        self.given_ms = self._from
        self.left_out = 0  # readings about more than a day, which are not cut

    def feed(self, rows: Iterable[Row]) -> None:
        """Take readings in."""
        for ms, site, device, kind, point, quantity, seconds, value, _, _ in rows:
            series = (site or "", device, point, quantity, kind)
            shape = SHAPES[quantity]
            if shape == "instant":
                start = ms - ms % self._window
                if self._from <= start < self._to:
                    self._sum(start, series).add(value, 1)
            elif shape == "register":
                self._read(series, ms, value)
            else:
                self._cut(series, ms, seconds * 1000, value)
        if len(self._sums) + sum(len(register.at) for register in self._registers.values()) > PENDING_MAX:
            raise TooMuchAtOnceError(f"more than {PENDING_MAX} windows are open at one time")

    def _sum(self, start: int, series: Series) -> Sums:
        found = self._sums.get((start, series))
        if found is None:
            found = self._sums[start, series] = Sums()
        return found

    def _cut(self, series: Series, ms: int, length: int, value: int) -> None:
        if length > INTERVAL_BEFORE_MS:
            self.left_out += 1
            return
        additive, window = series[3] in ADDITIVE, self._window
        end = ms + max(length, 1)
        length = end - ms
        before = 0
        for start in range(ms - ms % window, end, window):
            until = min(end, start + window)
            share_end = value * (until - ms) // length if additive else 0
            if self._from <= start < self._to:
                sums = self._sum(start, series)
                if additive:
                    sums.add(share_end - before, 1)
                else:
                    sums.add(value, until - max(start, ms))
                sums.estimated |= length > 2 * window
            before = share_end

    def _read(self, series: Series, ms: int, value: int) -> None:
        register, window = self._registers.setdefault(series, Register()), self._window
        gap = ms - register.last_ms
        known = register.last_ms >= 0 and gap <= REGISTER_GAP_MS
        if value < register.last_value:
            register.run += 1
            known = False
        if known:
            first = (register.last_ms // window + 1) * window
            for boundary in range(first, ms, window):
                moved = (value - register.last_value) * (boundary - register.last_ms) // gap
                register.at[boundary] = (register.last_value + moved, gap > 2 * window, register.run)
        if ms % window == 0:
            register.at[ms] = (value, known and gap > 2 * window, register.run)
        start = ms - ms % window
        register.counts[start] = register.counts.get(start, 0) + 1
        register.last_ms, register.last_value = ms, value

    def taken(self, seen_ms: int = FOREVER) -> list[Window]:
        """Hand out the windows that are complete when everything before `seen_ms` was fed, in order."""
        # a register may still be read at the very end of a window
        bound = min(seen_ms - 1, self._held(seen_ms), self._to) // self._window * self._window
        if bound <= self.given_ms:
            return []
        done = [key for key in self._sums if key[0] < bound]
        found = [_window(key, self._sums.pop(key), self._window) for key in done]
        for series, register in self._registers.items():
            found += self._moved(series, register, bound)
        self.given_ms = bound
        found.sort(key=lambda row: (row[0], row[1] or "", row[2], row[4], row[5], row[3]))
        return found

    def _held(self, seen_ms: int) -> int:
        """Return until when no register is still to be read a second time."""
        living = [each.last_ms for each in self._registers.values() if each.last_ms + REGISTER_GAP_MS >= seen_ms]
        return min(living, default=FOREVER)

    def _moved(self, series: Series, register: Register, bound: int) -> list[Window]:
        site, device, point, quantity, kind = series
        found: list[Window] = []
        for end in sorted(boundary for boundary in register.at if self.given_ms < boundary <= bound):
            value, estimated, run = register.at[end]
            start = end - self._window
            before = register.at.get(start)
            change = None if before is None or before[2] != run else value - before[0]
            count = register.counts.get(start, 0)
            key = (start, site or None, device, kind, point, quantity, self._window // 1000)
            found.append((*key, value, None, None, count, change, estimated or (before is not None and before[1])))
        register.at = {boundary: item for boundary, item in register.at.items() if boundary >= bound}
        register.counts = {start: count for start, count in register.counts.items() if start >= bound}
        return found


def _window(key: Key, sums: Sums, window_ms: int) -> Window:
    start, (site, device, point, quantity, kind) = key
    additive = quantity in ADDITIVE
    value = sums.total if additive else mean(sums.total, sums.weight)
    extremes = (None, None) if additive else (sums.least, sums.most)
    named = (start, site or None, device, kind, point, quantity, window_ms // 1000)
    return (*named, value, *extremes, sums.count, None, sums.estimated)


def resampled(rows: Iterable[Row], window_ms: int, from_ms: int, to_ms: int) -> list[Window]:
    """Return the windows of readings, in whatever order these come."""
    resampler = Resampler(window_ms, from_ms, to_ms)
    resampler.feed(sorted(rows, key=lambda row: row[0]))
    return resampler.taken()
