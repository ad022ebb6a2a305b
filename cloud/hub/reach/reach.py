"""Whether something lies within a reach. Pure: what is out of reach is then treated as if it were not there."""

from dataclasses import dataclass

from cloud.wire.cable import Place

from .area import Area, holds


@dataclass(frozen=True, slots=True)
class Reach:
    """What a client may read of a community: all of these must hold, and None restricts nothing.

    What has no place lies in no area, what belongs to no site is of none of them.
    """

    kinds: frozenset[str] | None = None
    quantities: frozenset[str] | None = None
    sites: frozenset[str] | None = None
    areas: tuple[Area, ...] | None = None  # at least one of them

    @property
    def whole(self) -> bool:
        """Whether nothing is out of reach."""
        return self == WHOLE


WHOLE = Reach()


def reaches(reach: Reach, *, kind: str, site: str | None, place: Place | None) -> bool:
    """Tell whether a system of this kind, site and place may be read, as far as its quantities may."""
    if reach.kinds is not None and kind not in reach.kinds:
        return False
    if reach.sites is not None and site not in reach.sites:
        return False
    return reach.areas is None or (place is not None and any(holds(area, place) for area in reach.areas))


def reaches_quantity(reach: Reach, quantity: str) -> bool:
    """Tell whether readings of this quantity may be read."""
    return reach.quantities is None or quantity in reach.quantities
