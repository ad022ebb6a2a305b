"""What an interval was settled from and to, as one document whose digest the ledger's entry, so the chain, carries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import hmac
import json

from cloud.wire import Quality, digest, time_text, to_bytes

VERSION = 2
BLIND_DIGITS = 32  # 128 bits: nobody meets another's by chance


@dataclass(frozen=True, slots=True)
class BatchName:
    """The signed batch a site's readings of an interval came in, and the digest of its bytes."""

    site: str
    epoch: int
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Part:
    """What an interval came to for one owner: Wh taken (positive) in all, from the community, from the grid.

    `points_micro` is what these cost; energy over a direct line is not in them. `grid_micro_per_wh` is the grid's
    price on the owner's side: of buying where it took, of selling where it gave.
    """

    net_wh: int
    local_wh: int
    grid_wh: int
    grid_micro_per_wh: int
    points_micro: int
    quality: Quality


@dataclass(frozen=True, slots=True)
class Direct:
    """Energy that went from one owner to another over their own line, at the price they agreed on."""

    giver: str
    taker: str
    wh: int
    micro_per_wh: int

    @property
    def points_micro(self) -> int:
        """What the taker owes the giver: negative where the giver pays to be rid of it."""
        return self.wh * self.micro_per_wh


@dataclass(frozen=True, slots=True)
class Outcome:
    """The full state of an interval: from which batches, without which sites, and what came out for every owner.

    Revision 0 is the first settlement. A correction's outcome is the whole state again, not what it changed.
    """

    community: str
    start: int
    seconds: int
    revision: int
    batches: Sequence[BatchName]
    without: Sequence[str]
    local_micro_per_wh: int | None
    parts: Mapping[str, Part]
    directs: Sequence[Direct]
    grid_wh: int
    grid_points_micro: int


def points_of(outcome: Outcome) -> dict[str, int]:
    """Return what the interval moves to each owner in all, the points of direct lines among them."""
    points = {owner: part.points_micro for owner, part in outcome.parts.items()}
    for item in outcome.directs:
        points[item.giver] += item.points_micro
        points[item.taker] -= item.points_micro
    return points


def direct_wh_of(outcome: Outcome) -> dict[str, int]:
    """Return what each owner took (positive) over direct lines."""
    wh = dict.fromkeys(outcome.parts, 0)
    for item in outcome.directs:
        wh[item.giver] -= item.wh
        wh[item.taker] += item.wh
    return wh


def blind_of(secret: str, start: int, owner: str) -> str:
    """Return the name of an owner in one interval's document: who is told it finds their line, and nobody else's."""
    mark = hmac.digest(bytes.fromhex(secret), f"{start}|{owner}".encode(), "sha256")
    return mark.hex()[:BLIND_DIGITS]


def batches_digest(batches: Sequence[BatchName]) -> str:
    """Return one digest for the batches an interval's readings come from: it changes when others are added."""
    return digest(to_bytes(_batches(batches)))


def document_of(outcome: Outcome, blinds: Mapping[str, str]) -> bytes:
    """Return the outcome's canonical bytes, the same in whatever order its parts came, with no owner's name in it."""
    plain = {
        "v": VERSION,
        "community": outcome.community,
        "start": time_text(outcome.start),
        "seconds": outcome.seconds,
        "revision": outcome.revision,
        "batches": _batches(outcome.batches),
        "without": sorted(outcome.without),
        "local_micro_per_wh": outcome.local_micro_per_wh,
        "nets": [_net(blinds[owner], outcome.parts[owner]) for owner in sorted(outcome.parts)],
        "direct": [
            [blinds[item.giver], blinds[item.taker], item.wh, item.micro_per_wh]
            for item in sorted(outcome.directs, key=lambda item: (item.giver, item.taker))
        ],
        "grid": [outcome.grid_wh, outcome.grid_points_micro],
    }
    return to_bytes(plain)


def _batches(batches: Sequence[BatchName]) -> list[list[str | int]]:
    return [
        [item.site, item.epoch, item.seq, item.hash]
        for item in sorted(batches, key=lambda item: (item.site, item.epoch, item.seq))
    ]


def _net(blind: str, part: Part) -> list[str | int]:
    energy = (part.net_wh, part.local_wh, part.grid_wh)
    return [blind, *energy, part.grid_micro_per_wh, part.points_micro, part.quality]


def names_in(document: bytes) -> frozenset[tuple[str, int, int]]:
    """Return site, epoch and number of the batches a document names."""
    return frozenset((site, epoch, seq) for site, epoch, seq, _ in json.loads(document)["batches"])
