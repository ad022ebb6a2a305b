"""From readings and prices to what intervals come to: columns for the engine, and its answer as values again."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cloud.ledger.posting import AMOUNT_MICRO_MAX
from cloud.settlement.direct.agreed import Agreed, pair
from cloud.settlement.engine.columns import ENERGY_WH_MAX, Nets, Readings, Shares, Tariffs
from cloud.settlement.engine.nets import net
from cloud.settlement.engine.shares import share
from cloud.settlement.evidence import Direct, Outcome, Part, points_of
from cloud.settlement.measured.reading import Measured
from cloud.settlement.netting import QUALITIES
from cloud.sites.links.forest import Upstreams
from cloud.tariff.book import PriceBook, TariffKey
from cloud.tariff.validity import COMMUNITY
from cloud.wire import Quality

RANK = {quality: rank for rank, quality in enumerate(QUALITIES)}

type NotWorked = Literal["no-readings", "no-tariff", "beyond-limits"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval to be worked out: which revision it will be, which sites it waits for, which owners it must have."""

    start: int
    revision: int
    awaited: frozenset[str]
    owners: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ground:
    """What a community's intervals are worked out by, as of `now`."""

    community: str
    seconds: int
    now: int
    book: PriceBook
    upstreams: Upstreams
    agreed: Agreed


@dataclass(frozen=True, slots=True)
class Worked:
    """An interval worked out, the number of its readings, and the tariffs it was priced by."""

    outcome: Outcome
    readings: int
    tariffs: frozenset[TariffKey]


@dataclass(slots=True)
class Columns:
    """Readings of some intervals as lists, on their way to the engine."""

    owners: Sequence[str]
    slot: list[int]
    upstream: list[int]
    import_wh: list[int]
    export_wh: list[int]
    rank: list[int]
    directs: defaultdict[tuple[int, str, str], int]
    beyond: set[int]

    @property
    def width(self) -> int:
        """How many slots an interval has: one for the grid, one for each owner."""
        return len(self.owners) + 1


def work(
    ground: Ground, intervals: Sequence[Interval], rows: Sequence[Measured], accounts: frozenset[str]
) -> dict[int, Worked | NotWorked]:
    """Work out some intervals; who had an account before one, or was in an earlier one of them, has a part in it."""
    by_start: defaultdict[int, list[Measured]] = defaultdict(list)
    for row in rows:
        by_start[row.start].append(row)
    columns = _columns(ground, intervals, rows, accounts)
    first = np.arange(len(intervals) + 1, dtype=np.int64) * columns.width
    nets = net(first, _readings(columns))
    shares = share(first, nets, _tariffs(ground, intervals, columns.owners))
    worked: dict[int, Worked | NotWorked] = {}
    known = set(accounts)
    for place, interval in enumerate(intervals):
        own = by_start[interval.start]
        if not own:
            worked[interval.start] = "no-readings"
            continue
        answer = _Answer(ground, interval, own, columns, place, nets, shares)
        present = answer.present(known | interval.owners)
        result = worked[interval.start] = answer.worked(present)
        if isinstance(result, Worked) and interval.revision == 0:
            known |= present  # now they have an account; a correction gives nobody a part of another interval
    return worked


def _columns(
    ground: Ground, intervals: Sequence[Interval], rows: Sequence[Measured], accounts: frozenset[str]
) -> Columns:
    moves = [(row, _upstream(ground, row)) for row in rows]
    names = {row.owner for row in rows} | {upstream for _, upstream in moves if upstream is not None} | accounts
    owners = sorted(names.union(*(interval.owners for interval in intervals)))
    columns = Columns(owners, [], [], [], [], [], defaultdict(int), set())
    slots = {owner: place for place, owner in enumerate(owners, start=1)}
    begins = {interval.start: place * columns.width for place, interval in enumerate(intervals)}
    for row, upstream in moves:
        begin, energy = begins[row.start], (row.import_wh, row.export_wh)
        if max(energy) > ENERGY_WH_MAX:
            columns.beyond.add(row.start)
        elif _is_direct(ground, row):
            columns.directs[row.start, row.upstream_owner or "", row.owner] += row.import_wh - row.export_wh
            energy = 0, 0
        slot = begin + slots[row.owner]
        columns.slot.append(slot)
        columns.upstream.append(slot if row.island else begin + (0 if upstream is None else slots[upstream]))
        columns.import_wh.append(energy[0])
        columns.export_wh.append(energy[1])
        columns.rank.append(RANK[row.quality])
    return columns


def _upstream(ground: Ground, row: Measured) -> str | None:
    if row.upstream_owner is not None or row.island or not ground.upstreams.forest.links:
        return row.upstream_owner
    return ground.upstreams.owner(row.site, row.start, ground.now)


def _is_direct(ground: Ground, row: Measured) -> bool:
    if not row.private or row.upstream_owner is None:
        return False
    return ground.agreed.price(row.start, row.owner, row.upstream_owner) is not None


def _readings(columns: Columns) -> Readings:
    whole = (columns.slot, columns.upstream, columns.import_wh, columns.export_wh)
    slot, upstream, imported, exported = (np.array(column, np.int64) for column in whole)
    return Readings(slot, upstream, imported, exported, np.array(columns.rank, np.int8))


