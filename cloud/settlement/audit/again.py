"""Works an interval out once more by the plain rules: netting, direct lines and share, one reading after another."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from cloud.ingest.reading import Reading
from cloud.settlement.direct.agreed import Agreed, pair
from cloud.settlement.evidence import BatchName, Direct, Outcome, Part
from cloud.settlement.netting import net, with_silent
from cloud.settlement.share import grid_price, share
from cloud.sites.links.forest import Upstreams
from cloud.tariff.book import PriceBook
from cloud.tariff.price import Prices
from cloud.tariff.validity import COMMUNITY


@dataclass(frozen=True, slots=True)
class Kept:
    """A reading as it stands, or stood until another took its place, with the digest of its batch."""

    reading: Reading
    hash: str
    replaced: bool = False

    @property
    def name(self) -> tuple[str, int, int]:
        """The batch that says so."""
        return self.reading.site, self.reading.epoch, self.reading.seq


@dataclass(frozen=True, slots=True)
class Ground:
    """What intervals are judged on: prices, links and agreements, and who has an account since when."""

    community: str
    seconds: int
    opened_at: Mapping[str, int]
    book: PriceBook
    upstreams: Upstreams
    agreed: Agreed
    secret: str


def chosen(kept: Sequence[Kept], names: Collection[tuple[str, int, int]]) -> list[Kept]:
    """Return the readings an interval was settled by: of the batches it names the last word on each tap."""
    last: dict[tuple[str, str], Kept] = {}
    for item in sorted((item for item in kept if item.name in names), key=lambda item: item.name):
        last[item.reading.site, item.reading.tap] = item
    return list(last.values())


def worked_out(
    ground: Ground, start: int, revision: int, kept: Sequence[Kept], about: tuple[Collection[str], frozenset[str], int]
) -> Outcome | None:
    """Return what an interval must come to, None in a tariff gap.

    `about` are the sites it was waited for in vain, the owners who had an account, and when it was settled.
    """
    without, owners, settled_at = about
    readings = [_hung(ground, item.reading, settled_at) for item in kept]
    directs, shared_readings = _directs(ground, start, readings)
    netting = with_silent(net(shared_readings), owners)
    prices = _prices(ground, start, netting.net_wh)
    general = ground.book.at(start, COMMUNITY)
    if general is None or prices is None:
        return None
    shared = share(netting.net_wh, general.prices, prices)
    return Outcome(
        community=ground.community,
        start=start,
        seconds=ground.seconds,
        revision=revision,
        batches=list({BatchName(*item.name, item.hash) for item in kept}),
        without=sorted(without),
        local_micro_per_wh=general.prices.local_micro_per_wh,
        parts={
            owner: Part(
                netting.net_wh[owner],
                part.local_wh,
                part.grid_wh,
                grid_price(netting.net_wh[owner], prices[owner]),
                part.points_micro,
                netting.quality[owner],
            )
            for owner, part in shared.owners.items()
        },
        directs=directs,
        grid_wh=netting.grid_wh,
        grid_points_micro=shared.grid_points_micro,
    )


def _hung(ground: Ground, reading: Reading, settled_at: int) -> Reading:
    """Let the root of a site that hangs below another one have the owner there upstream."""
    if reading.upstream_owner is not None or reading.island:
        return reading
    return replace(reading, upstream_owner=ground.upstreams.owner(reading.site, reading.start, settled_at))


def _directs(ground: Ground, start: int, readings: Sequence[Reading]) -> tuple[list[Direct], list[Reading]]:
    """Take what passed over direct lines out of the readings, which stay and then move nothing."""
    passed: defaultdict[tuple[str, str], int] = defaultdict(int)
    left = []
    for reading in readings:
        giver, taker = reading.upstream_owner, reading.owner
        if not reading.private or giver is None or ground.agreed.price(start, giver, taker) is None:
            left.append(reading)
            continue
        wh = reading.import_wh - reading.export_wh
        passed[pair(giver, taker)] += wh if giver < taker else -wh
        left.append(replace(reading, import_wh=0, export_wh=0))
    legs = []
    for (one, other), wh in passed.items():
        price = ground.agreed.price(start, one, other)
        if wh and price is not None:
            legs.append(Direct(*((one, other) if wh > 0 else (other, one)), abs(wh), price))
    return sorted(legs, key=lambda leg: (leg.giver, leg.taker)), left


def _prices(ground: Ground, start: int, owners: Collection[str]) -> dict[str, Prices] | None:
    found = {owner: ground.book.at(start, owner) for owner in owners}
    prices = {owner: priced.prices for owner, priced in found.items() if priced is not None}
    return prices if len(prices) == len(found) else None
