"""A cable steps its power for a moment, when nobody expects it, and the site's meter has to show the step. Pure.

A theft on the way between cable and meter may hide in the energy of half an hour, in which a house does many things. It
hardly hides in a step that begins and ends in the seconds that we choose: a house steps too, but seldom just then, just
so much, the other way, and back again.

The sources' ideas, in short: a step is estimated from medians, which a few spikes do not move (robust statistics,
Tukey); by both neighbours, so that an even drift of the load cancels; and what single challenges say is summed up as
Page's test of 1954 does: a sequential test of likelihoods (Wald) that begins anew whenever it speaks for the host.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
import hmac
from typing import Literal

from ..wire import Permission

type Sample = tuple[int, int]  # time in ms, and the meter's power in W then, import positive
type Shown = Literal["match", "mismatch", "unknown"]

STEP_SECONDS = 20
SETTLE_SECONDS = 4  # what a converter takes to follow, and a meter to show it; looked at by nobody
LEAD_SECONDS = 20  # looked at before the step, and as long after it
WHOLE_SECONDS = LEAD_SECONDS + STEP_SECONDS + SETTLE_SECONDS + LEAD_SECONDS
SAMPLES_MIN = 5  # in each of the three windows, else a median says little
STEP_W_MIN = 500  # below it, the class of a meter and a fridge count too much

SHARE_LIMIT_PERMILLE = 800  # half way between the worst honest line (900) and the theft of three tenths (700)
SHARE_PERMILLE_MAX = 1_200  # a meter that shows more than the step has seen something else too
ERROR_PERMILLE_MAX = 150  # a challenge during which the house was this restless says nothing

# Page's test: of the verdicts that say something, an honest site has at most 1 % mismatches (measured: 0.1 %), a theft
# of three tenths or more at least 90 % (measured: 99 %). In thousandths of a natural logarithm, rounded for the host.
MISMATCH_EVIDENCE = 4_499  # ln(0.9 / 0.01)
MATCH_EVIDENCE = -2_293  # ln(0.1 / 0.99)
EVIDENCE_AGAINST = 11_513  # ln(100 000)
EVIDENCE_FOR = 6_908  # ln(1 000)

SLOT_SECONDS = 450  # one challenge in each: four in half an hour, each of 11 Wh more or less
STEP_W = 2_000
SOC_MARGIN_PERCENT = 5  # kept from the floor, and from full


@dataclass(frozen=True, slots=True)
class Challenge:
    """From `at_ms`, for `STEP_SECONDS`, a cable takes `step_w` more than before (negative: less, or gives more)."""

    at_ms: int
    step_w: int

    def __post_init__(self) -> None:
        """Refuse a step that no meter is asked to show."""
        if abs(self.step_w) < STEP_W_MIN:
            raise ValueError(f"a step of {self.step_w} W is less than {STEP_W_MIN} W")


@dataclass(frozen=True, slots=True)
class Response:
    """What a site's meter showed of a challenge: the share of the step in thousandths, give or take `error_permille`.

    Both are None where there were too few samples. The error is no standard error but a bound for what is plausible:
    half of what the load went on by between the neighbours, and the widest window's median deviation.
    """

    verdict: Shown
    share_permille: int | None = None
    error_permille: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What several challenges say together; evidence in thousandths of a natural logarithm, never below zero.

    `against` grew beyond `EVIDENCE_AGAINST` once: mismatch, for good. Otherwise match while `host` is beyond
    `EVIDENCE_FOR`, and unknown.
    """

    verdict: Shown = "unknown"
    against: int = 0
    host: int = 0
    counted: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """When in a slot its challenge begins, in s since its beginning, and which way it steps if it may choose."""

    second: int
    up: bool


@dataclass(frozen=True, slots=True)
class Room:
    """What a cable may do now. Power in W, positive towards the car; `least_w` is its largest discharge (negative)."""

    permission: Permission
    soc_percent: int | None
    soc_floor_percent: int
    power_w: int
    least_w: int
    most_w: int


