"""Judges settled intervals and their corrections: each is worked out once more and held against what stands."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from cloud.ledger.account import GRID, owner_account
from cloud.ledger.chain import Link
from cloud.ledger.posting import postings_of
from cloud.settlement.cause import energy_cause
from cloud.settlement.correction.difference import State, differences, states_of
from cloud.settlement.evidence import Outcome, batches_digest, blind_of, document_of, names_in
from cloud.tariff.price import Prices, PriceTexts, read_prices
from cloud.wire import Quality, digest

from .again import Ground, Kept, chosen, worked_out
from .finding import Finding, Place, absent, compare, uncalled


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """A settled interval as stored, or a correction of it: then its numbers are differences."""

    start: int
    revision: int
    seconds: int
    readings: int
    grid_wh: int
    grid_points_micro: int
    evidence: str
    entry: int | None
    valued_at: int
    made_at: int
    local_micro_per_wh: int | None
    batches: str | None
    document: bytes | None

    @property
    def table(self) -> str:
        """Where it stands."""
        return "settled_correction" if self.revision else "settled_interval"

    @property
    def key(self) -> dict[str, int]:
        """By what it is found there."""
        return {"start": self.start} | ({"revision": self.revision} if self.revision else {})


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """An owner's part of a settled interval as stored, or what a correction changed of it."""

    start: int
    revision: int
    owner: str
    net_wh: int
    local_wh: int
    grid_wh: int
    points_micro: int
    direct_wh: int
    direct_points_micro: int
    quality: Quality
    local_micro_per_wh: int | None
    grid_micro_per_wh: int
    blind: str


@dataclass(frozen=True, slots=True)
class Stored:
    """All that stands of one interval, revision after revision. Without `rows`, owners' parts stand by themselves."""

    start: int
    rows: Sequence[IntervalRow]
    owners: Sequence[OwnerRow]
    without: frozenset[str]
    readings: Sequence[Kept]
    links: Mapping[int, Link]
    documents: Mapping[int, bytes]

    def document(self, row: IntervalRow) -> bytes | None:
        """Return what a revision was settled from: beside its entry, or in the row where there is none."""
        return row.document if row.entry is None else self.documents.get(row.entry)


def price_findings(community: str, key: Mapping[str, object], prices: Prices, texts: PriceTexts) -> Iterator[Finding]:
    """Hold prices against the texts they were read from."""
    again = read_prices(texts)
    if again != prices:
        yield Finding(Place("intervals", community, "tariff", key), "prices", prices, again)


def late(stored: Stored) -> int:
    """Count the readings that stand and that the newest revision was not settled by."""
    if not stored.rows:
        return 0
    names = _names(stored, stored.rows[-1])
    return sum(not item.replaced and item.name not in names for item in stored.readings)


def findings(ground: Ground, stored: Stored) -> Iterator[Finding]:
    """Judge one interval."""
    by_revision = {row.revision: row for row in stored.rows}
    for owner in stored.owners:
        if owner.revision not in by_revision:
            yield uncalled(_owner_place(ground, owner), "a part of an interval that is not settled so")
    stood: dict[str, State] = {}
    grid = 0, 0
    for row in stored.rows:
        place = Place("intervals", ground.community, row.table, row.key)
        yield from _document(place, stored, row)
        outcome = _again(ground, stored, row, frozenset(stood))
        if outcome is None:
            yield Finding(place, "tariff", "settled", "no tariff in force")
            return
        readings = len(chosen(stored.readings, _names(stored, row)))
        yield from compare(place, {"readings": row.readings}, {"readings": readings})
        yield from _row(ground, place, row, outcome, grid)
        yield from _owners(ground, [item for item in stored.owners if item.revision == row.revision], outcome, stood)
        yield from _entry(ground, stored, row, outcome, (stood, grid))
        stood, grid = states_of(outcome), (outcome.grid_wh, outcome.grid_points_micro)


def _document(place: Place, stored: Stored, row: IntervalRow) -> Iterator[Finding]:
    document = stored.document(row)
    if document is None:
        yield absent(Place("intervals", place.community, "entry_evidence", {"number": row.entry}), row.evidence)
    elif digest(document) != row.evidence:
        yield Finding(place, "evidence", row.evidence, digest(document))


def _names(stored: Stored, row: IntervalRow) -> Collection[tuple[str, int, int]]:
    """Return the batches a revision says it was settled by; the evidence tells if rightly."""
    document = stored.document(row)
    if document is not None and digest(document) == row.evidence:
        return names_in(document)
    return {item.name for item in stored.readings if not item.replaced}


