"""A statement as it is laid out: intervals by local day, everything else that moved points, and sums that add up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal
from zoneinfo import ZoneInfo

from cloud.wire import Quality

DAYS_IN_DETAIL = 2  # a longer statement is laid out by days

type Kind = Literal[
    "correction",
    "purchase",
    "voucher",
    "redemption",
    "transfer",
    "reward",
    "v2g-reward",
    "v2g-host",
    "fee",
    "other",
]


@dataclass(frozen=True, slots=True)
class Flows:
    """Energy by its way, whole Wh ≥ 0: from and to the neighbourhood (community and neighbour link), and the grid."""

    near_in_wh: int
    grid_in_wh: int
    near_out_wh: int
    grid_out_wh: int

    @property
    def used_wh(self) -> int:
        """All that came."""
        return self.near_in_wh + self.grid_in_wh

    @property
    def supplied_wh(self) -> int:
        """All that went."""
        return self.near_out_wh + self.grid_out_wh


@dataclass(frozen=True, slots=True)
class Part:
    """What an owner used and supplied in some time, and the points it moved; Wh are taken positive.

    `estimated`: some of its place in time is not measured; `missing`: in some of it nothing was.
    """

    start: int
    seconds: int
    local_wh: int
    grid_wh: int
    direct_wh: int
    points_micro: int
    flows: Flows
    estimated: bool
    missing: bool

    @property
    def net_wh(self) -> int:
        """What was used more than supplied."""
        return self.local_wh + self.grid_wh + self.direct_wh


def interval(
    start: int, seconds: int, *, local_wh: int, grid_wh: int, direct_wh: int, points_micro: int, quality: Quality
) -> Part:
    """Return the part of one settled interval."""
    near = (local_wh, direct_wh)
    return Part(
        start=start,
        seconds=seconds,
        local_wh=local_wh,
        grid_wh=grid_wh,
        direct_wh=direct_wh,
        points_micro=points_micro,
        flows=Flows(
            near_in_wh=sum(max(wh, 0) for wh in near),
            grid_in_wh=max(grid_wh, 0),
            near_out_wh=sum(max(-wh, 0) for wh in near),
            grid_out_wh=max(-grid_wh, 0),
        ),
        estimated=quality == "estimated",
        missing=quality in ("missing", "reset"),
    )


@dataclass(frozen=True, slots=True)
class Movement:
    """Points that moved beside the intervals: when, what it was, a few words about it, and how many micro-points."""

    at: int
    kind: Kind
    about: str
    points_micro: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """A tap that came to the owner or went to somebody else at a time."""

    at: int
    tap: str
    came: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """Where and how a statement is read: the community's clock, the reader's language, and what a point is worth."""

    time_zone: str
    language: Literal["en", "ja"]
    currency: str | None = None
    points_per_unit: int | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A statement ready to be shown. `opening + parts + movements = closing`, or it is not made."""

    community: str
    owner: str
    terms: Terms
    start: int
    end: int
    made_at: int
    opening_micro: int
    closing_micro: int
    parts: Sequence[Part]
    movements: Sequence[Movement] = ()
    hand_overs: Sequence[HandOver] = ()
    waiting: int = 0

    def __post_init__(self) -> None:
        """Refuse a sheet that does not add up."""
        moved = sum(part.points_micro for part in self.parts) + sum(item.points_micro for item in self.movements)
        assert self.opening_micro + moved == self.closing_micro, "the statement does not add up"

    @property
    def total(self) -> Part:
        """What all parts add up to."""
        return _sum(self.start, self.end - self.start, self.parts)

    @property
    def by_days(self) -> bool:
        """Whether the rows are local days, and not the intervals themselves."""
        if not self.parts:
            return False
        first, last = self.parts[0], self.parts[-1]
        return last.start + last.seconds - first.start > DAYS_IN_DETAIL * 86_400

    def rows(self) -> list[Part]:
        """Return the parts as they are laid out: each, or added up by local day of 23, 24 or 25 hours."""
        if not self.by_days:
            return list(self.parts)
        zone = ZoneInfo(self.terms.time_zone)
        return [_sum_of_day(list(parts)) for _, parts in groupby(self.parts, key=_local_day(zone))]


def near_share_percent(flows: Flows) -> int | None:
    """Return how much of what was used came from the neighbourhood; None if nothing was used."""
    return None if flows.used_wh == 0 else round(100 * flows.near_in_wh / flows.used_wh)


def _local_day(zone: ZoneInfo) -> Callable[[Part], object]:
    return lambda part: datetime.fromtimestamp(part.start, UTC).astimezone(zone).date()


def _sum_of_day(parts: Sequence[Part]) -> Part:
    return _sum(parts[0].start, parts[-1].start + parts[-1].seconds - parts[0].start, parts)


def _sum(start: int, seconds: int, parts: Sequence[Part]) -> Part:
    return Part(
        start=start,
        seconds=seconds,
        local_wh=sum(part.local_wh for part in parts),
        grid_wh=sum(part.grid_wh for part in parts),
        direct_wh=sum(part.direct_wh for part in parts),
        points_micro=sum(part.points_micro for part in parts),
        flows=Flows(*(sum(getattr(part.flows, member.name) for part in parts) for member in fields(Flows))),
        estimated=any(part.estimated for part in parts),
        missing=any(part.missing for part in parts),
    )
