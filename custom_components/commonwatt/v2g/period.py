"""Periods: what was measured at a site's cables in one interval becomes what the site reports of each of them."""

from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field, replace

from ..wire import CABLES_MAX, CablePeriod, Place
from .agreement import UNKNOWN, Agreement, Tolerance, compare, told
from .coverage import Learnt, consumption, is_known, learn, residuals, way

IDLE_WH_MAX = 10  # what the electronics of a car at rest may take: a tenth of the usual tolerance
BEFORE_SECONDS_MAX = 2 * 3600  # measured: then a household is as far off as at any other time (ADR 23)
LEARNT_DAYS_MAX = 7  # a house changes


@dataclass(frozen=True, slots=True)
class CableReading:
    """What a site measured at one cable in an interval, and what it told of itself.

    `cable` is its id, None for one that cannot be named: it counts, and nothing is reported of it. `tap` is what it is
    plugged in below. `energy_wh` is towards the car, None where it is not known; `sure` unless a part of it is an
    estimate. `heard` unless it was silent all the time and only may still be there.
    """

    cable: str | None
    tap: str | None
    energy_wh: int | None
    sure: bool
    connected: bool
    heard: bool = True
    user: str | None = None
    vehicle: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class SiteReading:
    """What the site measured in the interval that ended at `end`: the tree, and the net import of its taps.

    `net_wh` has the taps that were measured surely, and no others. A day of this house takes `day_seconds`.
    """

    end: int
    seconds: int
    parents: Mapping[str, str | None]
    net_wh: Mapping[str, int]
    day_seconds: int = 86_400


@dataclass(frozen=True, slots=True)
class Memory:
    """What a site remembers from interval to interval of `seconds` each, under one tree.

    `before_wh` is what each tap on the grid showed in the last interval in which no cable was connected, which ended at
    `before_end`; `learnt` the residuals while no cable moved energy.
    """

    seconds: int = 0
    parents: Mapping[str, str | None] = field(default_factory=dict)
    before_end: int = 0
    before_wh: Mapping[str, int] = field(default_factory=dict)
    learnt: tuple[Learnt, ...] = ()


@dataclass(frozen=True, slots=True)
class Periods:
    """One closed interval: what is reported of each cable, and how all of them together agree with the meter."""

    start: int
    seconds: int
    agreement: Agreement
    cables: tuple[CablePeriod, ...]


@dataclass(frozen=True, slots=True)
class _Compared:
    """What there is to compare, and the outcome."""

    agreement: Agreement
    meter_wh: int | None
    consumption_wh: int | None
    before_wh: int | None


def periods(
    site: SiteReading, cables: Sequence[CableReading], memory: Memory, tolerance: Tolerance
) -> tuple[Periods, Memory]:
    """Compare the cables that were connected with the meter, and remember what the next intervals need.

    A cable that hangs below no meter is compared with nothing.
    """
    memory = _fitting(memory, site)
    here = [cable for cable in cables if cable.connected or not cable.heard]
    ways = {id(cable): way(cable.tap, site.parents) for cable in here}
    behind = [cable for cable in here if ways[id(cable)]]
    along = frozenset(tap for cable in behind for tap in ways[id(cable)])
    compared = _compared(site, behind, along, memory, tolerance)
    alone = replace(compared, agreement=UNKNOWN, meter_wh=None, consumption_wh=None, before_wh=None)
    reported = [
        _period(cable, compared if ways[id(cable)] else alone)
        for cable in here
        if cable.heard and cable.cable and cable.tap
    ]
    done = Periods(site.end - site.seconds, site.seconds, compared.agreement, tuple(reported[:CABLES_MAX]))
    return done, _remembered(memory, site, cables)


def _compared(
    site: SiteReading,
    behind: Sequence[CableReading],
    along: AbstractSet[str],
    memory: Memory,
    tolerance: Tolerance,
) -> _Compared:
    meters = [tap for tap in along if site.parents[tap] is None]
    meter_wh = _sum(site.net_wh, meters)
    known = is_known(memory.learnt, along, tolerance.wh)
    consumption_wh = consumption(along, site.parents, site.net_wh) if known else None
    fresh = site.end - site.seconds - memory.before_end < BEFORE_SECONDS_MAX
    before_wh = _sum(memory.before_wh, meters) if fresh else None
    agreement = UNKNOWN
    energies = [cable.energy_wh for cable in behind if cable.energy_wh is not None]
    if behind and len(energies) == len(behind) and all(cable.sure for cable in behind):
        cable_wh = sum(energies)
        agreement = compare(cable_wh, meter_wh, consumption_wh, before_wh, tolerance)
        agreement = replace(agreement, verdict=told(agreement, cable_wh))
    return _Compared(agreement, meter_wh, consumption_wh, before_wh)


def _period(cable: CableReading, compared: _Compared) -> CablePeriod:
    assert cable.cable is not None
    assert cable.tap is not None
    return CablePeriod(
        at=0,
        cable=cable.cable,
        tap=cable.tap,
        energy_wh=cable.energy_wh or 0,
        connected=cable.connected,
        agreement=compared.agreement.verdict,
        user=cable.user,
        vehicle=cable.vehicle,
        place=cable.place,
        meter_wh=compared.meter_wh,
        consumption_wh=compared.consumption_wh,
        before_wh=compared.before_wh,
    )


def _fitting(memory: Memory, site: SiteReading) -> Memory:
    """Return what of a memory holds here: nothing of intervals of another length, or of another tree."""
    if memory.seconds == site.seconds and memory.parents == site.parents:
        return memory
    return Memory(site.seconds, dict(site.parents))


def _remembered(memory: Memory, site: SiteReading, cables: Sequence[CableReading]) -> Memory:
    if not any(cable.connected or not cable.heard for cable in cables):
        grid = [tap for tap, parent in site.parents.items() if parent is None]
        if all(tap in site.net_wh for tap in grid):
            memory = replace(memory, before_end=site.end, before_wh={tap: site.net_wh[tap] for tap in grid})
    if all(_at_rest(cable) for cable in cables):
        item = Learnt(site.end, residuals(site.parents, site.net_wh))
        oldest = site.end - LEARNT_DAYS_MAX * site.day_seconds
        memory = replace(memory, learnt=learn(memory.learnt, item, oldest, site.day_seconds))
    return memory


def _at_rest(cable: CableReading) -> bool:
    return cable.heard and cable.sure and cable.energy_wh is not None and abs(cable.energy_wh) <= IDLE_WH_MAX


def _sum(net_wh: Mapping[str, int], taps: Sequence[str]) -> int | None:
    return sum(net_wh[tap] for tap in taps) if taps and all(tap in net_wh for tap in taps) else None
