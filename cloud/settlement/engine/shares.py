"""The community's share over columns: by the rule of `share.share`, for many intervals and prices at once."""

import numpy as np

from cloud.ledger.posting import AMOUNT_MICRO_MAX
from cloud.settlement.share import split

from .columns import BLOCK, Flags, Nets, Shares, Tariffs, Whole

EXACT_MAX = 2.0**62  # of products, told by floating point: below, 64 bits hold them for certain


def share(first: Whole, nets: Nets, tariffs: Tariffs) -> Shares:
    """Share and price the nets of many intervals; blocks of whole intervals, so that little is in between."""
    slots = int(first[-1])
    local_wh, grid_wh, grid_micro, points_micro = (np.empty(slots, np.int64) for _ in range(4))
    beyond = nets.beyond.copy()
    for begin, end in _blocks(first):
        low, high = int(first[begin]), int(first[end])
        here = first[begin : end + 1] - low
        owners_wh = nets.net_wh[low:high].copy()
        owners_wh[here[:-1]] = 0
        local = _local(here, owners_wh, tariffs.local[begin:end])
        price = np.where(owners_wh > 0, tariffs.buy_micro[low:high], tariffs.sell_micro[low:high])
        local_price = np.repeat(tariffs.local_micro[begin:end], np.diff(here))
        points, over = _priced(here, (local, local_price), (owners_wh - local, price))
        np.subtract(nets.net_wh[low:high], local, out=grid_wh[low:high])
        local_wh[low:high], grid_micro[low:high], points_micro[low:high] = local, price, points
        beyond[begin:end] |= over
    return Shares(local_wh, grid_wh, grid_micro, points_micro, beyond)


def _blocks(first: Whole) -> list[tuple[int, int]]:
    """Cut the intervals where a block's slots are full; one interval is never cut."""
    cuts, begin = [], 0
    while begin < len(first) - 1:
        end = max(int(np.searchsorted(first, first[begin] + BLOCK, side="right")) - 1, begin + 1)
        cuts.append((begin, end))
        begin = end
    return cuts


def _local(first: Whole, net_wh: Whole, market: Flags) -> Whole:
    """Return what each slot takes from the community: all of the smaller side, a fair part of the larger one."""
    sizes, starts = np.diff(first), first[:-1]
    demand_wh, supply_wh = np.maximum(net_wh, 0), np.maximum(-net_wh, 0)
    bought, sold = np.add.reduceat(demand_wh, starts), np.add.reduceat(supply_wh, starts)
    traded = np.where(market, np.minimum(bought, sold), 0)
    taken = _side(sizes, demand_wh, bought, traded)
    return taken - _side(sizes, supply_wh, sold, traded)


def _side(sizes: Whole, weights: Whole, totals: Whole, traded: Whole) -> Whole:
    """Split what is traded over one side of every interval."""
    parts = np.where(np.repeat(traded == totals, sizes), weights, 0)
    partial = (traded > 0) & (traded < totals)
    if partial.any():
        slots = np.flatnonzero(np.repeat(partial, sizes) & (weights > 0))
        interval = np.repeat(np.arange(len(sizes)), sizes)[slots]
        parts[slots] = _split(interval, weights[slots], totals, traded)
    return parts


def _split(interval: Whole, weights: Whole, totals: Whole, amounts: Whole) -> Whole:
    """Split the amounts of some intervals by weight, the largest remainders first, ties to the earlier slot."""
    begins = np.flatnonzero(np.diff(interval, prepend=-1))
    sizes = np.diff(begins, append=len(interval))
    total, amount = totals[interval], amounts[interval]
    huge = np.repeat(np.maximum.reduceat(amount.astype(np.float64) * weights, begins) > EXACT_MAX, sizes)
    product = np.where(huge, 0, amount) * np.where(huge, 0, weights)
    parts: Whole = product // total
    remainder = product - parts * total
    left = np.where(huge[begins], 0, amount[begins] - np.add.reduceat(parts, begins))
    order = _by_remainder(np.repeat(np.arange(len(begins)), sizes), total - 1 - remainder)
    place = np.arange(len(interval)) - np.repeat(begins, sizes)
    parts[order[place < np.repeat(left, sizes)]] += 1
    for group in np.flatnonzero(huge[begins]):
        rows = slice(begins[group], begins[group] + sizes[group])
        parts[rows] = _plainly(int(amount[begins[group]]), weights[rows])
    return parts


def _by_remainder(group: Whole, key: Whole) -> Whole:
    """Return the order of rows by group, then key, then where they stand: packed into one number where that fits."""
    count, keys = len(group), int(key.max()) + 1
    if (int(group[-1]) + 1) * keys * count < 2**63:
        packed = (group * keys + key) * count + np.arange(count)
        packed.sort()
        place: Whole = packed % count
        return place
    order: Whole = np.lexsort((np.arange(count), key, group))
    return order


def _plainly(amount: int, weights: Whole) -> list[int]:
    """Split numbers too large for 64 bits by the plain rule; places stand for owners, in their order."""
    named = {f"{place:08}": int(weight) for place, weight in enumerate(weights)}
    return list(split(amount, named).values())


def _priced(first: Whole, local: tuple[Whole, Whole], grid: tuple[Whole, Whole]) -> tuple[Whole, Flags]:
    """Return the points of each slot, the grid's in its own, and which intervals are beyond what can be posted."""
    starts, sizes = first[:-1], np.diff(first)
    size = np.abs(local[0].astype(np.float64) * local[1]) + np.abs(grid[0].astype(np.float64) * grid[1])
    over = np.add.reduceat(size, starts) > EXACT_MAX
    fits = ~np.repeat(over, sizes)
    points = -(local[0] * fits * local[1] + grid[0] * fits * grid[1])
    points[starts] = 0
    points[starts] = -np.add.reduceat(points, starts)
    over |= np.maximum.reduceat(np.abs(points), starts) > AMOUNT_MICRO_MAX
    return points, over
