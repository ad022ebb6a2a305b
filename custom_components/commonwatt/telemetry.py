"""Telemetry: what stood at each tap nearest to a boundary, to be sent along where somebody wants it. Pure."""

from collections.abc import Container, Mapping
from decimal import ROUND_HALF_EVEN, Decimal

from .devices.port import Answer, Quantity, Value
from .wire import TELEMETRY_MAX, Telemetry

BOUNDARIES_MAX = 3  # remembered of one tap: the one that ends the open interval, the one before and the one after

type Unit = tuple[str, str, int, float]  # point, the wire's quantity, how many of its units, and what nothing exceeds

POWER: Unit = ("", "power", 1000, 1e9)
UNITS: Mapping[Quantity, Unit] = {
    "voltage_v": ("", "voltage", 1000, 1e6),
    "current_a": ("", "current", 1000, 1e6),
    "reactive_power_var": ("", "reactive_power", 1000, 1e9),
    "power_factor": ("", "power_factor", 1000, 1),
    "frequency_hz": ("", "frequency", 1000, 1000),
    "soc_percent": ("", "soc", 1000, 100),
    "voltage_l1_v": ("l1", "voltage", 1000, 1e6),
    "voltage_l2_v": ("l2", "voltage", 1000, 1e6),
    "voltage_l3_v": ("l3", "voltage", 1000, 1e6),
    "current_l1_a": ("l1", "current", 1000, 1e6),
    "current_l2_a": ("l2", "current", 1000, 1e6),
    "current_l3_a": ("l3", "current", 1000, 1e6),
    "power_l1_w": ("l1", "power", 1000, 1e9),
    "power_l2_w": ("l2", "power", 1000, 1e9),
    "power_l3_w": ("l3", "power", 1000, 1e9),
}


class Gauges:
    """Remembers, tap by tap, the poll nearest to each boundary, until that boundary is closed."""

    def __init__(self, interval_seconds: int) -> None:
        """Know nothing yet."""
        self._interval_ms = interval_seconds * 1000
        self._nearest: dict[str, dict[int, Answer]] = {}

    def heard(self, tap: str, answer: Answer) -> None:
        """Take what a poll brought of one tap."""
        at_ms = answer.raw.at_ms
        end_ms = (at_ms + self._interval_ms // 2) // self._interval_ms * self._interval_ms
        known = self._nearest.setdefault(tap, {})
        if (before := known.get(end_ms)) is None or abs(at_ms - end_ms) < abs(before.raw.at_ms - end_ms):
            known[end_ms] = answer
        while len(known) > BOUNDARIES_MAX:
            del known[min(known)]

    def close(self, end: int, taps: Container[str]) -> tuple[tuple[Telemetry, ...], int]:
        """Return what stood at these taps nearest to boundary `end` (s), and how much of it is too much for a batch.

        What was heard of this boundary and of those before is forgotten.
        """
        found = []
        for tap, known in sorted(self._nearest.items()):
            answer = known.get(end * 1000)
            self._nearest[tap] = {at: each for at, each in known.items() if at > end * 1000}
            if answer is not None and tap in taps:
                said = measured(answer).items()
                found += [Telemetry(answer.raw.at_ms, tap, values, point) for point, values in said]
        return tuple(found[:TELEMETRY_MAX]), max(len(found) - TELEMETRY_MAX, 0)


def measured(answer: Answer) -> dict[str, dict[str, int]]:
    """Return what an answer says in the wire's units, by point and quantity; what cannot be is left out."""
    found: dict[str, dict[str, int]] = {}
    said: list[tuple[Unit, Value | None]] = [(POWER, answer.raw.power_w)]
    said += [(unit, answer.values.get(quantity)) for quantity, unit in UNITS.items()]
    for (point, quantity, scale, most), value in said:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= most:  # nor is NaN
            continue
        units = (Decimal(str(value)) * scale).to_integral_value(ROUND_HALF_EVEN)
        found.setdefault(point, {})[quantity] = int(units)
    return found
