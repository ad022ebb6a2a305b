"""Which taps may be opened for their owner's credit: those whose opening takes nobody else's energy, and no life."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A tap as a cut sees it; `parent` is a tap, or anything else where none is above it.

    `essential` taps (a medical device, a door) stay supplied whatever the balance says.
    """

    owner: str
    parent: str | None
    essential: bool
    has_breaker: bool


def cuttable(taps: Mapping[str, Place]) -> frozenset[str]:
    """Return the taps with a breaker that feeds their own owner only, and nothing essential."""
    spared: set[str] = set()
    for tap, place in taps.items():
        _spare_above(tap, place, taps, spared)
    return frozenset(tap for tap, place in taps.items() if place.has_breaker and tap not in spared)


def _spare_above(tap: str, place: Place, taps: Mapping[str, Place], spared: set[str]) -> None:
    """Spare what feeds this tap if the tap is essential, or of another owner than what feeds it."""
    if place.essential:
        spared.add(tap)
    above = place.parent
    for _ in taps:  # no path is longer: a tree that is a loop by mistake ends too
        if above is None or above not in taps:
            return
        if place.essential or taps[above].owner != place.owner:
            spared.add(above)
        above = taps[above].parent
