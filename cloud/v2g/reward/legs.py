"""The host's leg: what the cable's energy has cost the host, given back to the millionth of a point. Pure.

A cable is interior to the tap it is plugged in under, so its energy stands in the host's net. When the car charges,
the host sells that energy on to the aggregator at the host's own tariff; when it discharges, the host buys it back.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GridPrices:
    """What the host pays for a Wh from the grid, and is paid for one to it."""

    buy_micro_per_wh: int
    sell_micro_per_wh: int


def bill_micro(net_wh: int, prices: GridPrices) -> int:
    """Return what a net (taken positive) costs at the grid's prices; negative where it earns."""
    return net_wh * (prices.buy_micro_per_wh if net_wh > 0 else prices.sell_micro_per_wh)


def host_leg(net_wh: int, cable_wh: int, prices: GridPrices) -> int:
    """Return what the host gets from the aggregator for an interval, negative where it pays.

    `cable_wh` is the energy towards the cars of all the host's cables together. The host's bill less this leg is the
    bill without the cables, exactly. With prices that differ by direction the legs of single cables would depend on
    their order; the sum does not, so an interval has one leg, which is corrected when another cable joins it.
    """
    return bill_micro(net_wh, prices) - bill_micro(net_wh - cable_wh, prices)
