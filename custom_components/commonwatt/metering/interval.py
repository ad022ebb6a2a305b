"""Intervals: a tap's readings cut at the boundaries, so that energies always add up to what its registers moved.

The register at a boundary is the linear interpolation of the two reads around it, floored, when these are at most one
interval apart. Over a longer hole nothing is spread: the register stays what was last read, and the interval in which
the meter is found again carries the whole difference.
"""

from dataclasses import dataclass, replace

from ..wire import Quality
from .reading import Gate, Limits, RawReading, Reading, Refused, Reset, judge, known


@dataclass(frozen=True, slots=True)
class Boundary:
    """A tap's registers at a closed boundary `at`, in s; `exact` if reads at most two polls apart bracket it."""

    at: int
    import_wh: int
    export_wh: int
    exact: bool


@dataclass(frozen=True, slots=True)
class TapInterval:
    """What a tap carried in [start, start + seconds), its registers (import, export) at the end, and how sure it is."""

    start: int
    seconds: int
    import_wh: int
    export_wh: int
    register_wh: tuple[int, int]
    quality: Quality


@dataclass(frozen=True, slots=True)
class Point:
    """Registers at an instant; `run` counts the resets before it, and no energy passes from one run to the next."""

    at_ms: int
    import_wh: int
    export_wh: int
    run: int


@dataclass(frozen=True, slots=True)
class TapMeter:
    """One tap's metering as a value: the boundary closed last and the points that later boundaries need.

    Of each interval and run only the first and the last point are kept, so the size does not grow with polling. Once a
    boundary is closed, the first point is the last one at or before it. What is `integrated` from power is an estimate.
    """

    seconds: int
    gate: Gate
    closed: Boundary | None
    points: tuple[Point, ...]
    integrated: bool = False


def begin(seconds: int, closed: Boundary | None, *, integrated: bool = False) -> TapMeter:
    """Start metering in intervals of `seconds`, from the boundary kept of an earlier run if there is one.

    A boundary that is none of this interval length holds to the next that is: its energy is found again after it. The
    intervals of a meter `integrated` from power are never better than estimated.
    """
    if closed is None:
        return TapMeter(seconds, Gate(), None, (), integrated)
    at_ms = closed.at * 1000
    gate = known(at_ms, closed.import_wh, closed.export_wh, exact=closed.exact)
    if late := -closed.at % seconds:
        closed = replace(closed, at=closed.at + late, exact=False)
    points = (Point(at_ms, closed.import_wh, closed.export_wh, run=0),)
    return TapMeter(seconds, gate, closed, points, integrated)


def exchange(meter: TapMeter) -> TapMeter:
    """Go on with another meter in the place of this one: nothing is counted from the one's registers to the other's."""
    return replace(meter, gate=replace(meter.gate, doubtful=(), exchanged=True))


def take(meter: TapMeter, raw: RawReading, limits: Limits) -> tuple[TapMeter, Reading | Refused | Reset]:
    """Judge a read and keep what it tells; a refused one leaves the registers untouched."""
    gate, verdict = judge(meter.gate, raw, limits)
    run = meter.points[-1].run if meter.points else 0
    match verdict:
        case Refused():
            return replace(meter, gate=gate), verdict
        case Reading():
            point = Point(verdict.at_ms, verdict.import_wh, verdict.export_wh, run)
        case Reset():
            point = Point(verdict.at_ms, *verdict.after_wh, run + 1)
    return replace(meter, gate=gate, points=_with(meter.points, point, meter.seconds)), verdict


def ready(meter: TapMeter, end: int) -> bool:
    """Say whether boundary `end` can be closed as well as it ever will: a read at or after it is there.

    A meter that was never read has nothing to wait for.
    """
    return (
        not meter.points
        or meter.points[-1].at_ms >= end * 1000
        or (meter.closed is not None and meter.closed.at >= end)
    )


def close(meter: TapMeter, end: int, poll_ms: int) -> tuple[TapMeter, TapInterval | None]:
    """Close the boundary `end` (s), after every earlier one, with what is known by now.

    There is no interval up to a tap's opening boundary, which is the first one after its first read.
    """
    boundary = _boundary(meter, end, poll_ms)
    if boundary is None or (meter.closed is not None and end <= meter.closed.at):
        return meter, None
    interval = None if meter.closed is None else _interval(meter, meter.closed, boundary)
    needed = sum(1 for point in meter.points if point.at_ms <= end * 1000) - 1
    return replace(meter, closed=boundary, points=meter.points[needed:]), interval


def _with(points: tuple[Point, ...], point: Point, seconds: int) -> tuple[Point, ...]:
    """Append a point; between the first and the last of one interval and run none is needed."""
    if len(points) >= 2:
        places = {(item.at_ms // (seconds * 1000), item.run) for item in (*points[-2:], point)}
        if len(places) == 1:
            points = points[:-1]
    return (*points, point)


def _boundary(meter: TapMeter, end: int, poll_ms: int) -> Boundary | None:
    """Return the registers at `end`; None before the first read."""
    end_ms = end * 1000
    before = next((point for point in reversed(meter.points) if point.at_ms <= end_ms), None)
    after = next((point for point in meter.points if point.at_ms >= end_ms), None)
    if before is None:
        return None
    held = Boundary(end, before.import_wh, before.export_wh, exact=before.at_ms == end_ms)
    if held.exact or after is None or after.run != before.run:
        return held
    gap_ms, passed_ms = after.at_ms - before.at_ms, end_ms - before.at_ms
    if gap_ms > meter.seconds * 1000:
        return held
    return Boundary(
        at=end,
        import_wh=before.import_wh + (after.import_wh - before.import_wh) * passed_ms // gap_ms,
        export_wh=before.export_wh + (after.export_wh - before.export_wh) * passed_ms // gap_ms,
        exact=gap_ms <= 2 * poll_ms,
    )


def _interval(meter: TapMeter, closed: Boundary, boundary: Boundary) -> TapInterval:
    """Return the interval from the boundary closed before to this one; a reset counts what was read before it.

    A read that came too late for the boundary closed before counts here.
    """
    start = boundary.at - meter.seconds
    inside = [point for point in meter.points if point.at_ms <= boundary.at * 1000]
    old_run = [point for point in inside if point.run == inside[0].run]
    reset = len(old_run) < len(inside)
    last = old_run[-1] if reset else boundary
    import_wh, export_wh = last.import_wh - closed.import_wh, last.export_wh - closed.export_wh
    quality: Quality = "estimated"
    if reset:
        quality = "reset"
    elif inside[-1].at_ms <= start * 1000 and import_wh == export_wh == 0:
        quality = "missing"
    elif closed.exact and closed.at == start and boundary.exact and not meter.integrated:
        quality = "ok"
    registers_wh = boundary.import_wh, boundary.export_wh
    return TapInterval(start, meter.seconds, import_wh, export_wh, registers_wh, quality)
