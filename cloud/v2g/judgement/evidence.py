"""What a cable's records say of a period of a site: its energy there, whether all of it has come, what is kept back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloud.v2g.records.signed import Signed as Record

from .rule import Claim, Look, Signed, is_whole

GRACE_PERIODS = 2  # so long after the site's report records are waited for
COVERED_PARTS = 30  # of a period, one may be missing at its end: clocks differ


@dataclass(frozen=True, slots=True)
class Report:
    """What a site reported of a cable in a period, and when the cloud took it in."""

    start: int
    seconds: int
    cable: str
    energy_wh: int
    connected: int
    meter_wh: int | None
    consumption_wh: int | None
    before_wh: int | None
    derived_at: int


@dataclass(frozen=True, slots=True)
class CableEvidence:
    """A cable's records by number, and the times [from, to) of which records are missing although newer ones came.

    `known_since` is when the cable was registered: before, no site had to ask it for records.
    """

    records: Sequence[Record] = ()
    gaps: Sequence[tuple[int, int]] = ()
    known_since: int = 0


def look_of(site: str, reports: Sequence[Report], evidence: Mapping[str, CableEvidence], now: int) -> Look:
    """Return one period of a site with all its cables. What it says of its meter is the same in each of its reports."""
    first = reports[0]
    overdue = all(now >= report.derived_at + GRACE_PERIODS * report.seconds for report in reports)
    claims = [claim_of(site, report, evidence.get(report.cable, CableEvidence()), overdue) for report in reports]
    return Look(
        start=first.start,
        seconds=first.seconds,
        claims=tuple(claims),
        meter_wh=first.meter_wh,
        consumption_wh=first.consumption_wh,
        before_wh=first.before_wh,
        overdue=overdue,
    )


def claim_of(site: str, report: Report, evidence: CableEvidence, overdue: bool) -> Claim:
    """Return a site's claim with what the cable signed of the period.

    Part intervals are summed up. They are all there once the cable has signed the time up to the period's end, here
    or elsewhere, or where they agree with the claim; until then they are waited for, and what came is not judged.
    """
    start, end = report.start, report.start + report.seconds
    touching = [record for record in evidence.records if record.start < end and record.end > start]
    within = [record for record in touching if record.start >= start and record.end <= end]
    here = [record for record in within if record.site == site]
    signed = Signed(sum(record.energy_wh for record in here), len(here)) if here else None
    untold_wh = sum(record.energy_wh for record in within if record.site is None)
    missing = any(gap[0] < end and gap[1] > start for gap in evidence.gaps)
    known = signed is not None and is_whole(report.energy_wh, signed.energy_wh, report.seconds, untold_wh)
    covered = any(record.end >= end - report.seconds // COVERED_PARTS for record in evidence.records)
    complete = known or overdue or (covered and not missing)
    nobodys = missing and not known and end <= evidence.known_since
    if signed is None and complete and not missing and any(record.site is not None for record in touching):
        signed = Signed(0, 0)  # it was elsewhere, by its own word
    return Claim(
        cable=report.cable,
        energy_wh=report.energy_wh,
        connected=bool(report.connected),
        signed=signed if complete and not nobodys else None,
        missing=missing and not known and not nobodys,
        untold_wh=untold_wh,
    )
