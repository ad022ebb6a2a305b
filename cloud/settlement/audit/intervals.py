"""Judges settled intervals: works each out once more from its readings, its tariff and the share rule."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby

from cloud.ingest.reading import Reading
from cloud.ledger.account import GRID, owner_account
from cloud.ledger.chain import Link
from cloud.ledger.posting import postings_of
from cloud.settlement.cause import energy_cause
from cloud.settlement.evidence import BatchName, Outcome, evidence_of
from cloud.settlement.netting import Netting, net, with_silent
from cloud.settlement.share import Shared, share
from cloud.tariff.price import PriceTexts, read_prices
from cloud.tariff.validity import Tariff
from cloud.wire import Quality

from .finding import Finding, Place, absent, compare, uncalled


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """A settled interval as stored."""

    start: int
    seconds: int
    tariff_valid_from: int
    readings: int
    grid_wh: int
    grid_points_micro: int
    evidence: str
    entry: int | None
    settled_at: int


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """An owner's part of a settled interval as stored."""

    start: int
    owner: str
    net_wh: int
    local_wh: int
    grid_wh: int
    points_micro: int
    quality: Quality


@dataclass(frozen=True, slots=True)
class Ground:
    """What intervals are judged on: who has an account since when, and when each site's first tree came."""

    community: str
    seconds: int
    opened_at: Mapping[str, int]
    joined_at: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stored:
    """All that stands of one interval. `row` is None where owners' parts stand without it."""

    start: int
    row: IntervalRow | None
    owners: Mapping[str, OwnerRow]
    without: tuple[str, ...]
    readings: Sequence[Reading]
    tariff: Tariff | None
    link: Link | None


@dataclass(frozen=True, slots=True)
class Recomputed:
    """An interval worked out once more."""

    netting: Netting
    shared: Shared
    evidence: str


def tariff_findings(community: str, tariff: Tariff, texts: PriceTexts) -> Iterator[Finding]:
    """Hold prices against the texts they were read from."""
    place = Place("intervals", community, "tariff", {"valid_from": tariff.valid_from})
    prices = read_prices(texts)
    if prices != tariff.prices:
        yield Finding(place, "prices", tariff.prices, prices)


def used(row: IntervalRow, without: Sequence[str], readings: Sequence[Reading], ground: Ground) -> list[Reading]:
    """Return the readings an interval was settled from: those of sites that were not waited for came late.

    A site nobody knew of when the interval was settled is not among those; then the newest sites are left out until
    as many readings are left as were counted. The evidence's hash says whether these were the ones.
    """
    by_site = {
        site: list(own)
        for site, own in groupby(sorted(readings, key=lambda item: item.site), key=lambda item: item.site)
        if site not in without
    }
    for site in sorted(by_site, key=lambda name: (ground.joined_at.get(name, 0), name), reverse=True):
        if sum(map(len, by_site.values())) <= row.readings:
            break
        del by_site[site]
    return [reading for own in by_site.values() for reading in own]


def findings(ground: Ground, stored: Stored) -> Iterator[Finding]:
    """Judge one interval."""
    row, tariff = stored.row, stored.tariff
    if row is None:
        for owner in stored.owners:
            yield uncalled(_owner_place(ground, stored.start, owner), "a part of an interval that is not settled")
        return
    readings = used(row, stored.without, stored.readings, ground)
    place = Place("intervals", ground.community, "settled_interval", {"start": row.start})
    if tariff is None:
        yield Finding(place, "tariff_valid_from", row.tariff_valid_from, "no tariff in force")
        return
    again = _again(ground, stored, row, tariff, readings)
    must = {
        "seconds": ground.seconds,
        "tariff_valid_from": tariff.valid_from,
        "readings": len(readings),
        "grid_wh": again.netting.grid_wh,
        "grid_points_micro": again.shared.grid_points_micro,
        "evidence": again.evidence,
    }
    yield from compare(place, asdict(row), must)
    yield from _owners(ground, stored, again)
    yield from _entry(ground, stored, row, again)


