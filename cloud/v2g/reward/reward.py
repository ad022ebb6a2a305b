"""The reward of a cable for one period: a basic amount for being connected, and a price on its energy. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """What a host's community pays: for a connected period, and for each Wh from the car (towards it: what it asks)."""

    base_micro: int
    price_micro_per_wh: int


@dataclass(frozen=True, slots=True)
class Reward:
    """What a period earns the driver, in micro-points; negative where charging costs more than being there brings."""

    base_micro: int
    variable_micro: int

    @property
    def micro(self) -> int:
        """All of it."""
        return self.base_micro + self.variable_micro


def reward(rate: Rate, energy_wh: int, *, connected: bool, base_due: bool = True) -> Reward:
    """Return what a period of this energy (towards the car) earns.

    `base_due` is false where another part of the same time has earned the basic amount already: a cable that is
    moved within a period, or unplugged and plugged in again, was there once. So it does not matter into how many
    parts a period falls: energies add up, and the basic amount is paid once.
    """
    base_micro = rate.base_micro if connected and base_due else 0
    return Reward(base_micro, -rate.price_micro_per_wh * energy_wh)


def base_is_due(start: int, seconds: int, paid: Iterable[tuple[int, int]]) -> bool:
    """Tell whether no time in [start, start + seconds) has earned the basic amount yet.

    `paid` are (start, seconds) of the periods that have. Periods of two communities may differ in length; whichever
    was paid first stands for the time it covers.
    """
    return all(start >= other + length or other >= start + seconds for other, length in paid)


def capped(pending_micro: int, cap_micro: int) -> int:
    """Return what is told of rewards that still wait: never more than the cap, and a debt as it is."""
    return min(pending_micro, cap_micro)
