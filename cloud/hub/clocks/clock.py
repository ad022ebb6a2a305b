"""The clock of a connected system beside ours: its offset, whether that is too much, and what it is told. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Literal

type SystemKind = Literal["device", "source", "site"]
type ClockState = Literal["right", "off", "far"]
type OwnState = Literal["right", "off", "unsynchronised", "unknown"]
type Order = Literal["set-back", "set-forward"]

OFFSETS_MAX = 5  # of the last messages: one that lay about on its way does not make a clock wrong
LIMIT_MS = 2000
FAR_MS = 300_000  # beyond, readings are refused as from the future
SETTLED_PER_MILLE = 750  # of a limit: a clock at the very limit does not go to and fro
NOTED_MS = 60_000  # between two writes of a clock that has not changed its state

WITHHELD: dict[OwnState, str] = {
    "off": "the hub's own clock is off, so it tells nobody the time",
    "unsynchronised": "the hub cannot reach a time server, so it tells nobody the time",
}


@dataclass(frozen=True, slots=True)
class System:
    """A connected system: a device, a maker's cloud (a source) or a site."""

    community: str
    kind: SystemKind
    system: str


@dataclass(frozen=True, slots=True)
class Limits:
    """From which offset on, to either side, a clock is off, and from which it is far off."""

    limit_ms: int = LIMIT_MS
    far_ms: int = FAR_MS


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of a system: the median of its last offsets, positive where it is ahead, when it was last heard."""

    system: System
    offset_ms: int
    at_ms: int
    state: ClockState
    since_ms: int


@dataclass(frozen=True, slots=True)
class Notice:
    """What a system is told of its clock: this message's offset, the state of late, and what to do by how much.

    `order` is None where nothing is to be done, or where we cannot say: `why` tells then.
    """

    offset_ms: int
    state: ClockState
    order: Order | None = None
    by_ms: int = 0
    why: str | None = None


@dataclass(slots=True)
class Course:
    """The last offsets of a system, its state by them, and when that was last written down."""

    offsets: deque[int] = field(default_factory=lambda: deque(maxlen=OFFSETS_MAX))
    state: ClockState | None = None
    at_ms: int = 0
    noted_ms: int | None = None
    noted_state: ClockState | None = None

    def is_due(self) -> bool:
        """Tell whether it is worth a write: on every change of state, and once in a while."""
        return self.noted_ms is None or self.state != self.noted_state or self.at_ms - self.noted_ms >= NOTED_MS


def median_of(offsets: Sequence[int]) -> int:
    """Return the middle one of some offsets, the lower of two."""
    return median_low(offsets)


def state_of(offset_ms: int, limits: Limits, before: ClockState | None = None) -> ClockState:
    """Return the state of a clock by its offset; it leaves a worse state only well within that state's limit."""
    distance = abs(offset_ms)
    if distance > _bound(limits.far_ms, settled=before == "far"):
        return "far"
    return "off" if distance > _bound(limits.limit_ms, settled=before in ("off", "far")) else "right"


def _bound(limit_ms: int, *, settled: bool) -> int:
    return limit_ms * SETTLED_PER_MILLE // 1000 if settled else limit_ms


def trusted(own: OwnState) -> bool:
    """Tell whether our own clock may judge others: not when we know that it is off, or cannot reach who would know.

    Where no time server is configured nobody knows; the machine's own time service is trusted then.
    """
    return own not in WITHHELD


def advice(offset_ms: int, state: ClockState, limits: Limits, own: OwnState) -> Notice:
    """Return what a system is told: to correct itself by this message's offset, if that too is beyond the limit.

    The median alone would tell it once more after it has corrected itself, and it would overshoot.
    """
    if own in WITHHELD:
        return Notice(offset_ms, state, why=WITHHELD[own])
    if state == "right" or abs(offset_ms) <= limits.limit_ms:
        return Notice(offset_ms, state)
    return Notice(offset_ms, state, "set-back" if offset_ms > 0 else "set-forward", abs(offset_ms))
