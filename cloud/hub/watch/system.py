"""A connected system, or a tap of a site, as the watch sees it: its points at one instant, and their sum. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import re

from cloud.hub.quantity import Quantity

from .physics import Values, completed, summed

WHOLE_POINT = ""  # the system as a whole
PHASE = re.compile(r"(?:(?:l|phase[-_ ]?)([123])|([abc])|([rst]))(?:[-_]?n)?")  # l1, L2-N, phase-3, a, R


@dataclass(frozen=True, slots=True)
class System:
    """What is watched: a device (`site` where it stands, if that is known) or a tap of a site.

    `key` is unique among both: the device's id, or site/tap. A `root` tap has no other before it at its site.
    """

    key: str
    device: str
    kind: str
    site: str | None = None
    root: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """A system at an instant: the values of each of its points, with what follows from them."""

    system: System
    points: Mapping[str, Values]

    @property
    def whole(self) -> Values:
        """What holds of the system as a whole."""
        return self.points.get(WHOLE_POINT, {})

    @property
    def circuits(self) -> dict[str, Values]:
        """Its points that are single circuits: the phases where it has any, else all of them."""
        phases = {point: values for point, values in self.points.items() if phase_of(point) is not None}
        return phases or dict(self.points)


def phase_of(point: str) -> int | None:
    """Return which phase a point is, 1 to 3; None: it is none, or between two. `203/L2` is the second of `203`."""
    found = PHASE.fullmatch(point.rpartition("/")[2].lower())
    if found is None:
        return None
    digit, abc, rst = found.groups()
    if digit:
        return int(digit)
    return ("abc" if abc else "rst").index(abc or rst) + 1


def seen(system: System, points: Mapping[str, Values], at_ms: int) -> Sight:
    """Return a system with what follows from its values.

    As a whole it draws what it says itself, else what all its phases draw, else what all its points do; and so does
    each point that has phases. What stands behind a slash is part of the point before it, and not counted again.
    """
    phases: defaultdict[str, list[str]] = defaultdict(list)
    for point in points:
        if phase_of(point) is not None:
            phases[point.rpartition("/")[0]].append(point)
    found: dict[str, Values] = {}
    for point, values in points.items():
        if point != WHOLE_POINT and point not in phases:
            alone = phase_of(point) is not None or not phases.get(point.rpartition("/")[0])
            found[point] = completed(values, at_ms, one_circuit=alone)
    for point in phases.keys() - {WHOLE_POINT}:
        own = {**summed([found[phase] for phase in phases[point]], at_ms), **points.get(point, {})}
        found[point] = completed(own, at_ms, one_circuit=False)
    parts = phases.get(WHOLE_POINT) or [point for point in found if found.keys().isdisjoint(_before(point))]
    own = {**summed([found[part] for part in parts], at_ms), **points.get(WHOLE_POINT, {})}
    if own:
        found[WHOLE_POINT] = completed(own, at_ms, one_circuit=not parts)
    return Sight(system, found)


def _before(point: str) -> Iterator[str]:
    """Yield the points that a point is part of."""
    while "/" in point:
        point = point.rpartition("/")[0]
        yield point


def draws(sight: Sight) -> bool:
    """Tell whether it is known what a system draws."""
    return Quantity.POWER in sight.whole
