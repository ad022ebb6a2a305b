"""Metering: readings judged, cut into intervals at the boundaries, and netted over the tap tree. Pure."""

from .carry import Carry, carried
from .integral import Integral, integrate, register_wh
from .interval import Boundary, TapInterval, TapMeter, begin, close, exchange, ready, take
from .netting import Netting, net
from .reading import Limits, RawReading, Reading, Refused, RefusedReason, Reset
from .spread import gaps, spread
from .standing import Standing, stand
from .tree import TapTree, TreeError, plant
from .visiting import close_visiting

__all__ = [
    "Boundary",
    "Carry",
    "Integral",
    "Limits",
    "Netting",
    "RawReading",
    "Reading",
    "Refused",
    "RefusedReason",
    "Reset",
    "Standing",
    "TapInterval",
    "TapMeter",
    "TapTree",
    "TreeError",
    "begin",
    "carried",
    "close",
    "close_visiting",
    "exchange",
    "gaps",
    "integrate",
    "net",
    "plant",
    "ready",
    "register_wh",
    "spread",
    "stand",
    "take",
]
