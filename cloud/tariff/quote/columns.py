"""The price book as columns: one place per interval, None where nothing is priced yet."""

from collections.abc import Sequence

from cloud.sites.store import Community
from cloud.tariff.book import PriceBook
from cloud.tariff.validity import COMMUNITY
from cloud.wire.prices import PRICE_VALUES_MAX, OwnerPrices, Prices


def fitting(count: int, owners: int) -> int:
    """Return how many of so many intervals fit into one answer for so many owners; at least one."""
    return max(1, min(count, PRICE_VALUES_MAX // (1 + 2 * owners)))


def site_prices(site: str, community: Community, owners: Sequence[str], book: PriceBook, starts: range) -> Prices:
    """Return what a site is told of these intervals."""
    priced = [book.at(start, COMMUNITY) for start in starts]
    return Prices(
        site=site,
        community=community.community,
        start=starts[0],
        seconds=starts.step,
        count=len(starts),
        local_micro_per_wh=tuple(None if each is None else each.prices.local_micro_per_wh for each in priced),
        owners={owner: _owner(owner, book, starts) for owner in owners},
        currency=community.currency,
        points_per_unit=community.points_per_unit,
    )


def _owner(owner: str, book: PriceBook, starts: range) -> OwnerPrices:
    priced = [book.at(start, owner) for start in starts]
    return OwnerPrices(
        tuple(None if each is None else each.prices.grid_buy_micro_per_wh for each in priced),
        tuple(None if each is None else each.prices.grid_sell_micro_per_wh for each in priced),
    )
