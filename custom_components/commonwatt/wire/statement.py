"""The statement: an owner's intervals, corrections and movements of points over a time, and what proves each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .batch import Quality
from .strict import VERSION, plain_members, time_text


@dataclass(frozen=True, slots=True)
class Line:
    """One settled interval of the owner, as it was settled first: Wh taken (positive), prices applied, points.

    `net_wh` is the local, the grid's and the direct neighbours' energy; `elsewhere_wh` is how much of it was measured
    at other sites than the one that asks. `blind` is the owner's name in the entry's document. Where no points moved
    there is no entry.
    """

    start: int
    seconds: int
    net_wh: int
    local_wh: int
    grid_wh: int
    direct_wh: int
    local_micro_per_wh: int | None
    grid_micro_per_wh: int | None
    direct_points_micro: int
    points_micro: int
    quality: Quality
    elsewhere_wh: int = 0
    blind: str | None = None
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Correction:
    """What later data changed about an interval: the differences to what stood, booked at a later time."""

    start: int
    revision: int
    booked_at: int
    net_wh: int
    local_wh: int
    grid_wh: int
    direct_wh: int
    points_micro: int
    blind: str | None = None
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """Points that moved beside energy: bought, given against a voucher, paid out, passed on; `fee_micro` is within."""

    at: int
    kind: str
    cause: str
    points_micro: int
    fee_micro: int
    entry: int


@dataclass(frozen=True, slots=True)
class Handover:
    """A tap that came to the owner, or went from it, at an interval boundary."""

    at: int
    site: str
    tap: str
    came: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """What the lines, corrections and movements add up to."""

    net_wh: int
    local_wh: int
    grid_wh: int
    direct_wh: int
    points_micro: int
    corrections_micro: int
    movements_micro: int
    fees_micro: int
    rewards_micro: int


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """An entry of the ledger as the owner may see it.

    `public` hashes to the entry's hash, which is leaf `index` of its day's root by the siblings of `path`; both are
    empty while the day is open. `document` is the text whose SHA-256 is `public.evidence`. Postings, with the salt
    that lets them be held against `public.postings_hash`, are there where they name no other owner.
    """

    public: Mapping[str, Any]
    document: str | None
    day: int | None
    index: int
    path: tuple[str, ...]
    postings: tuple[tuple[str, int], ...] | None = None
    salt: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this entry."""
        postings = None if self.postings is None else [list(leg) for leg in self.postings]
        day = None if self.day is None else time_text(self.day)
        data = {"public": dict(self.public), "document": self.document, "day": day, "index": self.index}
        return data | {"path": list(self.path), "postings": postings, "salt": self.salt}


@dataclass(frozen=True, slots=True)
class Statement:
    """A page of a statement: [start, end) whole, with the balance before and after; `next` begins the page after."""

    community: str
    owner: str
    start: int
    end: int
    opening_micro: int
    closing_micro: int
    totals: Totals
    intervals_waiting: int
    lines: tuple[Line, ...]
    corrections: tuple[Correction, ...] = ()
    movements: tuple[Movement, ...] = ()
    transfers: tuple[Handover, ...] = ()
    sites: tuple[str, ...] = ()
    entries: tuple[ProvenEntry, ...] = ()
    roots: tuple[str, ...] = ()
    next: int | None = None

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this statement."""
        return {
            "v": VERSION,
            "community": self.community,
            "owner": self.owner,
            "from": time_text(self.start),
            "to": time_text(self.end),
            "opening_micro": self.opening_micro,
            "closing_micro": self.closing_micro,
            "totals": plain_members(self.totals),
            "intervals_waiting": self.intervals_waiting,
            "lines": [_plain(line, "start", *NULLABLE) for line in self.lines],
            "corrections": [_plain(item, "start", "booked_at", "blind", "entry") for item in self.corrections],
            "movements": [_plain(item, "at") for item in self.movements],
            "transfers": [_plain(item, "at") for item in self.transfers],
            "sites": list(self.sites),
            "entries": [entry.plain() for entry in self.entries],
            "roots": list(self.roots),
            "next": None if self.next is None else time_text(self.next),
        }


TIMES = ("start", "booked_at", "at")
NULLABLE = ("local_micro_per_wh", "grid_micro_per_wh", "blind", "entry")


def _plain(value: Any, *named: str) -> dict[str, Any]:
    """Return a value's members as JSON data: times as texts, and these also where they are null."""
    data = plain_members(value)
    return data | {name: time_text(data[name]) if name in TIMES else getattr(value, name) for name in named}
