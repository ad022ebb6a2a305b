"""How far apart two places are, on a sphere (haversine): right to half a percent, which a bound of 200 m can bear."""

from math import asin, cos, radians, sin, sqrt

from cloud.wire.cable import Place

EARTH_M = 6_371_009  # mean radius, IUGG
MICRO = 1_000_000  # millionths of a degree in a degree


def distance_m(one: Place, other: Place) -> int:
    """Return the distance between two places in whole metres, the shorter way round."""
    (latitude, longitude), (other_latitude, other_longitude) = _radians(one), _radians(other)
    across = sin((other_latitude - latitude) / 2) ** 2
    along = sin((other_longitude - longitude) / 2) ** 2
    chord = across + cos(latitude) * cos(other_latitude) * along
    return round(2 * EARTH_M * asin(sqrt(min(1.0, chord))))


def farthest_m(registered: Place | None, told: tuple[Place | None, ...]) -> int | None:
    """Return how far from the registered place the farthest of some places is; None where nothing can be compared."""
    if registered is None:
        return None
    return max((distance_m(registered, place) for place in told if place is not None), default=None)


def _radians(place: Place) -> tuple[float, float]:
    return radians(place[0] / MICRO), radians(place[1] / MICRO)
