"""The credit reserve: what the cloud last said is left, less what the site itself has measured since."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """What an owner pays for a Wh of the grid's, and gets for one given to it, in micro-points."""

    buy_micro_per_wh: int
    sell_micro_per_wh: int


@dataclass(frozen=True, slots=True)
class Spent:
    """An owner's net energy in the interval that begins at `start` (s): Wh, taken positive."""

    start: int
    net_wh: int


type PriceAt = Callable[[int], Price | None]


def left_micro(balance_micro: int, as_of: int, spent: Iterable[Spent], price_at: PriceAt) -> int | None:
    """Return the micro-points left, None where an interval since `as_of` (s) cannot be priced.

    All energy counts at the grid's prices, for a site alone does not know what its neighbours shared. An interval
    without a price of its own has that of the one before it.
    """
    left, price = balance_micro, price_at(as_of)
    for item in sorted(spent, key=lambda item: item.start):
        if item.start < as_of:
            continue
        price = price_at(item.start) or price
        if price is None:
            return None
        left -= item.net_wh * (price.buy_micro_per_wh if item.net_wh > 0 else price.sell_micro_per_wh)
    return left


def reserve_wh(left: int | None, price: Price | None) -> int | None:
    """Return how many Wh the points left still buy, 0 with none; None if that is unknown or they buy any amount."""
    if left is None or price is None or price.buy_micro_per_wh <= 0:
        return None
    return max(0, left) // price.buy_micro_per_wh
