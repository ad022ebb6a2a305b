"""Step challenges against a measured day: how many it takes to find a theft, and how often a house looks like one.

The house's power is real, told about every ten seconds, with another home's minutes on top for a busy one. The rest is
drawn: noise, how fast its converter follows, what the line loses, how late the meter's clock shows a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from custom_components.commonwatt.v2g.challenge import (
    LEAD_SECONDS,
    SLOT_SECONDS,
    STEP_SECONDS,
    STEP_W,
    WHOLE_SECONDS,
    Challenge,
    Shown,
    judge,
    response,
    schedule,
)

from .households import day_of_power, minutes_of_power

METER_CLASS = 0.01
LOSS_MAX = 0.1
NOISE_W = 30  # of each second, which values ten seconds apart do not show
LATE_S_MAX, RAMP_S_MAX = 2.0, 1.5  # together within what a challenge lets settle
VISIT_SLOTS = 4 * 1800 // SLOT_SECONDS  # four half hours
SPARE_SECONDS = 4


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Of single challenges, in percent."""

    match: float
    mismatch: float
    unknown: float


def powers(*, busy: bool) -> npt.NDArray[np.int64]:
    """Return a day of a home, second by second; a busy one has the load of two."""
    day = day_of_power()
    if not busy:
        return day
    return day + np.repeat(minutes_of_power(), 60)[: len(day)]


def visits(
    load: npt.NDArray[np.int64], count: int, share: float, rng: np.random.Generator, step_w: int = STEP_W
) -> list[list[Shown]]:
    """Return what each challenge of some visits says, one in each slot of VISIT_SLOTS, when it was drawn for.

    `share` of every step is stolen; the rest loses as much on its way as the line of that visit does.
    """
    return [_visit(load, share, rng, step_w) for _ in range(count)]


def _visit(load: npt.NDArray[np.int64], share: float, rng: np.random.Generator, step_w: int) -> list[Shown]:
    secret = rng.bytes(16)
    first = int(rng.integers(0, len(load) - VISIT_SLOTS * SLOT_SECONDS - SPARE_SECONDS))
    late, ramp = rng.uniform(0, LATE_S_MAX), rng.uniform(0.1, RAMP_S_MAX)
    kept, gain = 1 - rng.uniform(0, LOSS_MAX), 1 + rng.uniform(-METER_CLASS, METER_CLASS)
    said: list[Shown] = []
    for slot in range(VISIT_SLOTS):
        drawn = schedule(secret, "cable", slot)
        begin = first + slot * SLOT_SECONDS + drawn.second
        step = step_w if drawn.up else -step_w
        arrives = (step / kept if drawn.up else step * kept) * (1 - share)
        passed = np.arange(-LEAD_SECONDS, WHOLE_SECONDS - LEAD_SECONDS + SPARE_SECONDS)
        moved = np.clip((passed - late) / ramp, 0, 1) - np.clip((passed - late - STEP_SECONDS) / ramp, 0, 1)
        noise = rng.normal(0, NOISE_W, len(passed))
        shown = (load[begin + passed] + arrives * moved + noise) * gain
        samples = [(1000 * int(at), round(float(power))) for at, power in zip(passed, shown, strict=True)]
        said.append(response(samples, Challenge(0, step)).verdict)
    return said


def verdicts(made: Sequence[Sequence[Shown]]) -> Verdicts:
    """Return the shares of what single challenges said."""
    said = list(chain.from_iterable(made))
    return Verdicts(*(100 * said.count(one) / len(said) for one in ("match", "mismatch", "unknown")))


def found_within(made: Sequence[Sequence[Shown]], number: int) -> float:
    """Return in how many of a hundred visits the first so many challenges end in a mismatch."""
    return 100 * sum(judge(said[:number]).verdict == "mismatch" for said in made) / len(made)
