"""What a value may be: limits of a community, of equipment, of a system or a point of it; the nearest holds. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cloud.hub.quantity import Quantity

from .physics import Value, Values, divided

POWER_FACTOR_MVA_MIN = 100_000  # 100 VA: below, the power factor of idle supplies says nothing of a network
LIMITS_MAX = 100  # of one thing

type About = Literal["community", "equipment", "device"]
type Subject = tuple[About, str]  # whose limits; the community's own have no name
WHOLE: Subject = ("community", "")


@dataclass(frozen=True, slots=True)
class Limit:
    """Between what a quantity is in tolerance, in its unit: `lowest` to `highest`, or so many percent off `nominal`.

    `point` None: at every point. Currents and power factors are held to it by how much they are, whichever way.
    """

    quantity: Quantity
    point: str | None = None
    lowest: int | None = None
    highest: int | None = None
    nominal: int | None = None
    below_percent: int | None = None
    above_percent: int | None = None

    @property
    def least(self) -> int | None:
        """The lowest value in tolerance."""
        if self.nominal is None or self.below_percent is None:
            return self.lowest
        return divided(self.nominal * (100 - self.below_percent), 100)

    @property
    def most(self) -> int | None:
        """The highest value in tolerance."""
        if self.nominal is None or self.above_percent is None:
            return self.highest
        return divided(self.nominal * (100 + self.above_percent), 100)


type Limits = Mapping[Subject, Sequence[Limit]]


@dataclass(frozen=True, slots=True)
class Out:
    """A value that is out of tolerance, by how much (in its unit, below or above), and whose limit says so."""

    device: str
    point: str
    quantity: Quantity
    value: Value
    lowest: int | None
    highest: int | None
    by: int
    subject: Subject


def limit_of(
    limits: Limits, device: str, point: str, quantity: Quantity, chain: Iterable[str]
) -> tuple[Subject, Limit] | None:
    """Return the limit that holds of a quantity at a point: its own, its system's, the nearest equipment's, or all's.

    `chain` is the equipment before it, the nearest first.
    """
    subjects: list[Subject] = [("device", device), *(("equipment", name) for name in chain), WHOLE]
    for subject in subjects:
        named = [limit for limit in limits.get(subject, ()) if limit.quantity == quantity]
        for limit in sorted(named, key=lambda limit: limit.point is None):
            if limit.point in (point, None):
                return subject, limit
    return None


def judged(
    limits: Limits, device: str, point: str, values: Values, chain: Sequence[str]
) -> tuple[list[Out], list[Quantity]]:
    """Return what of a point's values is out of tolerance, and the quantities that are within it."""
    out: list[Out] = []
    within: list[Quantity] = []
    for quantity, value in values.items():
        found = limit_of(limits, device, point, quantity, chain)
        if found is None or not value.signed or (quantity is Quantity.POWER_FACTOR and _idle(values)):
            continue
        subject, limit = found
        if (by := _off(quantity, value.value, limit)) == 0:
            within.append(quantity)
        else:
            out.append(Out(device, point, quantity, value, limit.least, limit.most, by, subject))
    return out, within


def _idle(values: Values) -> bool:
    apparent = values.get(Quantity.APPARENT_POWER)
    return apparent is not None and apparent.value < POWER_FACTOR_MVA_MIN


def _off(quantity: Quantity, value: int, limit: Limit) -> int:
    """Return by how much a value is above (positive) or below (negative) what it may be; 0 within."""
    size = abs(value) if quantity in (Quantity.CURRENT, Quantity.POWER_FACTOR) else value
    if limit.most is not None and size > limit.most:
        return size - limit.most
    if limit.least is not None and size < limit.least:
        return size - limit.least
    return 0
