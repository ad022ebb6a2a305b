"""Community share: what one owner gives and another takes in the same interval passes at the local price."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cloud.tariff.price import Prices

NOBODYS: Final[Mapping[str, Prices]] = {}


@dataclass(frozen=True, slots=True)
class Share:
    """One owner's part of an interval: Wh from or to the community and the grid (taken positive), and its points."""

    local_wh: int
    grid_wh: int
    points_micro: int


@dataclass(frozen=True, slots=True)
class Shared:
    """An interval priced: every owner's part, and what the grid earns or pays so that all points sum to zero."""

    owners: Mapping[str, Share]
    grid_points_micro: int


def share(net_wh: Mapping[str, int], prices: Prices, own: Mapping[str, Prices] = NOBODYS) -> Shared:
    """Price the nets of an interval: the smaller side trades all it has locally, the larger the rest with the grid.

    Without a local price everything is traded with the grid. Only the split rounds; pricing whole Wh never does.
    `own` are the prices of owners who have grid prices of their own. Settlement does the same over columns; here it
    stands as the rule, which the columns' answer is tested by.
    """
    demand_wh = {owner: net for owner, net in net_wh.items() if net > 0}
    supply_wh = {owner: -net for owner, net in net_wh.items() if net < 0}
    traded_wh = min(sum(demand_wh.values()), sum(supply_wh.values())) if prices.local_micro_per_wh is not None else 0
    taken_wh, given_wh = split(traded_wh, demand_wh), split(traded_wh, supply_wh)
    owners = {
        owner: _priced(net, taken_wh.get(owner, 0) - given_wh.get(owner, 0), prices, own.get(owner, prices))
        for owner, net in net_wh.items()
    }
    assert sum(part.local_wh for part in owners.values()) == 0, "the community's own trade does not sum to zero"
    return Shared(owners, -sum(part.points_micro for part in owners.values()))


def grid_price(net_wh: int, prices: Prices) -> int:
    """Return the grid's price on an owner's side: of buying for who takes, of selling for who gives."""
    return prices.grid_buy_micro_per_wh if net_wh > 0 else prices.grid_sell_micro_per_wh


def _priced(net_wh: int, local_wh: int, prices: Prices, own: Prices) -> Share:
    grid_wh, price = net_wh - local_wh, grid_price(net_wh, own)
    return Share(local_wh, grid_wh, -(local_wh * (prices.local_micro_per_wh or 0) + grid_wh * price))


def split(amount: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Split a whole amount by whole weights, nothing lost: the largest remainders get the rest, ties the smaller id."""
    total = sum(weights.values())
    if total == 0:
        return {}
    parts = {name: amount * weight // total for name, weight in weights.items()}
    left = amount - sum(parts.values())
    by_remainder = sorted(weights, key=lambda name: (-(amount * weights[name] % total), name))
    for name in by_remainder[:left]:
        parts[name] += 1
    return parts
