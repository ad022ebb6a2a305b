"""One tap's breaker over time: opened for want of credit, closed again, and left alone where a person decided."""

from dataclasses import dataclass
from typing import Literal

DWELL_SECONDS = 300  # after a breaker closed it is not opened again so soon; closing waits for nothing

type Phase = Literal["free", "opening", "open"]
type Step = Literal["open", "close", "opened", "closed", "by_hand"]


@dataclass(frozen=True, slots=True)
class Held:
    """What is remembered of a breaker: whether we hold it open, and since when (s).

    `free`: it was closed again then (0: never opened by us); `opening`: it was told to open then; `open`: it was seen
    open then. A breaker that a person opened is never ours, and is never closed.
    """

    phase: Phase = "free"
    at: int = 0


def step(held: Held, now: int, *, cut: bool, closed: bool | None, dwell: int) -> tuple[Held, Step | None]:
    """Return what is remembered from now on, and one thing to do (`open`, `close`) or to tell; ask again until None.

    Remember before doing: a breaker opened and forgotten would stay open for ever. `closed` is None while the breaker
    does not answer; then nothing moves.
    """
    rested = not 0 <= now - held.at < dwell  # a clock set back must not hold anything up
    match held.phase:
        case "free":
            return (Held("opening", now), "open") if cut and closed and rested else (held, None)
        case "opening":
            return _opening(held, now, cut=cut, closed=closed, rested=rested)
        case "open":
            if closed:
                return Held("free", now), "by_hand" if cut else "closed"
            return held, "close" if closed is False and not cut else None


def _opening(held: Held, now: int, *, cut: bool, closed: bool | None, rested: bool) -> tuple[Held, Step | None]:
    """Go on from a command whose effect was not seen: it failed, or the program ended in between."""
    if closed is None:
        return held, None
    if not closed:
        return Held("open", now), "opened"
    if not cut:
        return Held(), None
    return (Held("opening", now), "open") if rested else (held, None)
