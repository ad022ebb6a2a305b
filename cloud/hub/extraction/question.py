"""What an upper system asks: which readings, of which time, and on which windows. Pure."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cloud.hub.quantity import MEASURES, Quantity, Shape
from cloud.hub.reach.area import Area
from cloud.hub.reach.reach import Reach
from cloud.hub.reading import Timed

DAY_MS: Final = 86_400_000
ROWS_MS_MAX: Final = 400 * DAY_MS  # a year and what belongs to its ends; beyond, an extraction is asked in parts
WINDOWS_MS_MAX: Final = 10 * 366 * DAY_MS
INTERVAL_BEFORE_MS: Final = DAY_MS  # an interval longer than a day is not cut into windows: that would invent a shape
REGISTER_GAP_MS: Final = 6 * 3_600_000  # between two reads farther apart nobody knows how a register moved


@dataclass(frozen=True, slots=True)
class Question:
    """Which readings of a community are asked for, in [from_ms, to_ms); what is None restricts nothing.

    `above` and `below` leave their own value out. `window_ms` asks for windows instead of readings, and the two are
    then about the windows' values.
    """

    community: str
    from_ms: int
    to_ms: int
    devices: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    site: str | None = None
    quantities: frozenset[str] | None = None
    point: str | None = None
    area: Area | None = None
    above: int | None = None
    below: int | None = None
    timed: Timed | None = None
    window_ms: int | None = None

    @property
    def shapes(self) -> frozenset[Shape]:
        """What shapes the quantities have that are asked for."""
        asked = self.quantities if self.quantities is not None else frozenset(Quantity)
        return frozenset(MEASURES[Quantity(name)].shape for name in asked)

    @property
    def before_ms(self) -> int:
        """How long before a window a reading may lie that reaches into it."""
        if self.window_ms is None:
            return 0
        return INTERVAL_BEFORE_MS if "interval" in self.shapes else REGISTER_GAP_MS if "register" in self.shapes else 0

    @property
    def scan_from_ms(self) -> int:
        """From when on readings must be looked at."""
        return max(0, self.from_ms - self.before_ms)

    @property
    def scan_to_ms(self) -> int:
        """Until when: a register at the end of the last window lies between the reads around it."""
        ahead = self.window_ms is not None and "register" in self.shapes
        return self.to_ms + REGISTER_GAP_MS if ahead else self.to_ms

    def fits(self, value: int) -> bool:
        """Tell whether a value lies between the bounds that were asked for."""
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)


def mark_of(question: Question, reach: Reach) -> str:
    """Return what tells a question of a client from every other, so that a cursor goes on with its own."""
    named = [(name, getattr(question, name)) for name in question.__slots__]
    named += [(name, getattr(reach, name)) for name in reach.__slots__]
    plain = [(name, sorted(value) if isinstance(value, frozenset) else value) for name, value in named]
    return sha256(repr(plain).encode()).hexdigest()[:16]
