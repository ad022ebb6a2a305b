"""A connected system, or a tap of a site, as the watch sees it: its points at one instant, and their sum. Pure."""

from collections.abc import Mapping, Sequence
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
    """Return which phase a point is, 1 to 3; None: it is none, or between two."""
    found = PHASE.fullmatch(point.lower())
    if found is None:
        return None
    digit, abc, rst = found.groups()
    if digit:
        return int(digit)
    return ("abc" if abc else "rst").index(abc or rst) + 1


def seen(system: System, points: Mapping[str, Values], at_ms: int) -> Sight:
    """Return a system with what follows from its values.

    As a whole it draws what it says itself, else what all its phases draw, else what all its points do.
    """
    phases = [point for point in points if phase_of(point) is not None]
    found = {
        point: completed(values, at_ms, one_circuit=not phases or point in phases)
        for point, values in points.items()
        if point != WHOLE_POINT
    }
    own = points.get(WHOLE_POINT, {})
    parts: Sequence[Values] = [found[point] for point in phases or found]
    total = {**summed(parts, at_ms), **own} if parts else own
    if total:
        found[WHOLE_POINT] = completed(total, at_ms, one_circuit=not parts)
    return Sight(system, found)


def draws(sight: Sight) -> bool:
    """Tell whether it is known what a system draws."""
    return Quantity.POWER in sight.whole
