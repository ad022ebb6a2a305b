"""What becomes of a judged period, and when a site has lost its permission. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cloud.v2g.terms.terms import Terms
from cloud.wire.cable import Verdict

from .rule import Basis, Cause, Judged, Word

type State = Literal["pending", "final", "withheld", "void"]
type Witness = Literal["utility", "lookback"]

ENDED = frozenset({"final", "void"})
COMPARABLE = frozenset({"consumption", "utility"})  # what a flag may be built on
BREACHES = frozenset({"scaled", "gap"})  # mismatches that need no meter: the signature alone shows them


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a cable's period: its state, and which witness made it final."""

    state: State
    cause: Cause
    witness: Witness | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A period of a site as the look-back sees it: all its cables together."""

    start: int
    verdict: Verdict
    counts: bool  # whether there was anything that a flag may be built on
    by_utility: bool = False


def heard(judged: Judged, word: Word | None) -> Judged:
    """Return a verdict with what the provider's readings say of it: they overrule the site's meter both ways.

    What a cable has not signed they cannot speak for, and what they leave open stays as it was.
    """
    if word is None or judged.records == 0 or word.verdict not in ("match", "mismatch"):
        return judged
    cause: Cause = "utility" if word.verdict == "mismatch" else "none"
    return Judged(word.verdict, cause, "utility", judged.energy_wh, judged.records)


def outcome(
    judged: Judged,
    later: Sequence[Past | None],
    look_back: int,
    *,
    over_cap: bool,
    stopped: bool = False,
    aged: bool = False,
) -> Outcome:
    """Return what becomes of a period that has not ended.

    `later` are the site's next periods with cables in order of time, None for one that still waits for records; so many
    in a row without a mismatch are a witness. `over_cap`: more waits on mere doubt already than the terms allow.
    `stopped`: the cable was not its driver's to use, so that neither is the driver debited nor anybody paid.
    `aged`: a day has passed since. No car may come to this site for long; of what matched, a clean day is enough.
    """
    if judged.verdict == "mismatch" or judged.cause == "unsigned":
        return Outcome("withheld", judged.cause)
    if judged.cause == "waiting":
        return Outcome("pending", judged.cause)
    if stopped:
        return Outcome("withheld", "stopped")
    if judged.basis == "utility" and judged.verdict == "match":
        return Outcome("final", judged.cause, "utility")
    if over_cap and judged.verdict in ("suspect", "unknown"):
        return Outcome("withheld", "pending-cap")
    if passed(later, look_back) or (aged and judged.verdict == "match" and clean(later)):
        return Outcome("final", judged.cause, "lookback")
    return Outcome("pending", judged.cause)


def passed(later: Sequence[Past | None], look_back: int) -> bool:
    """Tell whether so many periods in a row were judged without a mismatch."""
    number = 0
    for past in later:
        if past is None:
            return False
        number = 0 if past.verdict == "mismatch" else number + 1
        if number >= look_back:
            return True
    return False


def clean(later: Sequence[Past | None]) -> bool:
    """Tell whether every period so far was judged, none of them a mismatch."""
    return all(past is not None and past.verdict != "mismatch" for past in later)


def together(start: int, cables: Sequence[tuple[Verdict, Basis, Cause, Verdict | None]]) -> Past | None:
    """Return a site's period as the look-back sees it: of its cables the gravest verdict; None while one waits.

    Each cable comes with its verdict, basis, cause, and what the provider's readings say of the period since.
    """
    if any(cause == "waiting" for _, _, cause, _ in cables):
        return None
    found: list[tuple[Verdict, bool, bool]] = []
    for verdict, basis, cause, word in cables:
        if word in ("match", "mismatch") and cause not in ("unsigned", "gap"):
            found.append((word, True, True))
        else:
            found.append((verdict, basis in COMPARABLE or cause in BREACHES, False))
    for grave in ("mismatch", "suspect", "unknown", "match"):
        of_it = [item for item in found if item[0] == grave]
        if of_it:
            return Past(start, grave, any(item[1] for item in of_it), any(item[2] for item in of_it))
    return None


@dataclass(frozen=True, slots=True)
class Guilt:
    """Why a site loses its permission: by its own meter or the provider's, and the periods that show it."""

    cause: Literal["mismatch", "utility"]
    evidence: tuple[int, ...]


def guilt(periods: Sequence[Past], terms: Terms) -> Guilt | None:
    """Return whether a site loses its permission; `periods` are those since it was last given, the newest first.

    Only what can be compared counts: suspicion, and what nothing is known of, are not guilt. Any `look_back` periods in
    a row do, not just the newest: whoever has records come late is judged as if they had come in time.
    """
    counted = [past for past in periods if past.counts and past.verdict in ("match", "mismatch")]
    for first in range(len(counted)):
        wrong = [past for past in counted[first : first + terms.look_back] if past.verdict == "mismatch"]
        if len(wrong) >= terms.mismatches:
            by_utility = any(past.by_utility for past in wrong)
            return Guilt("utility" if by_utility else "mismatch", tuple(sorted(past.start for past in wrong)))
    return None
