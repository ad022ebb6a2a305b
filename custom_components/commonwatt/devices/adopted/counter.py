"""A register made of an entity that counts: carried over where the count begins anew, and over an exchange of entities.

A counter that begins anew falls, or says when it last did. A fall is believed when a second look agrees, so that a
device that shows 0 while it starts does not count its whole life again. A new run that shows more than the tap could
have carried since the last look did not begin at zero, and one that leaps ahead by more than that since it last moved
did not count it: it is another counter, and nothing is counted across.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...metering.carry import NEW_RUN_BELOW, Carry, carried
from ...metering.reading import STANDSTILL_MS, Limits

DIGITS = 6  # of a Wh: a conversion leaves 5000.999… of 5.001 kWh, which floored would be a register that went back
BELIEVED_AFTER_MS = 10_000  # a fall that still stands after this was no slip; nothing is lost by waiting


@dataclass(frozen=True, slots=True)
class Look:
    """What a counting entity shows at an instant.

    `anew` if its integration says that it may begin anew; `last_reset_ms` when it says that it last did.
    """

    at_ms: int
    value_wh: float
    anew: bool = False
    last_reset_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Counter:
    """A register and the entity it is made of, as of the last look.

    `moved_ms` is when what it shows last changed, `fell_ms` when a fall was first seen, `others` how often another
    counter was found in its place since the start.
    """

    reference: str
    carry: Carry
    at_ms: int
    moved_ms: int
    last_reset_ms: int | None = None
    fell_ms: int | None = None
    others: int = 0

    @property
    def register_wh(self) -> float:
        """What was counted, by this entity and those before it."""
        return self.carry.register_wh


def first(reference: str, look: Look, former_wh: float | None, floor_wh: float | None) -> Counter:
    """Return the register at the first look at an entity.

    `former_wh` is the register of the entity that counted here before: it goes on from there, whatever the new one
    shows. `floor_wh` is the register of the boundary closed last, which one that begins anew must not fall behind.
    """
    if former_wh is not None:
        carry = Carry(former_wh - look.value_wh, look.value_wh)
    elif look.anew and floor_wh is not None:
        carry = Carry(max(floor_wh - look.value_wh, 0), look.value_wh)
    else:
        carry = Carry(0, look.value_wh)
    return Counter(reference, carry, look.at_ms, look.at_ms - STANDSTILL_MS, look.last_reset_ms)


def looked(counter: Counter, look: Look, limits: Limits) -> Counter:
    """Go on to a look. A register that never begins anew is followed as it is: metering judges it."""
    counter = _since(counter, look.at_ms)
    moved_ms = counter.moved_ms if look.value_wh == counter.carry.last_wh else look.at_ms
    went_on = replace(counter, at_ms=look.at_ms, moved_ms=moved_ms, last_reset_ms=look.last_reset_ms, fell_ms=None)
    if _says_so(counter, look, limits):
        return replace(went_on, carry=Carry(counter.register_wh, look.value_wh))
    if not look.anew:
        return replace(went_on, carry=Carry(counter.carry.base_wh, look.value_wh))
    if look.value_wh - counter.carry.last_wh > limits.energy_wh(look.at_ms - counter.moved_ms):
        return _another(went_on, look)
    if look.value_wh >= counter.carry.last_wh * NEW_RUN_BELOW:
        return replace(went_on, carry=carried(counter.carry, look.value_wh))
    if counter.fell_ms is None:
        return replace(counter, fell_ms=look.at_ms)
    if look.at_ms - counter.fell_ms < BELIEVED_AFTER_MS:
        return counter
    if look.value_wh > limits.energy_wh(look.at_ms - counter.at_ms):
        return _another(went_on, look)
    return replace(went_on, carry=Carry(counter.register_wh, look.value_wh))


def _since(counter: Counter, at_ms: int) -> Counter:
    """Return the counter with its instants where they are by a clock that was set back: nobody knows how far."""
    back_ms = counter.at_ms - at_ms
    if back_ms <= 0:
        return counter
    fell_ms = None if counter.fell_ms is None else counter.fell_ms - back_ms
    return replace(counter, at_ms=at_ms, moved_ms=counter.moved_ms - back_ms, fell_ms=fell_ms)


def at_least(counter: Counter, floor_wh: float) -> Counter:
    """Return the register raised to what was written down already, if it is behind."""
    behind = floor_wh - counter.register_wh
    if behind <= 0:
        return counter
    return replace(counter, carry=Carry(counter.carry.base_wh + behind, counter.carry.last_wh))


def _says_so(counter: Counter, look: Look, limits: Limits) -> bool:
    """Tell whether the entity itself says that it began anew, and can have counted so much since."""
    if look.last_reset_ms is None or look.last_reset_ms == counter.last_reset_ms or counter.last_reset_ms is None:
        return False
    return 0 <= look.value_wh <= limits.energy_wh(look.at_ms - look.last_reset_ms)


def _another(counter: Counter, look: Look) -> Counter:
    carry = Carry(counter.register_wh - look.value_wh, look.value_wh)
    return replace(counter, carry=carry, others=counter.others + 1)


def counter_kept(counter: Counter) -> dict[str, Any]:
    """Return a register as it is written down."""
    return {
        "reference": counter.reference,
        "base_wh": counter.carry.base_wh,
        "last_wh": counter.carry.last_wh,
        "at_ms": counter.at_ms,
        "moved_ms": counter.moved_ms,
        "last_reset_ms": counter.last_reset_ms,
    }


def counter_of(kept: Mapping[str, Any]) -> Counter:
    """Read a register that was written down."""
    last_reset_ms = kept["last_reset_ms"]
    return Counter(
        reference=str(kept["reference"]),
        carry=Carry(float(kept["base_wh"]), float(kept["last_wh"])),
        at_ms=int(kept["at_ms"]),
        moved_ms=int(kept["moved_ms"]),
        last_reset_ms=None if last_reset_ms is None else int(last_reset_ms),
    )
