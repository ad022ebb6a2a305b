"""Prices to a site: what its owners pay and are paid in each interval, as far as the cloud knows and promises it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .batch import INTERVAL_SECONDS_MAX
from .session import OWNERS_MAX
from .strict import (
    VERSION,
    WireError,
    check_version,
    identifier,
    items,
    load,
    members,
    parse_time,
    take,
    time_text,
    whole,
)

PRICE_VALUES_MAX = 70_000  # in one answer: the largest prices there are still fit into a body
PRICE_MICRO_MAX = 1_000_000_000  # per Wh: a million points per kWh
CURRENCY_LETTERS = 3
POINTS_PER_UNIT_MAX = 1_000_000

type PriceColumn = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class OwnerPrices:
    """What an owner pays to the grid and is paid by it, interval by interval; None where there is no price yet."""

    grid_buy_micro_per_wh: PriceColumn
    grid_sell_micro_per_wh: PriceColumn

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this owner's part."""
        return {
            "grid_buy_micro_per_wh": list(self.grid_buy_micro_per_wh),
            "grid_sell_micro_per_wh": list(self.grid_sell_micro_per_wh),
        }


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of `count` intervals from `start` on: the local one of the community, the grid's of each owner.

    A local price of None is no local market, or no price yet where the owners have none either. `points_per_unit`
    says how many points one unit of the currency is.
    """

    site: str
    community: str
    start: int
    seconds: int
    count: int
    local_micro_per_wh: PriceColumn
    owners: Mapping[str, OwnerPrices]
    currency: str | None = None
    points_per_unit: int | None = None

    @property
    def end(self) -> int:
        """The boundary that ends the last interval."""
        return self.start + self.seconds * self.count

    def plain(self) -> dict[str, Any]:
        """Return the JSON data of this answer."""
        return {
            "v": VERSION,
            "site": self.site,
            "community": self.community,
            "currency": self.currency,
            "points_per_unit": self.points_per_unit,
            "start": time_text(self.start),
            "seconds": self.seconds,
            "count": self.count,
            "local_micro_per_wh": list(self.local_micro_per_wh),
            "owners": {owner: prices.plain() for owner, prices in self.owners.items()},
        }


def parse_prices(raw: bytes) -> Prices:
    """Read prices; a column that is longer or shorter than the others is refused."""
    where = "prices"
    data = load(raw, where)
    check_version(data, where)
    count = whole(take(data, "count", where), f"{where}.count", 1, PRICE_VALUES_MAX)
    start = parse_time(take(data, "start", where), f"{where}.start")
    seconds = whole(take(data, "seconds", where), f"{where}.seconds", 1, INTERVAL_SECONDS_MAX)
    if INTERVAL_SECONDS_MAX % seconds or start % seconds:
        raise WireError(where, "is not of whole intervals")
    owners = members(data, "owners", where, OWNERS_MAX)
    return Prices(
        site=identifier(take(data, "site", where), f"{where}.site"),
        community=identifier(take(data, "community", where), f"{where}.community"),
        start=start,
        seconds=seconds,
        count=count,
        local_micro_per_wh=_column(data, "local_micro_per_wh", where, count),
        owners={
            identifier(owner, f"{where}.owners"): _owner(member, f"{where}.owners.{owner}", count)
            for owner, member in owners.items()
        },
        currency=_currency(data.get("currency"), f"{where}.currency"),
        points_per_unit=_points(data.get("points_per_unit"), f"{where}.points_per_unit"),
    )


def _owner(data: Any, where: str, count: int) -> OwnerPrices:
    if not isinstance(data, dict):
        raise WireError(where, "is not an object")
    return OwnerPrices(
        _column(data, "grid_buy_micro_per_wh", where, count), _column(data, "grid_sell_micro_per_wh", where, count)
    )


def _column(data: Mapping[str, Any], key: str, where: str, count: int) -> PriceColumn:
    take(data, key, where)
    column = items(data, key, where, PRICE_VALUES_MAX)
    if len(column) != count:
        raise WireError(f"{where}.{key}", f"does not have {count} items")
    return tuple(
        None if item is None else whole(item, f"{where}.{key}", -PRICE_MICRO_MAX, PRICE_MICRO_MAX) for item in column
    )


def _currency(value: Any, where: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) != CURRENCY_LETTERS or not (value.isascii() and value.isupper()):
        raise WireError(where, "is not a currency of three letters")
    return value


def _points(value: Any, where: str) -> int | None:
    return None if value is None else whole(value, where, 1, POINTS_PER_UNIT_MAX)
