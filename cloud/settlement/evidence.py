"""What an interval was settled from and to, as one digest: the ledger's entry carries it, so the chain seals it too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cloud.tariff.price import Prices
from cloud.wire import VERSION, Quality, digest, time_text, to_bytes

from .share import Share


@dataclass(frozen=True, slots=True)
class BatchName:
    """The signed batch a site's readings of an interval came in."""

    site: str
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """An interval settled: from which batches and prices, without which sites, and what came out for every owner."""

    community: str
    start: int
    seconds: int
    prices: Prices
    batches: Sequence[BatchName]
    without: Sequence[str]
    owners: Mapping[str, tuple[Share, Quality]]


def evidence_of(outcome: Outcome) -> str:
    """Return the SHA-256 of the outcome's document."""
    return digest(document_of(outcome))


def document_of(outcome: Outcome) -> bytes:
    """Return the outcome's canonical bytes, the same in whatever order its parts came."""
    prices = outcome.prices
    plain = {
        "v": VERSION,
        "community": outcome.community,
        "start": time_text(outcome.start),
        "seconds": outcome.seconds,
        "prices_micro_per_wh": [
            prices.local_micro_per_wh,
            prices.grid_buy_micro_per_wh,
            prices.grid_sell_micro_per_wh,
        ],
        "batches": sorted([item.site, item.epoch, item.seq] for item in outcome.batches),
        "without": sorted(outcome.without),
        "owners": {
            owner: [part.local_wh, part.grid_wh, part.points_micro, quality]
            for owner, (part, quality) in outcome.owners.items()
        },
    }
    return to_bytes(plain)
