"""Metering: readings judged, cut into intervals at the boundaries, and netted over the tap tree. Pure."""

from .interval import Boundary, TapInterval, TapMeter, begin, close, ready, take
from .netting import Netting, net
from .reading import Limits, RawReading, Reading, Refused, RefusedReason, Reset
from .spread import gaps, spread
from .tree import TapTree, TreeError, plant

__all__ = [
    "Boundary",
    "Limits",
    "Netting",
    "RawReading",
    "Reading",
    "Refused",
    "RefusedReason",
    "Reset",
    "TapInterval",
    "TapMeter",
    "TapTree",
    "TreeError",
    "begin",
    "close",
    "gaps",
    "net",
    "plant",
    "ready",
    "spread",
    "take",
]
