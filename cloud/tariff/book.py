"""The prices of some time, read once: what each owner's energy costs in each interval, and by which tariffs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Self

from .price import Prices
from .validity import COMMUNITY, Tariff, in_force

type TariffKey = tuple[str, int]  # whose tariff (`COMMUNITY` or an owner), and from when on it is valid


@dataclass(frozen=True, slots=True)
class Priced:
    """The prices of one interval for one owner: the tariff of the community, and the owner's own where it has one."""

    prices: Prices
    community: TariffKey
    owner: TariffKey | None


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The tariffs in force in some time, by whose they are, each in the order of their validity."""

    tariffs: Mapping[str, tuple[Tariff, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, tariffs: Iterable[Tariff]) -> Self:
        """Bring tariffs into order."""
        ordered = sorted(tariffs, key=lambda tariff: (tariff.owner, tariff.valid_from))
        return cls({owner: tuple(own) for owner, own in groupby(ordered, key=lambda tariff: tariff.owner)})

    def at(self, start: int, owner: str) -> Priced | None:
        """Return what an owner pays and is paid in the interval that begins at `start`, None in a tariff gap.

        The local price is always the community's, for one Wh has one price on both sides. An own tariff that has no
        price yet for the interval is a gap too: its owner is not settled by prices that were not agreed.
        """
        general = self._in_force(COMMUNITY, start)
        prices = None if general is None else general.prices_at(start)
        if general is None or prices is None:
            return None
        key = (COMMUNITY, general.valid_from)
        own = None if owner == COMMUNITY else self._in_force(owner, start)
        if own is None:
            return Priced(prices, key, None)
        grid = own.prices_at(start)
        if grid is None:
            return None
        mixed = Prices(prices.local_micro_per_wh, grid.grid_buy_micro_per_wh, grid.grid_sell_micro_per_wh)
        return Priced(mixed, key, (owner, own.valid_from))

    def priced(self, start: int) -> bool:
        """Say whether everybody has prices in the interval that begins at `start`."""
        return all(self.at(start, owner) is not None for owner in {COMMUNITY, *self.tariffs})

    def _in_force(self, owner: str, start: int) -> Tariff | None:
        return in_force(self.tariffs.get(owner, ()), start)
