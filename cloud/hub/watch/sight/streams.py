"""Puts what several streams measured near an instant into one picture: of each quantity the nearest value. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloud.hub.quantity import Quantity
from cloud.hub.watch.physics import PHYSICAL, Value

type Row = tuple[str, str, str, int, int]  # the system's key, point, quantity, measured_ms, value
type Picture = Mapping[str, Mapping[str, Mapping[Quantity, Value]]]


@dataclass(frozen=True, slots=True)
class Instant:
    """An instant, how far from it a value may lie, and which quantities are looked for."""

    at_ms: int
    within_ms: int
    quantities: frozenset[Quantity] = frozenset(PHYSICAL)


def nearest(rows: Iterable[Row], at_ms: int) -> dict[str, dict[str, dict[Quantity, Value]]]:
    """Return the value nearest to an instant by system, point and quantity; of two as near, the earlier one."""
    found: defaultdict[str, defaultdict[str, dict[Quantity, Value]]] = defaultdict(lambda: defaultdict(dict))
    for key, point, name, measured_ms, value in rows:
        values, quantity = found[key][point], Quantity(name)
        before = values.get(quantity)
        if before is None or _rank(measured_ms, at_ms) < _rank(before.measured_ms, at_ms):
            values[quantity] = Value(value, measured_ms)
    return {key: dict(points) for key, points in found.items()}


def _rank(measured_ms: int, at_ms: int) -> tuple[int, int]:
    return abs(measured_ms - at_ms), measured_ms
