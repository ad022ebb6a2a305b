"""Our own clock as the time servers see it, as a value, and when each of them is asked again. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cloud.hub.clocks.clock import OwnState

from .answer import NEVER_AGAIN, Measured, Unusable, best_of

ASK_MS = 600_000  # how often a server is asked: more is rude, and a clock does not drift that fast
RETRY_MS = 64_000  # after the first failure
RETRY_MS_MAX = 3_600_000
OFF_MS = 1000  # half of what is allowed to others: beyond, we would judge them wrongly
HOLD_MS = 2 * RETRY_MS_MAX  # for so long the last measurement holds when no server can be reached


@dataclass(frozen=True, slots=True)
class Server:
    """A time server of ours: when it is asked next (None: never again), how often it failed in a row, its last word."""

    name: str
    host: str
    port: int
    due_ms: int | None = 0
    failures: int = 0
    slower: int = 0  # how often it has asked us to come less often
    last: Measured | Unusable | None = None

    def is_due(self, now_ms: int) -> bool:
        """Tell whether to ask it now: also where our clock was set back, and the time it waits for is far off."""
        return self.due_ms is not None and not now_ms < self.due_ms <= now_ms + RETRY_MS_MAX

    def heard(self, word: Measured | Unusable, now_ms: int) -> Server:
        """Return it after an answer or a silence."""
        if isinstance(word, Measured):
            return replace(self, due_ms=now_ms + _pause_ms(self.slower), failures=0, last=word)
        if word.kiss in NEVER_AGAIN:
            return replace(self, due_ms=None, last=word)
        if word.kiss is not None:
            slower = self.slower + 1
            return replace(self, due_ms=now_ms + _pause_ms(slower), slower=slower, last=word)
        wait = min(RETRY_MS << min(self.failures, 10), RETRY_MS_MAX)
        return replace(self, due_ms=now_ms + wait, failures=self.failures + 1, last=word)


def _pause_ms(slower: int) -> int:
    return min(ASK_MS << min(slower, 10), RETRY_MS_MAX)


@dataclass(frozen=True, slots=True)
class OwnClock:
    """Our clock: `offset_ms` is how far we are behind the server, so what is to be added to our time; `why` for people.

    `unknown`: no server is configured, or none was asked yet. `unsynchronised`: none of them tells.
    """

    state: OwnState = "unknown"
    offset_ms: int | None = None
    delay_ms: int | None = None
    stratum: int | None = None
    server: str | None = None
    measured_ms: int | None = None
    why: str | None = None


def judged(servers: Sequence[Server], before: OwnClock, now_ms: int) -> OwnClock:
    """Return our clock after a round of questions; the last good measurement holds for a while."""
    heard = [server.last for server in servers if server.last is not None]
    measured = [word for word in heard if isinstance(word, Measured)]
    best = best_of(measured)
    if best is not None:
        state: OwnState = "off" if abs(best.offset_ms) > OFF_MS else "right"
        return OwnClock(state, best.offset_ms, best.delay_ms, best.stratum, best.server, now_ms)
    if measured:
        return replace(before, state="unsynchronised", why="the time servers disagree")
    why = "; ".join(f"{word.server}: {word.why}" for word in heard if isinstance(word, Unusable))
    held = before.measured_ms is not None and now_ms - before.measured_ms <= HOLD_MS
    if held and before.state != "unsynchronised":
        return replace(before, why=why)
    return replace(before, state="unsynchronised" if heard else "unknown", why=why or None)
