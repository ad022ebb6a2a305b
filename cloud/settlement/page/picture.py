"""The picture on a statement: bars over time, above the line what was used, below it what was supplied."""

from collections.abc import Sequence
from dataclasses import dataclass

from .sheet import Part

WIDTH, HEIGHT = 720, 180  # in the picture's own units; it is scaled to the page
BARS_MIN = 24  # a bar is never wider than this part of the picture
BARS_MAX = 400  # more would be thinner than a pixel: neighbours are drawn as one


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of one bar: where it lies in the picture, of what it is, and which part it tells of."""

    x: float
    y: float
    width: float
    height: float
    of: str
    part: Part


@dataclass(frozen=True, slots=True)
class Picture:
    """The bars, and where the line of nothing lies."""

    bars: tuple[Bar, ...]
    zero_y: float
    highest_wh: int


def picture(parts: Sequence[Part]) -> Picture | None:
    """Return the picture of these parts, None where there is nothing to see."""
    drawn = parts[-BARS_MAX:]
    up = max((part.flows.used_wh for part in drawn), default=0)
    down = max((part.flows.supplied_wh for part in drawn), default=0)
    if up + down == 0:
        return None
    scale, width = HEIGHT / (up + down), WIDTH / max(len(drawn), BARS_MIN)
    zero = up * scale
    bars = [bar for place, part in enumerate(drawn) for bar in _bars(part, place * width, width * 0.85, zero, scale)]
    return Picture(tuple(bars), round(zero, 2), max(up, down))


def _bars(part: Part, x: float, width: float, zero: float, scale: float) -> list[Bar]:
    flows = part.flows
    found, top, bottom = [], zero, zero
    for of, used_wh, supplied_wh in (
        ("near", flows.near_in_wh, flows.near_out_wh),
        ("grid", flows.grid_in_wh, flows.grid_out_wh),
    ):
        if used_wh:
            top -= used_wh * scale
            found.append(_bar((x, top), (width, used_wh * scale), of, part))
        if supplied_wh:
            found.append(_bar((x, bottom), (width, supplied_wh * scale), of, part))
            bottom += supplied_wh * scale
    return found


def _bar(corner: tuple[float, float], size: tuple[float, float], of: str, part: Part) -> Bar:
    x, y, width, height = (round(number, 2) for number in (*corner, *size))
    return Bar(x, y, width, height, of, part)
