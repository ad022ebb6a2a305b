"""Visiting meters: one that comes and goes with a car is counted from its first read here until it is gone.

What it counted while nobody here read it over a whole interval may have flowed anywhere.
"""

from dataclasses import replace

from .interval import Boundary, TapInterval, TapMeter, close


def close_visiting(meter: TapMeter, end: int, poll_ms: int) -> tuple[TapMeter, TapInterval | None]:
    """Close the boundary `end` (s) of a meter that may come and go.

    The interval in which it was read first counts from that read on, and is an estimate. After an interval without a
    read it begins anew.
    """
    after, interval = close(_opened(meter, end), end, poll_ms)
    if interval is None or interval.quality != "missing":
        return after, interval
    return replace(after, closed=None, points=tuple(point for point in after.points if point.at_ms > end * 1000)), None


def _opened(meter: TapMeter, end: int) -> TapMeter:
    """Return the meter with the interval that ends at `end` open from its first read on, if it came in it."""
    if meter.closed is not None or not meter.points:
        return meter
    first = meter.points[0]
    start = end - meter.seconds
    if not start * 1000 <= first.at_ms < end * 1000:
        return meter
    return replace(meter, closed=Boundary(start, first.import_wh, first.export_wh, exact=first.at_ms == start * 1000))
