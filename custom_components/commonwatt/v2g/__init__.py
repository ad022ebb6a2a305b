"""V2G: what a cable signed is believed by its known key alone, and held against the site's meter. Pure."""

from .agreement import UNKNOWN, Agreement, Tolerance, compare
from .coverage import Learnt
from .memory import memory_of, memory_text
from .period import CableReading, Memory, Periods, SiteReading, periods
from .signed import key_of, verify

__all__ = [
    "UNKNOWN",
    "Agreement",
    "CableReading",
    "Learnt",
    "Memory",
    "Periods",
    "SiteReading",
    "Tolerance",
    "compare",
    "key_of",
    "memory_of",
    "memory_text",
    "periods",
    "verify",
]
