"""Spreading: a gap's energy, measured but not when, is laid evenly over the intervals it passed in, if asked for."""

from collections.abc import Sequence
from dataclasses import replace

from ..wire import Quality
from .interval import TapInterval


def gaps(qualities: Sequence[Quality]) -> list[range]:
    """Return each run of missing intervals together with the estimated one that carries the energy of them all."""
    found, first = list[range](), None
    for place, quality in enumerate(qualities):
        if quality == "missing":
            first = place if first is None else first
            continue
        if quality == "estimated" and first is not None:
            found.append(range(first, place + 1))
        first = None
    return found


def spread(gap: Sequence[TapInterval]) -> list[TapInterval]:
    """Lay a gap's energy evenly over its intervals, each estimated; registers begin and end where they did.

    What does not divide goes to the earliest, a Wh each. Nothing is made and nothing lost.
    """
    imports = _even(sum(item.import_wh for item in gap), len(gap))
    exports = _even(sum(item.export_wh for item in gap), len(gap))
    last = gap[-1].register_wh
    register = last[0] - sum(imports), last[1] - sum(exports)
    found = []
    for item, import_wh, export_wh in zip(gap, imports, exports, strict=True):
        register = register[0] + import_wh, register[1] + export_wh
        found.append(replace(item, import_wh=import_wh, export_wh=export_wh, register_wh=register, quality="estimated"))
    return found


def _even(amount: int, parts: int) -> list[int]:
    each, left = divmod(amount, parts)
    return [each + (place < left) for place in range(parts)]
