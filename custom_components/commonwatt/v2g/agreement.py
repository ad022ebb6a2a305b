"""Agreement: what the cables of a site say is held against what its meter saw move."""

from dataclasses import dataclass
from typing import Literal

from ..wire import Verdict

type Basis = Literal["consumption", "before"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far meter and cables may lie apart: `wh`, or so many percent of the cables' energy where that is more.

    Losses between the two are normal.
    """

    wh: int = 100
    percent: int = 10

    def of(self, cable_wh: int) -> int:
        """Return the tolerance in Wh for what the cables moved, floored."""
        return max(self.wh, abs(cable_wh) * self.percent // 100)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the cables of a site and its meter agree in one interval; energies in Wh, None with nothing to compare.

    `basis` is what the meter was expected by: everything else behind it, or what it showed before the cables came.
    """

    verdict: Verdict
    basis: Basis | None = None
    meter_wh: int | None = None
    expected_wh: int | None = None
    difference_wh: int | None = None
    tolerance_wh: int | None = None


UNKNOWN = Agreement("unknown")


def compare(
    cable_wh: int,
    meter_wh: int | None,
    consumption_wh: int | None,
    before_wh: int | None,
    tolerance: Tolerance,
) -> Agreement:
    """Compare what all cables moved together (towards the cars) with the meter's net import.

    With nothing to compare the verdict is `unknown`, which is not guilt.
    """
    basis: Basis = "before" if consumption_wh is None else "consumption"
    base_wh = before_wh if consumption_wh is None else consumption_wh
    if meter_wh is None or base_wh is None:
        return UNKNOWN
    expected_wh, tolerance_wh = base_wh + cable_wh, tolerance.of(cable_wh)
    difference_wh = abs(meter_wh - expected_wh)
    verdict: Verdict = "mismatch" if difference_wh > tolerance_wh else "match"
    return Agreement(verdict, basis, meter_wh, expected_wh, difference_wh, tolerance_wh)


def told(agreement: Agreement, cable_wh: int) -> Verdict:
    """Return the verdict as it leaves the site: what the meter showed before is at most ground for suspicion.

    It is none where the cables moved no more than the tolerance: then only the household can have changed.
    """
    if agreement.verdict != "mismatch" or agreement.basis != "before":
        return agreement.verdict
    return "suspect" if abs(cable_wh) > (agreement.tolerance_wh or 0) else "unknown"
