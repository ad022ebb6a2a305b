"""Judges a period of a site: what its cables signed against what it claims, and against its meter. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cloud.v2g.agreement import Compared, Tolerance, compare
from cloud.wire.cable import Verdict

CLAIM_WH: Final = 2  # rounding: each of four registers is floored
EDGE_WH: Final = 10  # a power step of 11 kW right at a boundary, which a site that polls every 10 s interpolates over
EDGE_SECONDS: Final = 30  # of a period, for each Wh of that

type Basis = Literal["consumption", "before", "utility", "none"]
type Cause = Literal["none", "waiting", "unsigned", "gap", "scaled", "meter", "utility", "stopped", "pending-cap"]


@dataclass(frozen=True, slots=True)
class Signed:
    """What a cable signed of a period at this site: the energy towards the car, and in how many records."""

    energy_wh: int
    records: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What a site claims of a cable in a period, and what the cable signed of it.

    `signed` is None while its records are waited for, or have not come; `missing` says that newer ones have, so that
    some are kept back. `untold_wh` is what the cable signed in this time before anybody had told it where it was.
    """

    cable: str
    energy_wh: int
    connected: bool
    signed: Signed | None
    missing: bool = False
    untold_wh: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """A period of a site: its cables, and what its meter says. `overdue`: records are waited for no longer."""

    start: int
    seconds: int
    claims: tuple[Claim, ...]
    meter_wh: int | None
    consumption_wh: int | None
    before_wh: int | None
    overdue: bool = False

    @property
    def signed_wh(self) -> int:
        """What all cables signed."""
        return sum(claim.signed.energy_wh for claim in self.claims if claim.signed is not None)

    @property
    def unsigned_wh(self) -> int:
        """What the site claims of cables that have signed nothing of it."""
        return sum(claim.energy_wh for claim in self.claims if claim.signed is None)

    @property
    def waits(self) -> bool:
        """Whether records are still to be waited for."""
        return not self.overdue and any(claim.signed is None for claim in self.claims)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a period of a cable is judged to be, and why."""

    verdict: Verdict
    cause: Cause
    basis: Basis
    energy_wh: int = 0
    records: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """What a provider's readings say of a period: the net import at the supply point, and whether it agrees."""

    net_wh: int
    verdict: Verdict


def judge(look: Look, tolerance: Tolerance) -> dict[str, Judged]:
    """Return the verdict on each cable of a period, by the site's own meter and the cables' signatures."""
    site = _site(look, look.meter_wh, tolerance)
    return {claim.cable: _judged(look, claim, site, tolerance) for claim in look.claims}


def _judged(look: Look, claim: Claim, site: Compared, tolerance: Tolerance) -> Judged:
    if claim.signed is None:
        if not look.overdue:
            return Judged("unknown", "waiting", "none")
        return Judged("mismatch", "gap", "none") if claim.missing else Judged("unknown", "unsigned", "none")
    about = claim.signed.energy_wh, claim.signed.records
    if look.waits:
        return Judged("unknown", "waiting", "none", *about)
    if scaled(claim, look.seconds, tolerance):
        return Judged("mismatch", "gap" if claim.missing else "scaled", "none", *about)
    if claim.signed.records == 0:
        return Judged("unknown", "unsigned", "none")
    verdict = site.judged
    return Judged(verdict, "meter" if verdict in ("mismatch", "suspect") else "none", site.basis, *about)


def scaled(claim: Claim, seconds: int, tolerance: Tolerance) -> bool:
    """Tell whether a site claims another energy than the cable signed: beyond the tolerance.

    It may be as far off as its meter. A site reads now and then: what changes at a boundary, or while it does not
    answer, it counts in the wrong period, and nobody gains by it: only what was signed is ever paid.
    """
    if claim.signed is None:
        return False
    signed_wh = claim.signed.energy_wh
    return _off_wh(claim.energy_wh, signed_wh, claim.untold_wh) > max(
        tolerance.of(signed_wh), _rounding_wh(signed_wh, seconds)
    )


def is_whole(claimed_wh: int, signed_wh: int, seconds: int, untold_wh: int = 0) -> bool:
    """Tell whether a claim is so near to what the cable signed that no record can be missing, by rounding and edges."""
    return _off_wh(claimed_wh, signed_wh, untold_wh) <= _rounding_wh(signed_wh, seconds)


