"""Sessions of a cable at measured homes, honest ones and thefts, and how the rules of site and cloud judge them.

A session is made of a home's real periods and a cable that is added to them. What is made up is drawn anew for each:
errors of every meter and of the cable, the loss between them, when registers are read. Nothing else is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cloud.v2g.judgement.outcome import Past, guilt
from cloud.v2g.terms.terms import DEFAULTS
from custom_components.commonwatt.v2g.agreement import Basis, Tolerance, compare
from custom_components.commonwatt.v2g.coverage import Learnt, is_known

from .households import Home

type Rows = npt.NDArray[np.float64]  # one row for each session, one column for each of its periods
type Whole = npt.NDArray[np.int64]
type Which = npt.NDArray[np.bool_]  # one for each session
type Metered = Literal["behind its loss", "at the plug", "at the battery"]

QUIET_SECONDS = 2 * 86_400  # before a session, in which no cable moves energy
PERIODS = 4  # a theft has to be found within them; an honest session lasts twice as long
METER_CLASS = 0.01  # of the site's meter and of each sub-meter: an error stays within it, and is a meter's own
CABLE_CLASS = 0.01
READ_WH = 2.0  # standard deviation of a register between two reads, at a boundary

# Between where a cable measures and the site's meter. A loss that the cable measures itself is none to the rule.
LOSS_MAX: dict[Metered, float] = {"behind its loss": 0.1, "at the plug": 0.02, "at the battery": 0.1}
SIZE_WH = (500, 3000)  # of a period, at the battery


@dataclass(frozen=True, slots=True)
class Sessions:
    """What was measured in sessions at one home, in whole Wh, and what was stolen in a period of each."""

    cable: Whole
    meter: Whole
    consumption: Whole
    residuals: Whole  # of the quiet periods before
    before: Whole
    stolen_wh: npt.NDArray[np.float64]
    period_s: int


def sessions(
    home: Home,
    count: int,
    rng: np.random.Generator,
    *,
    share: float | Rows = 0,
    metered: Metered = "behind its loss",
    rest: bool = True,
    step_wh: int = 1,
) -> Sessions:
    """Make sessions at a home: if honest idle, charging or discharging, else discharges of which a share is stolen.

    `share` is one, or a column with each session's own. Without `rest` the circuits that have no meter in the data have
    none here either. `step_wh` is what the registers of site and sub-meters count by.
    """
    quiet, periods = QUIET_SECONDS // home.seconds, PERIODS if np.any(share) else 2 * PERIODS
    starts = rng.integers(0, len(home.net) - quiet - periods, count)
    at = starts[:, None] + np.arange(quiet + periods)
    size = rng.uniform(*SIZE_WH, (count, 1)) * rng.uniform(0.9, 1.1, (count, periods))
    direction = -1.0 if np.any(share) else rng.choice([-1.0, 0.0, 1.0], (count, 1))
    own = np.concatenate([np.zeros((count, quiet)), size * direction], axis=1)
    loss = rng.uniform(0, LOSS_MAX[metered], (count, 1))
    line = np.where(own < 0, own * (1 - loss), own / (1 - loss))
    told = (line if metered == "behind its loss" else own) * _gain(count, CABLE_CLASS, rng)
    arrived = line * np.where(line < 0, 1 - share, 1)
    meter = _registers((home.net[at] + arrived) * _gain(count, METER_CLASS, rng), rng, step_wh)
    circuits = (*home.circuits, home.rest) if rest else home.circuits
    parts = [_registers(part[at] * _gain(count, METER_CLASS, rng), rng, step_wh) for part in circuits]
    consumption = np.sum(parts, axis=0)
    cable = _registers(told, rng, read_wh=0)
    return Sessions(
        cable=cable[:, quiet:],
        meter=meter[:, quiet:],
        consumption=consumption[:, quiet:],
        residuals=(meter - consumption)[:, :quiet],
        before=meter[:, quiet - 1],
        stolen_wh=(arrived - line)[:, quiet:].mean(axis=1),
        period_s=home.seconds,
    )


def _gain(count: int, of_class: float, rng: np.random.Generator) -> Rows:
    return 1 + rng.uniform(-of_class, of_class, (count, 1))


def _registers(energies: Rows, rng: np.random.Generator, step_wh: int = 1, *, read_wh: float = READ_WH) -> Whole:
    """Return by what a meter's registers, import less export, moved in each period: floored at each boundary."""
    imported, exported = (_register(np.maximum(side, 0), rng, step_wh, read_wh) for side in (energies, -energies))
    return imported - exported


def _register(energies: Rows, rng: np.random.Generator, step_wh: int, read_wh: float) -> Whole:
    count, periods = energies.shape
    exact = np.cumsum(np.concatenate([rng.uniform(0, step_wh, (count, 1)), energies], axis=1), axis=1)
    moves = np.concatenate([energies, energies[:, -1:]], axis=1) > 0
    exact += np.where(moves, np.clip(rng.normal(0, read_wh, (count, periods + 1)), -3 * read_wh, 3 * read_wh), 0)
    return step_wh * np.diff(np.floor(exact / step_wh)).astype(np.int64)


def known(made: Sessions, tolerance_wh: int) -> Which:
    """Tell in which sessions the site takes its consumption for known, by what it learnt before."""
    learnt = ([Learnt(end, {"meter": int(wh)}) for end, wh in enumerate(row)] for row in made.residuals)
    return np.array([is_known(items, {"meter"}, tolerance_wh) for items in learnt])


def known_by(made: Sessions, tolerance_wh: int, intervals: int, outside: int) -> Which:
    """Tell the same by another memory: of so many intervals at most so many outside the tolerance."""
    counts: Whole = (np.abs(made.residuals[:, -intervals:]) > tolerance_wh).sum(axis=1)
    return counts <= outside


def flagged(made: Sessions, basis: Basis, tolerance: Tolerance) -> Which:
    """Tell which sessions are flagged at any of their periods, were their verdicts on this basis to count."""
    return np.array([_flagged(_mismatches(made, at, basis, tolerance)) for at in range(len(made.before))])


def _mismatches(made: Sessions, at: int, basis: Basis, tolerance: Tolerance) -> Iterable[bool]:
    before = int(made.before[at])
    for cable, meter, consumption in zip(
        made.cable[at].tolist(), made.meter[at].tolist(), made.consumption[at].tolist(), strict=True
    ):
        said = compare(cable, meter, consumption if basis == "consumption" else None, before, tolerance)
        yield said.verdict == "mismatch"


def _flagged(mismatches: Iterable[bool]) -> bool:
    """Ask the second judgement after each period, by its own terms."""
    seen = [Past(start, "mismatch" if wrong else "match", counts=True) for start, wrong in enumerate(mismatches)]
    if sum(past.verdict == "mismatch" for past in seen) < DEFAULTS.mismatches:
        return False
    return any(guilt(seen[end::-1], DEFAULTS) is not None for end in range(len(seen)))
