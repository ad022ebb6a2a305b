"""What neighbours pay one another for a Wh over their own line, and which readings are of such a line."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Self


@dataclass(frozen=True, slots=True)
class Agreement:
    """The price between two owners (`owner_a` is the smaller id) from a time on; None ends what was agreed before."""

    owner_a: str
    owner_b: str
    valid_from: int
    micro_per_wh: int | None


def pair(one: str, other: str) -> tuple[str, str]:
    """Return two owners in the order agreements name them."""
    return (one, other) if one < other else (other, one)


@dataclass(frozen=True, slots=True)
class Agreed:
    """All agreements of a community, by pair, each in the order of their validity."""

    by_pair: Mapping[tuple[str, str], tuple[Agreement, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, agreements: Iterable[Agreement]) -> Self:
        """Bring agreements into order."""
        ordered = sorted(agreements, key=lambda item: (item.owner_a, item.owner_b, item.valid_from))
        return cls({key: tuple(own) for key, own in groupby(ordered, key=lambda item: (item.owner_a, item.owner_b))})

    def price(self, start: int, one: str, other: str) -> int | None:
        """Return the price between two owners in the interval that begins at `start`, None without an agreement."""
        own = self.by_pair.get(pair(one, other), ())
        begun = bisect_right(own, start, key=lambda item: item.valid_from)
        return own[begun - 1].micro_per_wh if begun else None
