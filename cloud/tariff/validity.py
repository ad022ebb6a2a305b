"""Which tariff is in force when, and whether a new one may come: prices that settled something stand."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .price import Prices

type Verdict = Literal["created", "exists", "replaced", "settled"]


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices from a time on until the next tariff's; `used_through` is the end of the last interval they settled."""

    valid_from: int
    prices: Prices
    used_through: int | None = None


def in_force(tariffs: Sequence[Tariff], start: int) -> Tariff | None:
    """Return the tariff of the interval that begins at `start`; `tariffs` are in the order of their validity."""
    begun = bisect_right(tariffs, start, key=lambda tariff: tariff.valid_from)
    return tariffs[begun - 1] if begun else None


def judge(standing: Tariff | None, wanted: Tariff) -> Verdict:
    """Tell what becomes of a wanted tariff; `standing` is the one in force when it would begin.

    The same prices again change nothing. `settled` is the no: intervals after its beginning are settled by what
    stands, and a price is never changed behind a settlement's back.
    """
    if standing is None:
        return "created"
    if standing.valid_from == wanted.valid_from:
        if standing.prices == wanted.prices:
            return "exists"
        return "replaced" if standing.used_through is None else "settled"
    covered = standing.used_through is not None and standing.used_through > wanted.valid_from
    return "settled" if covered else "created"