def _tariffs(ground: Ground, intervals: Sequence[Interval], owners: Sequence[str]) -> Tariffs:
    """Return everybody's prices: the community's, but for the few who have a tariff of their own."""
    width = len(owners) + 1
    local = np.zeros(len(intervals), np.bool_)
    local_micro = np.zeros(len(intervals), np.int64)
    buy_micro, sell_micro = (np.zeros((len(intervals), width), np.int64) for _ in range(2))
    own = [(place, owner) for place, owner in enumerate(owners, start=1) if owner in ground.book.tariffs]
    for row, interval in enumerate(intervals):
        general = ground.book.at(interval.start, COMMUNITY)
        if general is None:
            continue
        local[row] = general.prices.local_micro_per_wh is not None
        local_micro[row] = general.prices.local_micro_per_wh or 0
        buy_micro[row] = general.prices.grid_buy_micro_per_wh
        sell_micro[row] = general.prices.grid_sell_micro_per_wh
        for place, owner in own:
            priced = ground.book.at(interval.start, owner)
            if priced is not None:
                buy_micro[row, place] = priced.prices.grid_buy_micro_per_wh
                sell_micro[row, place] = priced.prices.grid_sell_micro_per_wh
    return Tariffs(local, local_micro, buy_micro.ravel(), sell_micro.ravel())


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the engine says of one interval, and what it was asked."""

    ground: Ground
    interval: Interval
    rows: Sequence[Measured]
    columns: Columns
    place: int
    nets: Nets
    shares: Shares

    def present(self, owners: set[str] | frozenset[str]) -> frozenset[str]:
        """Return who has a part: those who had a reading, and these owners."""
        begin = self.place * self.columns.width + 1
        ranks = self.nets.rank[begin : begin + len(self.columns.owners)].tolist()
        return frozenset(
            owner for owner, rank in zip(self.columns.owners, ranks, strict=True) if rank >= 0 or owner in owners
        )

    def worked(self, present: frozenset[str]) -> Worked | NotWorked:
        """Return the interval worked out for these owners, or why that cannot be."""
        tariffs = self._tariffs(present)
        if tariffs is None:
            return "no-tariff"
        if self.shares.beyond[self.place] or self.interval.start in self.columns.beyond:
            return "beyond-limits"
        outcome = self._outcome(present)
        if any(abs(points) > AMOUNT_MICRO_MAX for points in points_of(outcome).values()):
            return "beyond-limits"
        return Worked(outcome, len(self.rows), tariffs)

    def _tariffs(self, present: frozenset[str]) -> frozenset[TariffKey] | None:
        """Return by which tariffs these owners are priced, None in a gap."""
        book, start = self.ground.book, self.interval.start
        found = [book.at(start, owner) for owner in (COMMUNITY, *(present & book.tariffs.keys()))]
        keys = [key for priced in found if priced is not None for key in (priced.community, priced.owner)]
        return None if None in found else frozenset(key for key in keys if key is not None)

    def _outcome(self, present: frozenset[str]) -> Outcome:
        begin = self.place * self.columns.width
        start, general = self.interval.start, self.ground.book.at(self.interval.start, COMMUNITY)
        return Outcome(
            community=self.ground.community,
            start=start,
            seconds=self.ground.seconds,
            revision=self.interval.revision,
            batches=list({row.batch for row in self.rows}),
            without=sorted(self.interval.awaited - {row.site for row in self.rows}),
            local_micro_per_wh=None if general is None else general.prices.local_micro_per_wh,
            parts=dict(self._parts(present)),
            directs=self._directs(),
            grid_wh=int(self.nets.net_wh[begin]),
            grid_points_micro=int(self.shares.points_micro[begin]),
        )

    def _parts(self, present: frozenset[str]) -> Iterator[tuple[str, Part]]:
        begin = self.place * self.columns.width + 1
        block = slice(begin, begin + len(self.columns.owners))
        shares = self.shares
        named = (self.nets.net_wh, shares.local_wh, shares.grid_wh, shares.grid_micro, shares.points_micro)
        columns: list[list[int]] = [column[block].tolist() for column in named]
        ranks = self.nets.rank[block].tolist()
        rows = zip(self.columns.owners, ranks, *columns, strict=True)
        for owner, rank, net_wh, local_wh, grid_wh, price, points_micro in rows:
            if owner in present:
                quality: Quality = QUALITIES[rank] if rank >= 0 else "missing"
                yield owner, Part(net_wh, local_wh, grid_wh, price, points_micro, quality)

    def _directs(self) -> list[Direct]:
        """Return what passed between each pair of neighbours in the end."""
        passed: defaultdict[tuple[str, str], int] = defaultdict(int)
        for (start, giver, taker), wh in self.columns.directs.items():
            if start == self.interval.start:
                key = pair(giver, taker)
                passed[key] += wh if key == (giver, taker) else -wh
        legs = []
        for (one, other), wh in sorted(passed.items()):
            price = self.ground.agreed.price(self.interval.start, one, other)
            if wh and price is not None:
                giver, taker = (one, other) if wh > 0 else (other, one)
                legs.append(Direct(giver, taker, abs(wh), price))
        return sorted(legs, key=lambda leg: (leg.giver, leg.taker))