def _off_wh(claimed_wh: int, signed_wh: int, untold_wh: int) -> int:
    """Return how far a claim is off; what was signed before the cable was told where it is may be counted or not."""
    least, most = sorted((signed_wh, signed_wh + untold_wh))
    return max(least - claimed_wh, claimed_wh - most, 0)


def _rounding_wh(signed_wh: int, seconds: int) -> int:
    return max(CLAIM_WH, min(EDGE_WH, seconds // EDGE_SECONDS), abs(signed_wh) // 100)


def _site(look: Look, meter_wh: int | None, tolerance: Tolerance) -> Compared:
    """Compare a meter with all cables of a site.

    Where some have signed nothing, guilt must hold with what the site claims of them and without, and innocence
    without: a claim that nobody signed neither accuses nor clears.
    """
    rest = {"consumption_wh": look.consumption_wh, "before_wh": look.before_wh}
    alone = compare(meter_wh, look.signed_wh, **rest, tolerance=tolerance)
    if not look.unsigned_wh or alone.verdict != "mismatch":
        return alone
    together = compare(meter_wh, look.signed_wh + look.unsigned_wh, **rest, tolerance=tolerance)
    return alone if together.verdict == "mismatch" else Compared("unknown", "none")


def word_of(looks: Sequence[Look], net_wh: int, tolerance: Tolerance) -> Word:
    """Return what a provider's net import of a span says of the periods of a site that fill it.

    Where the rest is known, the provider's meter takes the place of the site's. Where it is not, the provider's word is
    on the site's meter: another one convicts it; the same leaves the site's own verdict, now on a meter to believe.
    """
    whole = _summed(looks)
    if whole.waits:
        return Word(net_wh, "unknown")
    if whole.consumption_wh is not None:
        return Word(net_wh, _site(whole, net_wh, tolerance).judged)
    if whole.meter_wh is not None and abs(net_wh - whole.meter_wh) > tolerance.of(whole.signed_wh):
        return Word(net_wh, "mismatch")
    return Word(net_wh, _site(whole, whole.meter_wh, tolerance).judged)


def _summed(looks: Sequence[Look]) -> Look:
    """Return several periods of a site as one."""
    return Look(
        start=looks[0].start,
        seconds=sum(look.seconds for look in looks),
        claims=tuple(claim for look in looks for claim in look.claims),
        meter_wh=_sum([look.meter_wh for look in looks]),
        consumption_wh=_sum([look.consumption_wh for look in looks]),
        before_wh=_sum([look.before_wh for look in looks]),
        overdue=all(look.overdue for look in looks),
    )


def _sum(values: Sequence[int | None]) -> int | None:
    """Return a sum, None where a part of it is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def words_of(
    looks: Mapping[int, Look], readings: Mapping[int, tuple[int, int]], tolerance: Tolerance
) -> dict[int, Word]:
    """Return what a provider's readings say of each period, by its start.

    `readings` are (seconds, net import) by start. Periods and readings are matched over the shortest spans that whole
    ones of both fill; a span that is not filled, by either, says nothing.
    """
    found: dict[int, Word] = {}
    for start in looks:
        if start not in found and (span := _span(start, looks, readings)) is not None:
            within = [looks[at] for at in span[0]]
            word = word_of(within, sum(readings[at][1] for at in span[1]), tolerance)
            found |= dict.fromkeys(span[0], word)
    return found


def _span(
    start: int, looks: Mapping[int, Look], readings: Mapping[int, tuple[int, int]]
) -> tuple[list[int], list[int]] | None:
    """Return the periods and the readings of the shortest span around a period that both fill without a gap."""
    covering = next((at for at in readings if at <= start < at + readings[at][0]), None)
    if covering is None or covering not in looks:
        return None
    periods, told = [covering], [covering]
    while (end := periods[-1] + looks[periods[-1]].seconds) != (said := told[-1] + readings[told[-1]][0]):
        behind, following = (periods, end) if end < said else (told, said)
        if following not in (looks if behind is periods else readings):
            return None
        behind.append(following)
    return (periods, told) if start in periods else None
