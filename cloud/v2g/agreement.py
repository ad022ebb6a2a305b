"""Whether a site's meter shows what cables moved: the meter against what it should read, within a tolerance. Pure."""

from dataclasses import dataclass
from typing import Literal

from cloud.wire.cable import Verdict

type Basis = Literal["consumption", "before", "none"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much a meter may be off: whole Wh, or percent of what the cables moved, whichever is more."""

    wh: int
    percent: int

    def of(self, cable_wh: int) -> int:
        """Return how many Wh the meter may be off, floored."""
        return max(self.wh, abs(cable_wh) * self.percent // 100)


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison: the verdict, what the meter was compared with, how far off it was and might have been, in Wh."""

    verdict: Literal["match", "mismatch", "unknown"]
    basis: Basis
    difference_wh: int | None = None
    tolerance_wh: int | None = None

    @property
    def judged(self) -> Verdict:
        """The verdict as far as it goes: what only the earlier meter value speaks against is suspect, not wrong."""
        return "suspect" if (self.basis, self.verdict) == ("before", "mismatch") else self.verdict


NOTHING = Compared("unknown", "none")


def compare(
    meter_wh: int | None,
    cable_wh: int,
    *,
    consumption_wh: int | None = None,
    before_wh: int | None = None,
    tolerance: Tolerance,
) -> Compared:
    """Hold a site's net import against what it should be, with all cables of the site together.

    That is what everything else behind the meter used, where it is known, else what the meter showed before the cables
    came; and to that what they took (negative: gave). All in Wh of one period, or of as many as are summed up.
    """
    basis: Basis = "before" if consumption_wh is None else "consumption"
    rest = before_wh if consumption_wh is None else consumption_wh
    if meter_wh is None or rest is None:
        return NOTHING
    off, most = abs(meter_wh - (rest + cable_wh)), tolerance.of(cable_wh)
    return Compared("match" if off <= most else "mismatch", basis, off, most)