def _again(ground: Ground, stored: Stored, row: IntervalRow, stood: frozenset[str]) -> Outcome | None:
    """Work a revision out.

    Whose account was open at first, though it was silent, is told by the owners' rows; the evidence says if rightly.
    Where it does not, a row may be missing: then also by the accounts that were opened until then.
    """
    kept = chosen(stored.readings, _names(stored, row))
    without = stored.without - {item.reading.site for item in kept}
    told = {item.owner for item in stored.owners if item.revision == 0} & ground.opened_at.keys()
    earlier = {owner for owner, opened_at in ground.opened_at.items() if opened_at < row.made_at}
    until = {owner for owner, opened_at in ground.opened_at.items() if opened_at <= row.made_at}
    tries = [stood] if row.revision else [frozenset(told), frozenset(told | earlier), frozenset(told | until)]
    outcomes = [worked_out(ground, row.start, row.revision, kept, (without, owners, row.made_at)) for owners in tries]
    return next((item for item in outcomes if item and _evidence(ground, item) == row.evidence), outcomes[0])


def _evidence(ground: Ground, outcome: Outcome) -> str:
    return digest(document_of(outcome, _blinds(ground, outcome)))


def _blinds(ground: Ground, outcome: Outcome) -> dict[str, str]:
    return {owner: blind_of(ground.secret, outcome.start, owner) for owner in outcome.parts}


def _row(ground: Ground, place: Place, row: IntervalRow, outcome: Outcome, grid: tuple[int, int]) -> Iterator[Finding]:
    must: dict[str, object] = {
        "seconds": ground.seconds,
        "grid_wh": outcome.grid_wh - grid[0],
        "grid_points_micro": outcome.grid_points_micro - grid[1],
        "batches": batches_digest(outcome.batches),
        "evidence": _evidence(ground, outcome),
    }
    if row.revision:
        must["valued_at"] = row.made_at - row.made_at % ground.seconds
    else:
        must["local_micro_per_wh"] = outcome.local_micro_per_wh
    yield from compare(place, asdict(row), must)


def _owner_place(ground: Ground, row: OwnerRow) -> Place:
    key = {"start": row.start} | ({"revision": row.revision} if row.revision else {})
    table = "settled_owner_correction" if row.revision else "settled_owner_interval"
    return Place("intervals", ground.community, table, key | {"owner": row.owner})


def _owners(
    ground: Ground, rows: Sequence[OwnerRow], outcome: Outcome, stood: Mapping[str, State]
) -> Iterator[Finding]:
    """Hold the owners' parts, or what a correction changed of them, against what they must be."""
    changes = differences(outcome, stood) if outcome.revision else states_of(outcome)
    kept, blinds = {row.owner: row for row in rows}, _blinds(ground, outcome)
    for owner in sorted(kept.keys() | changes.keys()):
        change = changes.get(owner)
        if change is None:
            yield uncalled(_owner_place(ground, kept[owner]), kept[owner])
            continue
        must = asdict(change) | {
            "local_micro_per_wh": outcome.local_micro_per_wh,
            "grid_micro_per_wh": outcome.parts[owner].grid_micro_per_wh,
            "blind": blinds[owner],
        }
        if owner in kept:
            yield from compare(_owner_place(ground, kept[owner]), asdict(kept[owner]), must)
        else:
            missing = OwnerRow(start=outcome.start, revision=outcome.revision, owner=owner, **must)
            yield absent(_owner_place(ground, missing), must)


def _entry(
    ground: Ground,
    stored: Stored,
    row: IntervalRow,
    outcome: Outcome,
    before: tuple[Mapping[str, State], tuple[int, int]],
) -> Iterator[Finding]:
    """Hold a revision's entry and its postings against what must have moved."""
    stood, grid = before
    moved = {owner_account(o).id: change.moved_micro for o, change in differences(outcome, stood).items()}
    points = moved | {GRID.id: outcome.grid_points_micro - grid[1]}
    legs = {leg.account: leg.amount_micro for leg in postings_of(points)}
    if row.entry is None or not legs:
        if row.entry is not None or legs:
            place = Place("intervals", ground.community, row.table, row.key)
            yield Finding(place, "entry", row.entry, legs or None)
        return
    place = Place("intervals", ground.community, "entry", {"number": row.entry})
    link = stored.links.get(row.entry)
    if link is None:
        yield absent(place, legs)
        return
    must = {"cause": energy_cause(row.start, row.revision), "valued_at": row.valued_at}
    said = {item.name: getattr(link, item.name) for item in fields(link)}
    yield from compare(place, said, must | {"evidence": _evidence(ground, outcome)})
    kept = {leg.account: leg.amount_micro for leg in link.postings}
    for account in sorted(kept.keys() | legs.keys()):
        if kept.get(account) != legs.get(account):
            leg = Place("intervals", ground.community, "posting", {"number": row.entry, "account": account})
            yield Finding(leg, "amount_micro", kept.get(account, "no row"), legs.get(account, "no row"))