def response(samples: Iterable[Sample], challenge: Challenge) -> Response:
    """Estimate the share of a step that a meter showed, from its power about once a second; in any order.

    What the meter's clock is off may be as long as SETTLE_SECONDS less what the converter takes to follow.
    """
    windows = _windows(samples, challenge.at_ms)
    if min(map(len, windows)) < SAMPLES_MIN:
        return Response("unknown")
    before, during, after = (_median_2w(window) for window in windows)
    shown_4w = 2 * during - before - after
    step_w = abs(challenge.step_w)
    share = _rounded(1000 * shown_4w * (1 if challenge.step_w > 0 else -1), 4 * step_w)
    spread_4w = max(_deviation_4w(window) for window in windows)
    error = -(-1000 * (abs(after - before) + spread_4w) // (4 * step_w))
    return Response(_verdict(share, error), share, error)


def _windows(samples: Iterable[Sample], at_ms: int) -> tuple[list[int], list[int], list[int]]:
    """Return the powers before, during and after a step; what is next to an edge belongs to none."""
    before: list[int] = []
    during: list[int] = []
    after: list[int] = []
    settle_ms, end_ms = 1000 * SETTLE_SECONDS, 1000 * STEP_SECONDS
    for sample_ms, power_w in samples:
        passed_ms = sample_ms - at_ms
        if -1000 * LEAD_SECONDS <= passed_ms < 0:
            before.append(power_w)
        elif settle_ms <= passed_ms < end_ms:
            during.append(power_w)
        elif end_ms + settle_ms <= passed_ms < end_ms + settle_ms + 1000 * LEAD_SECONDS:
            after.append(power_w)
    return before, during, after


def _median_2w(values: Sequence[int]) -> int:
    """Return twice the median, which is whole."""
    ranked = sorted(values)
    return ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]


def _deviation_4w(values: Sequence[int]) -> int:
    """Return four times the median distance from the median, which is whole."""
    median_2w = _median_2w(values)
    return _median_2w([abs(2 * value - median_2w) for value in values])


def _rounded(dividend: int, divisor: int) -> int:
    """Divide and round to the nearest whole number, half of one away from zero: the same for a step up and one down."""
    quotient = (2 * abs(dividend) + divisor) // (2 * divisor)
    return quotient if dividend >= 0 else -quotient


def _verdict(share: int, error: int) -> Shown:
    if error > ERROR_PERMILLE_MAX or share - error > SHARE_PERMILLE_MAX:
        return "unknown"
    if share + error < SHARE_LIMIT_PERMILLE:
        return "mismatch"
    return "match" if share - error > SHARE_LIMIT_PERMILLE else "unknown"


def judge(verdicts: Iterable[Shown], judgement: Judgement | None = None) -> Judgement:
    """Sum up what challenges of one site said, in their order, going on from an earlier judgement.

    The bound on false alarms: as long as at most 1 % of an honest site's verdicts are mismatches, whatever came before
    (which the secret times of the challenges see to), each of n challenges is the beginning of one sequential test
    whose ratio of likelihoods passes 100 000 with a chance of at most 1 in 100 000. So the chance that n challenges
    ever end in a mismatch is at most n / 100 000. A mismatch is never one challenge's doing: it takes three.
    """
    result = judgement or Judgement()
    for verdict in verdicts:
        result = _with(result, verdict)
    return result


def _with(judgement: Judgement, verdict: Shown) -> Judgement:
    if verdict == "unknown" or judgement.verdict == "mismatch":
        return judgement
    evidence = MISMATCH_EVIDENCE if verdict == "mismatch" else MATCH_EVIDENCE
    against = max(0, judgement.against + evidence)
    host = max(0, judgement.host - evidence)
    together: Shown = "match" if host >= EVIDENCE_FOR else "unknown"
    return Judgement("mismatch" if against >= EVIDENCE_AGAINST else together, against, host, judgement.counted + 1)


def schedule(secret: bytes, cable: str, slot: int) -> Drawn:
    """Draw the challenge of a slot (unix time / SLOT_SECONDS): who does not hold the secret cannot foresee it.

    All of a challenge, its neighbours included, lies in its slot: none touches another, and there are never more than
    one in each. A site's cables are challenged one at a time: whoever calls this gives each its own slots.
    """
    drawn = hmac.digest(secret, f"challenge:{cable}:{slot}".encode(), sha256)
    places = SLOT_SECONDS - WHOLE_SECONDS + 1
    return Drawn(LEAD_SECONDS + int.from_bytes(drawn[:8]) % places, bool(drawn[8] & 1))


def step_w(room: Room, drawn: Drawn) -> int | None:
    """Choose how far a cable steps from what it does now; None where it may not, or has no room for a step.

    Nothing that the car needs, or the site forbids, is touched: more towards the car asks for a permission to charge
    and a battery that is not full; less is harmless down to zero, and below it asks for one to discharge.
    """
    if room.permission == "denied" or room.soc_percent is None:
        return None
    steps = (_room_w(room, up=up) for up in (drawn.up, not drawn.up))
    return next((step for step in steps if abs(step) >= STEP_W_MIN), None)


def _room_w(room: Room, *, up: bool) -> int:
    """Return the step that there is room for, up (more towards the car) or down, of at most STEP_W."""
    assert room.soc_percent is not None
    may_give = room.permission == "allowed" and room.soc_percent > room.soc_floor_percent + SOC_MARGIN_PERCENT
    may_take = room.soc_percent < 100 - SOC_MARGIN_PERCENT
    least_w = room.least_w if may_give else 0
    most_w = room.most_w if may_take else 0
    if up:
        return max(0, min(STEP_W, most_w - room.power_w))
    return min(0, max(-STEP_W, least_w - room.power_w))
