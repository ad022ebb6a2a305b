"""What follows from what was measured at a point: apparent, reactive and real power, power factor, current. Pure.

Whole numbers in the hub's units (mV, mA, mW, mvar, mVA, thousandths); each result is rounded once, half to even.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isqrt

from cloud.hub.quantity import Quantity

PHYSICAL = (
    Quantity.VOLTAGE,
    Quantity.CURRENT,
    Quantity.POWER,
    Quantity.REACTIVE_POWER,
    Quantity.APPARENT_POWER,
    Quantity.POWER_FACTOR,
)
"""What a point may show at an instant, and what is watched there."""

TOGETHER_MS_MAX = 5_000  # what was measured farther apart may be of two loads: nothing is derived from both
SLACK_PERCENT = (
    5  # so much more real than apparent power is the rounding of a cheap meter; beyond, one of them is wrong
)
ONE = 1000  # thousandths


@dataclass(frozen=True, slots=True)
class Value:
    """A value near an instant: when it was measured, or the farthest of what it was derived from.

    `signed` False: only how much is known, not which way (lagging or leading).
    """

    value: int
    measured_ms: int
    derived: bool = False
    signed: bool = True


type Values = Mapping[Quantity, Value]


def completed(values: Values, at_ms: int, *, one_circuit: bool) -> dict[Quantity, Value]:
    """Return the values of a point with what follows from them.

    `one_circuit` is False for the sum of a system that has phases: its voltage times its current is no power.
    """
    found = dict(values)
    for _ in range(2):  # what came of the first round may let one more thing follow
        _power(found, at_ms, one_circuit=one_circuit)
        _reactive(found, at_ms)
        if one_circuit:
            _circuit(found, at_ms)
    return found


def _power(found: dict[Quantity, Value], at_ms: int, *, one_circuit: bool) -> None:
    volt, ampere = found.get(Quantity.VOLTAGE), found.get(Quantity.CURRENT)
    real, factor = found.get(Quantity.POWER), found.get(Quantity.POWER_FACTOR)
    reactive = found.get(Quantity.REACTIVE_POWER)
    if Quantity.APPARENT_POWER not in found:
        apparent = None
        if one_circuit and volt is not None and ampere is not None:
            apparent = _of(divided(abs(volt.value * ampere.value), 1000), at_ms, volt, ampere)
        elif real is not None and factor is not None and factor.value:
            apparent = _of(divided(abs(real.value) * ONE, abs(factor.value)), at_ms, real, factor)
        elif real is not None and reactive is not None:
            apparent = _of(root(real.value**2 + reactive.value**2), at_ms, real, reactive)
        _keep(found, Quantity.APPARENT_POWER, apparent)
    apparent = found.get(Quantity.APPARENT_POWER)
    if apparent is None:
        return
    if real is None and factor is not None:
        size = divided(apparent.value * abs(factor.value), ONE)
        exports = factor.value < 0 or (ampere is not None and ampere.value < 0)
        _keep(found, Quantity.POWER, _of(-size if exports else size, at_ms, apparent, factor))
    if real is not None and factor is None and apparent.value and _possible(real, apparent):
        most = min(abs(real.value), apparent.value) * (1 if real.value >= 0 else -1)
        _keep(found, Quantity.POWER_FACTOR, _of(divided(most * ONE, apparent.value), at_ms, real, apparent))


def _reactive(found: dict[Quantity, Value], at_ms: int) -> None:
    real, apparent = found.get(Quantity.POWER), found.get(Quantity.APPARENT_POWER)
    if Quantity.REACTIVE_POWER in found or real is None or apparent is None or not _possible(real, apparent):
        return
    size = root(max(0, apparent.value**2 - real.value**2))
    _keep(found, Quantity.REACTIVE_POWER, _of(size, at_ms, real, apparent, signed=size == 0))


def _circuit(found: dict[Quantity, Value], at_ms: int) -> None:
    volt, ampere = found.get(Quantity.VOLTAGE), found.get(Quantity.CURRENT)
    apparent = found.get(Quantity.APPARENT_POWER)
    if apparent is None:
        return
    if ampere is None and volt is not None and volt.value > 0:
        _keep(found, Quantity.CURRENT, _of(divided(apparent.value * 1000, volt.value), at_ms, apparent, volt))
    if volt is None and ampere is not None and ampere.value:
        size = divided(apparent.value * 1000, abs(ampere.value))
        _keep(found, Quantity.VOLTAGE, _of(size, at_ms, apparent, ampere))


def _possible(real: Value, apparent: Value) -> bool:
    """Tell whether so much real power goes with so much apparent power."""
    return abs(real.value) * 100 <= apparent.value * (100 + SLACK_PERCENT)


def _of(value: int, at_ms: int, *parts: Value, signed: bool = True) -> Value | None:
    """Return what follows from these values; None if they were measured too far apart."""
    times = [part.measured_ms for part in parts]
    if max(times) - min(times) > TOGETHER_MS_MAX:
        return None
    known = signed and all(part.signed for part in parts)
    return Value(value, max(times, key=lambda at: (abs(at - at_ms), at)), derived=True, signed=known)


def _keep(found: dict[Quantity, Value], quantity: Quantity, value: Value | None) -> None:
    if value is not None:
        found[quantity] = value


def summed(parts: Iterable[Values], at_ms: int) -> dict[Quantity, Value]:
    """Return the power of a system from that of all its phases: only what each of them shows.

    Where one of them is not told which way, neither is the sum of its reactive power: it is the most there can be.
    """
    phases = list(parts)
    found: dict[Quantity, Value] = {}
    for quantity in (Quantity.POWER, Quantity.REACTIVE_POWER):
        values = [phase[quantity] for phase in phases if quantity in phase]
        if len(values) == len(phases) > 0:
            signed = all(value.signed for value in values)
            total = sum(value.value if signed else abs(value.value) for value in values)
            _keep(found, quantity, _of(total, at_ms, *values))
    return found


def divided(number: int, by: int) -> int:
    """Divide whole numbers, half to even."""
    quotient, rest = divmod(number, by)
    return quotient + (1 if 2 * rest > by or (2 * rest == by and quotient % 2) else 0)


def root(number: int) -> int:
    """Return the whole number nearest to a square root; no root of a whole number lies half way."""
    return (isqrt(4 * number) + 1) // 2
