"""What a person wishes of a car: when it is to be ready, and how full. Kept by its two entities, used by the site."""

from dataclasses import dataclass
from datetime import time

from .devices.port import Kind

# A full night at home, and as full as most makers advise for every day: right for most people without a thought.
DEPARTURE_DEFAULT = time(7)
CHARGE_NEEDED_PERCENT_DEFAULT = 80

KINDS_WITH_A_CAR: frozenset[Kind] = frozenset({"charger", "cable"})


@dataclass(frozen=True, slots=True)
class Wish:
    """When the car leaves, in the time of the place, every day; and its state of charge by then in percent."""

    departure: time = DEPARTURE_DEFAULT
    charge_needed_percent: int = CHARGE_NEEDED_PERCENT_DEFAULT


def energy_needed_wh(wish: Wish, soc_percent: float, capacity_wh: float) -> int:
    """Return what the battery of the car still lacks; what is lost on the way into it comes on top."""
    return max(0, round((wish.charge_needed_percent - soc_percent) * capacity_wh / 100))
