"""Credit: whether an owner is supplied, which taps a cut may open, and when a breaker moves. Pure."""

from .branch import Place, cuttable
from .breaker import DWELL_SECONDS, Held, Step, step
from .reserve import Price, Spent, left_micro, reserve_wh
from .verdict import Reason, is_cut, judge

__all__ = [
    "DWELL_SECONDS",
    "Held",
    "Place",
    "Price",
    "Reason",
    "Spent",
    "Step",
    "cuttable",
    "is_cut",
    "judge",
    "left_micro",
    "reserve_wh",
    "step",
]