def _again(ground: Ground, stored: Stored, row: IntervalRow, tariff: Tariff, readings: Sequence[Reading]) -> Recomputed:
    """Work an interval out.

    Whose account was open then, though it was silent, is told by the owners' rows; the evidence says if rightly. Where
    it does not, a row may be missing: then also by the accounts that were opened until then.
    """
    netted = net(readings)
    told = frozenset(stored.owners) & ground.opened_at.keys()
    earlier = {owner for owner, opened_at in ground.opened_at.items() if opened_at < row.settled_at}
    until = {owner for owner, opened_at in ground.opened_at.items() if opened_at <= row.settled_at}
    first, *others = (told, told | earlier, told | until)
    again = _with(ground, stored, tariff, readings, with_silent(netted, first))
    for silent in others if again.evidence != row.evidence else []:
        other = _with(ground, stored, tariff, readings, with_silent(netted, silent))
        if other.evidence == row.evidence:
            return other
    return again


def _with(ground: Ground, stored: Stored, tariff: Tariff, readings: Sequence[Reading], netting: Netting) -> Recomputed:
    shared = share(netting.net_wh, tariff.prices)
    outcome = Outcome(
        community=ground.community,
        start=stored.start,
        seconds=ground.seconds,
        prices=tariff.prices,
        batches=list({BatchName(item.site, item.epoch, item.seq) for item in readings}),
        without=stored.without,
        owners={owner: (part, netting.quality[owner]) for owner, part in shared.owners.items()},
    )
    return Recomputed(netting, shared, evidence_of(outcome))


def _owner_place(ground: Ground, start: int, owner: str) -> Place:
    return Place("intervals", ground.community, "settled_owner_interval", {"start": start, "owner": owner})


def _owners(ground: Ground, stored: Stored, again: Recomputed) -> Iterator[Finding]:
    for owner in sorted(stored.owners.keys() | again.shared.owners.keys()):
        place = _owner_place(ground, stored.start, owner)
        part = again.shared.owners.get(owner)
        if part is None:
            yield uncalled(place, stored.owners[owner])
            continue
        must = {"net_wh": again.netting.net_wh[owner], **asdict(part), "quality": again.netting.quality[owner]}
        if owner in stored.owners:
            yield from compare(place, asdict(stored.owners[owner]), must)
        else:
            yield absent(place, must)


def _entry(ground: Ground, stored: Stored, row: IntervalRow, again: Recomputed) -> Iterator[Finding]:
    """Hold the interval's entry and its postings against what must have moved."""
    points = {owner_account(owner).id: part.points_micro for owner, part in again.shared.owners.items()}
    legs = {leg.account: leg.amount_micro for leg in postings_of(points | {GRID.id: again.shared.grid_points_micro})}
    place = Place("intervals", ground.community, "settled_interval", {"start": row.start})
    link = stored.link
    if row.entry is None or not legs:
        if row.entry is not None or legs:
            yield Finding(place, "entry", row.entry, legs or None)
        return
    if link is None:
        yield absent(Place("intervals", ground.community, "entry", {"number": row.entry}), legs)
        return
    must = {"cause": energy_cause(row.start), "valued_at": row.start, "evidence": again.evidence}
    said = {item.name: getattr(link, item.name) for item in fields(link)}
    yield from compare(Place("intervals", ground.community, "entry", {"number": row.entry}), said, must)
    kept = {leg.account: leg.amount_micro for leg in link.postings}
    for account in sorted(kept.keys() | legs.keys()):
        if kept.get(account) != legs.get(account):
            leg = Place("intervals", ground.community, "posting", {"number": row.entry, "account": account})
            yield Finding(leg, "amount_micro", kept.get(account, "no row"), legs.get(account, "no row"))
