"""Parts of the earth, as questions and reaches name them: a box of degrees or a circle of metres. Pure."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
import re

from cloud.sites.distance import MICRO, distance_m
from cloud.wire.cable import Place

RADIUS_M_MAX = 20_100_000  # half the way round the earth: beyond, a circle holds everything
LATITUDE_MAX = 90 * MICRO
LONGITUDE_MAX = 180 * MICRO
DEGREES = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Box:
    """Between two parallels and two meridians, edges included, in millionths of a degree.

    `west` > `east` is a box across the antimeridian.
    """

    south: int
    west: int
    north: int
    east: int


@dataclass(frozen=True, slots=True)
class Circle:
    """Within so many metres of a place, along the great circle, the edge included."""

    latitude_e6: int
    longitude_e6: int
    metres: int


type Area = Box | Circle


def holds(area: Area, place: Place) -> bool:
    """Tell whether a place lies in an area."""
    match area:
        case Box():
            latitude, longitude = place
            if area.west <= area.east:
                between = area.west <= longitude <= area.east
            else:
                between = longitude >= area.west or longitude <= area.east
            return between and area.south <= latitude <= area.north
        case Circle():
            return distance_m((area.latitude_e6, area.longitude_e6), place) <= area.metres


def box_of(text: str) -> Box:
    """Read `south,west,north,east` in degrees; raises ValueError with what is wrong."""
    parts = text.split(",")
    if len(parts) != 4:
        raise ValueError("is not south,west,north,east in degrees")
    south, north = (_degrees(part, LATITUDE_MAX) for part in (parts[0], parts[2]))
    west, east = (_degrees(part, LONGITUDE_MAX) for part in (parts[1], parts[3]))
    if south > north:
        raise ValueError("its south lies north of its north")
    return Box(south, west, north, east)


def circle_of(text: str) -> Circle:
    """Read `latitude,longitude,metres`; raises ValueError with what is wrong."""
    parts = text.split(",")
    if len(parts) != 3:
        raise ValueError("is not latitude,longitude,metres")
    if not re.fullmatch(r"[0-9]{1,9}", parts[2]) or not 0 < int(parts[2]) <= RADIUS_M_MAX:
        raise ValueError(f"its metres are not a whole number from 1 to {RADIUS_M_MAX}")
    return Circle(_degrees(parts[0], LATITUDE_MAX), _degrees(parts[1], LONGITUDE_MAX), int(parts[2]))


def _degrees(text: str, most: int) -> int:
    if not DEGREES.fullmatch(text):
        raise ValueError("holds what are no degrees")
    try:
        found = int((Decimal(text) * MICRO).to_integral_value())
    except InvalidOperation:
        raise ValueError("holds what are no degrees") from None
    if abs(found) > most:
        raise ValueError(f"holds degrees beyond {most // MICRO}")
    return found


def area_text(area: Area) -> str:
    """Write an area as `box_of` or `circle_of` read it."""
    match area:
        case Box():
            return ",".join(_text(value) for value in (area.south, area.west, area.north, area.east))
        case Circle():
            return f"{_text(area.latitude_e6)},{_text(area.longitude_e6)},{area.metres}"


def _text(degrees_e6: int) -> str:
    return f"{Decimal(degrees_e6) / MICRO:f}"
