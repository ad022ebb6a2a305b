"""Intervals cut at the boundaries: where energy is placed, how sure it is, and that none is lost or invented."""

from collections.abc import Iterable
from dataclasses import dataclass, field
import math

from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
import hypothesis.strategies as st
import pytest

from custom_components.commonwatt.metering import (
    Boundary,
    Limits,
    RawReading,
    Reading,
    Refused,
    Reset,
    TapInterval,
    TapMeter,
    begin,
    close,
    ready,
    take,
)

LENGTH = 60
POLL_S = 10
POLL_MS = POLL_S * 1000
LIMITS = Limits(rated_power_w=10_000)


def read(meter: TapMeter, *reads: tuple[float, int]) -> TapMeter:
    """Take reads of (second, import register) that must all be believed."""
    for second, register in reads:
        meter, verdict = take(meter, RawReading(round(second * 1000), register, 0), LIMITS)
        assert isinstance(verdict, Reading)
    return meter


def close_all(meter: TapMeter, ends: Iterable[int]) -> tuple[TapMeter, list[TapInterval]]:
    """Close boundaries in order and return the intervals."""
    intervals = []
    for end in ends:
        meter, interval = close(meter, end, POLL_MS)
        if interval is not None:
            intervals.append(interval)
    return meter, intervals


def opened(register: int = 1000) -> TapMeter:
    """Return a meter whose opening boundary at 60 s is exact."""
    meter, interval = close(read(begin(LENGTH, None), (60, register)), 60, POLL_MS)
    assert interval is None
    return meter


def test_the_first_boundary_after_the_first_reading_opens() -> None:
    """Before it nothing was measured, so there is no interval that ends there."""
    meter = begin(LENGTH, None)
    assert ready(meter, 60)
    meter, interval = close(meter, 60, POLL_MS)
    assert (interval, meter.closed) == (None, None)

    meter = read(meter, (95, 1000))
    assert not ready(meter, 120)
    meter = read(meter, (115, 1010), (125, 1020))
    assert ready(meter, 120)
    meter, interval = close(meter, 120, POLL_MS)
    assert (interval, meter.closed) == (None, Boundary(120, 1015, 0, exact=True))


def test_a_boundary_before_the_first_reading_does_not_open() -> None:
    """A tap added a moment after the boundary waits for the next one."""
    meter = read(begin(LENGTH, None), (61, 1000))
    assert ready(meter, 60)
    meter, interval = close(meter, 60, POLL_MS)
    assert (interval, meter.closed) == (None, None)


def test_the_register_at_a_boundary_is_interpolated_and_floored() -> None:
    """A poll never falls on the boundary; what was between two reads is shared in proportion to time."""
    meter = read(opened(), (70, 1010), (117, 1050), (127, 1069))
    meter, interval = close(meter, 120, POLL_MS)
    assert interval == TapInterval(60, LENGTH, 55, 0, (1055, 0), "ok")
    assert meter.closed == Boundary(120, 1055, 0, exact=True)


def test_a_reading_on_the_boundary_is_the_boundary() -> None:
    """It ends one interval and begins the next, and no neighbour can shift it."""
    meter = read(opened(), (110, 1010), (120, 1020), (130, 1040))
    _, interval = close(meter, 120, POLL_MS)
    assert interval == TapInterval(60, LENGTH, 20, 0, (1020, 0), "ok")


def test_missed_polls_inside_an_interval_lose_nothing() -> None:
    """Only the ends matter: registers are cumulative."""
    meter = read(opened(), (118, 1100), (121, 1106))
    _, interval = close(meter, 120, POLL_MS)
    assert interval == TapInterval(60, LENGTH, 104, 0, (1104, 0), "ok")


@pytest.mark.parametrize(("back", "quality"), [(130, "ok"), (131, "estimated")])
def test_an_end_between_reads_more_than_two_polls_apart_is_estimated(back: int, quality: str) -> None:
    """The energy is measured, its place in time is not exactly."""
    meter = read(opened(), (110, 1000), (back, 1000 + (back - 110)))
    _, interval = close(meter, 120, POLL_MS)
    assert interval == TapInterval(60, LENGTH, 10, 0, (1010, 0), quality)  # type: ignore[arg-type]


def test_an_estimated_end_is_an_estimated_beginning_too() -> None:
    """Both neighbours of a boundary that is not exact are estimated, the one after them is ok again."""
    meter = read(opened(), (100, 1000), (130, 1030), (179, 1060), (181, 1062), (239, 1070), (241, 1072))
    _, intervals = close_all(meter, (120, 180, 240))
    assert [interval.quality for interval in intervals] == ["estimated", "estimated", "ok"]
    assert [interval.import_wh for interval in intervals] == [20, 41, 10]


def test_a_silent_device_holds_its_register_and_is_found_again() -> None:
    """Over a hole longer than an interval nothing is spread: missing, missing, then everything at once, estimated."""
    meter = read(opened(), (70, 1010))
    meter, quiet = close_all(meter, (120, 180, 240))
    assert [(i.import_wh, i.register_wh, i.quality) for i in quiet] == [
        (10, (1010, 0), "estimated"),
        (0, (1010, 0), "missing"),
        (0, (1010, 0), "missing"),
    ]
    meter = read(meter, (250, 1200), (299, 1300), (301, 1302), (359, 1310), (361, 1312))
    _, found = close_all(meter, (300, 360))
    assert found == [
        TapInterval(240, LENGTH, 291, 0, (1301, 0), "estimated"),
        TapInterval(300, LENGTH, 10, 0, (1311, 0), "ok"),
    ]


def test_a_device_found_again_exactly_on_a_boundary_catches_up_there() -> None:
    """The reading ends the interval before it, which carries the difference."""
    meter, _ = close_all(opened(), (120, 180))
    meter = read(meter, (240, 1500))
    _, interval = close(meter, 240, POLL_MS)
    assert interval == TapInterval(180, LENGTH, 500, 0, (1500, 0), "estimated")


def test_boundaries_passed_while_the_program_was_off_are_closed_in_order() -> None:
    """The kept boundary goes on: nothing is known of the time between, and the difference is found again after it."""
    meter = read(begin(LENGTH, Boundary(120, 1000, 0, exact=True)), (333, 1600))
    assert ready(meter, 180)
    meter, intervals = close_all(meter, (180, 240, 300))
    assert [interval.quality for interval in intervals] == ["missing"] * 3
    meter = read(meter, (359, 1680), (361, 1682))
    _, interval = close(meter, 360, POLL_MS)
    assert interval == TapInterval(300, LENGTH, 681, 0, (1681, 0), "estimated")


def test_a_short_restart_within_an_interval_costs_nothing() -> None:
    """Begun again from the kept boundary, with reads on both sides of the next, the interval is ok."""
    meter = read(begin(LENGTH, Boundary(120, 1000, 0, exact=True)), (175, 1050), (185, 1070))
    _, interval = close(meter, 180, POLL_MS)
    assert interval == TapInterval(120, LENGTH, 60, 0, (1060, 0), "ok")


def test_a_meter_is_ready_only_with_a_reading_at_or_after_the_boundary() -> None:
    """The pump waits for it, but not for a meter that was never read."""
    meter = opened()
    assert ready(meter, 60)
    assert not ready(meter, 120)
    assert not ready(read(meter, (119, 1001)), 120)
    assert ready(read(meter, (120, 1001)), 120)


def test_a_reset_counts_the_energy_before_it_and_starts_from_the_new_register() -> None:
    """No interval is ever negative, and nothing is counted across the exchange."""
    meter = read(opened(), (70, 1030))
    for second, register in ((80, 3), (90, 13), (100, 23)):
        meter, verdict = take(meter, RawReading(second * 1000, register, 0), LIMITS)
    assert verdict == Reset(100_000, (1030, 0), (23, 0))
    meter = read(meter, (115, 30), (125, 40), (179, 50), (181, 52))
    _, intervals = close_all(meter, (120, 180))
    assert intervals == [
        TapInterval(60, LENGTH, 30, 0, (35, 0), "reset"),
        TapInterval(120, LENGTH, 16, 0, (51, 0), "ok"),
    ]


def test_a_boundary_between_the_old_and_the_new_register_is_not_interpolated() -> None:
    """Between two meters there is no line: the old register holds, and the reset falls into the next interval."""
    meter = read(opened(), (110, 1040))
    for second, register in ((115, 3), (125, 13), (135, 23)):
        meter, _ = take(meter, RawReading(second * 1000, register, 0), LIMITS)
    meter = read(meter, (179, 50), (181, 52))
    _, intervals = close_all(meter, (120, 180))
    assert intervals == [
        TapInterval(60, LENGTH, 40, 0, (1040, 0), "estimated"),
        TapInterval(120, LENGTH, 0, 0, (51, 0), "reset"),
    ]


def test_a_reset_during_a_silence_counts_nothing_across_it() -> None:
    """The meter comes back with another register: the interval of its return is the reset, with no energy."""
    meter, _ = close_all(opened(), (120, 180))
    for second, register in ((200, 3), (210, 13), (220, 23)):
        meter, _ = take(meter, RawReading(second * 1000, register, 0), LIMITS)
    meter = read(meter, (239, 50), (241, 52))
    _, interval = close(meter, 240, POLL_MS)
    assert interval == TapInterval(180, LENGTH, 0, 0, (51, 0), "reset")


def test_a_clock_that_went_back_changes_no_interval() -> None:
    """Reads from before the last one are refused, so a boundary that is closed stays closed."""
    meter = read(opened(), (118, 1100), (121, 1106))
    for second in (61, 90, 118):
        meter, verdict = take(meter, RawReading(second * 1000, 9999, 0), LIMITS)
        assert verdict == Refused(second * 1000, "out_of_order")
    assert close(meter, 120, POLL_MS)[1] == TapInterval(60, LENGTH, 104, 0, (1104, 0), "ok")


def test_a_read_too_late_for_its_interval_counts_in_the_next() -> None:
    """A slow answer, stamped before a boundary that could not wait for it, is energy of uncertain time, never lost."""
    meter, [first] = close_all(opened(), [120])
    assert first == TapInterval(60, LENGTH, 0, 0, (1000, 0), "missing")
    _, second = close(read(meter, (110, 1050)), 180, POLL_MS)
    assert second == TapInterval(120, LENGTH, 50, 0, (1050, 0), "estimated")


def test_another_interval_length_begins_at_its_own_next_boundary() -> None:
    """The register holds until there, and the first interval of the new length carries what passed meanwhile."""
    meter = begin(120, Boundary(180, 1000, 0, exact=True))
    assert meter.closed == Boundary(240, 1000, 0, exact=False)
    meter = read(meter, (200, 1010), (239, 1049), (241, 1051), (359, 1100), (361, 1102))
    meter, interval = close(meter, 240, POLL_MS)
    assert interval is None
    assert close(meter, 360, POLL_MS)[1] == TapInterval(240, 120, 101, 0, (1101, 0), "estimated")


def test_a_meter_whose_boundary_is_older_than_the_interval_catches_up_as_estimated() -> None:
    """Where earlier boundaries were not closed for it, the first interval carries all since, and says so."""
    meter = read(begin(LENGTH, Boundary(120, 1000, 0, exact=True)), (299, 1100), (301, 1102))
    assert close(meter, 300, POLL_MS)[1] == TapInterval(240, LENGTH, 101, 0, (1101, 0), "estimated")


def test_a_meter_does_not_grow_with_polling() -> None:
    """A day of polls that nobody closes leaves two points for each interval."""
    meter = read(begin(LENGTH, None), *((second, second) for second in range(0, 86_400, POLL_S)))
    assert len(meter.points) <= 2 * 86_400 / LENGTH


@dataclass
class Watched:
    """What a pump saw of one tap: every verdict with the time from which it counts, every boundary and interval."""

    verdicts: list[tuple[int, Reading | Reset]] = field(default_factory=list)
    boundaries: list[Boundary] = field(default_factory=list)
    intervals: list[TapInterval] = field(default_factory=list)


class PumpAndMeter(RuleBasedStateMachine):
    """A pump that polls a device which may fall silent, be exchanged, talk nonsense, or outlive the program."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.register = [0, 0]
        self.meter = begin(LENGTH, None)
        self.seen = Watched()
        self.life = 0  # index of the first verdict since the program started last
        self.next_end = LENGTH

    @initialize(start=st.integers(0, LENGTH), registers=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)))
    def begin_anywhere(self, start: int, registers: tuple[int, int]) -> None:
        """Start the program at any second, with any registers."""
        self.now, self.register = start, list(registers)
        self.next_end = (start // LENGTH + 1) * LENGTH

    def pass_time(self, seconds: int, flow: int) -> None:
        """Let the device count; a flow of energy within its rating goes into one of both registers."""
        self.now += seconds
        self.register[flow % 2] += flow * seconds // 5

    @property
    def closed_ms(self) -> int:
        """When the boundary closed last was."""
        return self.meter.closed.at * 1000 if self.meter.closed else -2

    def poll(self, raw: RawReading) -> None:
        """Read once, then close what can be closed."""
        self.meter, verdict = take(self.meter, raw, LIMITS)
        if not isinstance(verdict, Refused):
            self.seen.verdicts.append((max(verdict.at_ms, self.closed_ms + 1), verdict))
        self.pump()

    def pump(self) -> None:
        """Close boundaries in order, when the meter is ready or two polls are over."""
        while self.now >= self.next_end and (
            ready(self.meter, self.next_end) or self.now >= self.next_end + 2 * POLL_S
        ):
            self.meter, interval = close(self.meter, self.next_end, POLL_MS)
            if interval is not None:
                self.seen.intervals.append(interval)
            if self.meter.closed is not None and self.meter.closed.at == self.next_end:
                self.seen.boundaries.append(self.meter.closed)
                self.check_bracket(self.meter.closed)
            self.next_end += LENGTH

    @rule(gaps=st.lists(st.integers(1, 25), min_size=1, max_size=12), flow=st.integers(0, 12))
    def good_polls(self, gaps: list[int], flow: int) -> None:
        """Let the device answer, more or less in time."""
        for gap in gaps:
            self.pass_time(gap, flow)
            self.poll(RawReading(self.now * 1000, self.register[0], self.register[1]))

    @rule(seconds=st.integers(1, 5 * LENGTH), flow=st.integers(0, 12))
    def silence(self, seconds: int, flow: int) -> None:
        """Let the device count without answering; the pump goes on."""
        for _ in range(seconds // POLL_S + 1):
            self.pass_time(POLL_S, flow)
            self.poll(RawReading(self.now * 1000, None, None))

    @rule(base=st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)))
    def exchange(self, base: tuple[int, int]) -> None:
        """Somebody puts in another meter."""
        self.register = list(base)

    @rule(back_s=st.integers(1, 200))
    def late(self, back_s: int) -> None:
        """Let a slow answer arrive when its time has been closed already."""
        self.pass_time(back_s, 0)
        while self.now >= self.next_end + 2 * POLL_S:
            self.pump()
        self.poll(RawReading((self.now - back_s) * 1000, self.register[0], self.register[1]))

    @rule(garbage=st.tuples(st.integers(-5, 10**8), st.integers(-5, 10**8)), back_s=st.integers(0, 200))
    def nonsense(self, garbage: tuple[int, int], back_s: int) -> None:
        """One read is garbled, or stamped by a clock that went back."""
        self.pass_time(1, 0)
        self.poll(RawReading((self.now - back_s) * 1000, *garbage))

    @rule(off_s=st.integers(0, 4 * LENGTH), flow=st.integers(0, 12))
    def restart(self, off_s: int, flow: int) -> None:
        """Forget everything but the boundary closed last."""
        self.pass_time(off_s, flow)
        self.meter = begin(LENGTH, self.meter.closed)
        self.seen.verdicts = [item for item in self.seen.verdicts if item[0] <= self.closed_ms]
        self.life = len(self.seen.verdicts)

    def check_bracket(self, boundary: Boundary) -> None:
        """Hold a boundary's register between the reads around it, and on the last one if there is no next."""
        at_ms = boundary.at * 1000
        lived = [verdict for _, verdict in self.seen.verdicts[self.life :]]
        before = [verdict for verdict in lived if verdict.at_ms <= at_ms]
        after = [verdict for verdict in lived if verdict.at_ms >= at_ms]
        if before:
            low = registers(before[-1])
            high = registers(after[0]) if after and not isinstance(after[0], Reset) else low
            assert low[0] <= boundary.import_wh <= high[0] or before[-1] is after[0]
            assert low[1] <= boundary.export_wh <= high[1] or before[-1] is after[0]

    @invariant()
    def intervals_are_contiguous_and_never_negative(self) -> None:
        """Each begins where the one before ended, and every boundary but the first ends one."""
        ends = [interval.start + interval.seconds for interval in self.seen.intervals]
        assert ends == [boundary.at for boundary in self.seen.boundaries[1:]]
        assert all(interval.import_wh >= 0 and interval.export_wh >= 0 for interval in self.seen.intervals)
        assert all(
            a.start + LENGTH == b.start for a, b in zip(self.seen.intervals, self.seen.intervals[1:], strict=False)
        )

    @invariant()
    def energies_add_up_to_the_registers(self) -> None:
        """Between resets the sum is what the registers moved; a reset's interval counts what was read before it."""
        for index, interval in enumerate(self.seen.intervals):
            first, last = self.seen.boundaries[index], self.seen.boundaries[index + 1]
            passed = [v for at_ms, v in self.seen.verdicts if first.at * 1000 < at_ms <= last.at * 1000]
            resets = [verdict for verdict in passed if isinstance(verdict, Reset)]
            top = resets[0].before_wh if resets else (last.import_wh, last.export_wh)
            assert (interval.quality == "reset") == bool(resets)
            assert interval.register_wh == (last.import_wh, last.export_wh)
            assert (interval.import_wh, interval.export_wh) == (top[0] - first.import_wh, top[1] - first.export_wh)

    @invariant()
    def quality_says_what_is_known(self) -> None:
        """Missing means no reading and no energy; ok means that both ends are exact."""
        for index, interval in enumerate(self.seen.intervals):
            first, last = self.seen.boundaries[index], self.seen.boundaries[index + 1]
            if interval.quality == "missing":
                assert interval.import_wh == interval.export_wh == 0
            if interval.quality == "ok":
                assert first.exact
                assert last.exact


def registers(verdict: Reading | Reset) -> tuple[int, int]:
    """Return the registers after a verdict."""
    return verdict.after_wh if isinstance(verdict, Reset) else (verdict.import_wh, verdict.export_wh)


PumpAndMeter.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestPumpAndMeter = PumpAndMeter.TestCase


def counted(*, remember: bool) -> int:
    """Return the energy of a morning with two restarts and an outage, kept with or without the closed boundary."""
    meter, total, end = begin(LENGTH, None), 0, LENGTH
    for second in range(0, 1801, POLL_S):
        if second in (300, 1000):
            meter = begin(LENGTH, meter.closed if remember else None)
        if not 500 < second < 900:
            meter = read(meter, (second, second))
        while end <= second and (ready(meter, end) or second >= end + 2 * POLL_S):
            meter, interval = close(meter, end, POLL_MS)
            total += interval.import_wh if interval else 0
            end += LENGTH
    return total


def test_no_energy_is_lost_from_the_first_boundary_to_the_last() -> None:
    """A Wh a second for half an hour, two restarts and a silence between: all of it is there."""
    assert counted(remember=True) == 1800 - LENGTH


def test_the_count_would_notice_a_forgotten_boundary() -> None:
    """Control: a program that starts anew after each restart loses energy, and this count sees it."""
    assert counted(remember=False) < 1800 - LENGTH


@dataclass
class Device:
    """A device whose true energy is known: what it shows is less, by its width and its faults."""

    wraps_wh: int | None
    true: list[int]

    def show(self, at_ms: int, fault: str) -> RawReading:
        """Return what it says; a fault never looks like a register that this one could have reached."""
        shown = [wh % self.wraps_wh if self.wraps_wh else wh for wh in self.true]
        match fault:
            case "none":
                return RawReading(at_ms, shown[0], shown[1], wraps_wh=self.wraps_wh)
            case "asleep" if self.wraps_wh is None:  # right before its limit, 0 would be the limit itself
                return RawReading(at_ms, 0, 0, wraps_wh=self.wraps_wh)
            case "no value" if self.wraps_wh != 2**32:  # nor can the last value of a register be told from none
                return RawReading(at_ms, 2**32 - 1, 2**32 - 1, wraps_wh=None)
            case "not a number":
                return RawReading(at_ms, math.nan, shown[1], wraps_wh=self.wraps_wh)
            case "negative":
                return RawReading(at_ms, shown[0], -1, wraps_wh=self.wraps_wh)
            case _:
                return RawReading(at_ms, None, None)


faults = st.sampled_from(["none", "none", "asleep", "no value", "not a number", "negative", "missing"])
spells = st.lists(st.tuples(faults, st.integers(1, 40), st.integers(0, 27), st.integers(0, 27)), max_size=12)


@given(
    wraps_wh=st.sampled_from([None, 2**32, 10**8, 2**32 * 10]),
    short_wh=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    spells=spells,
    restarts=st.sets(st.integers(0, 11)),
)
@settings(max_examples=300, deadline=None)
def test_the_intervals_of_any_device_add_up_to_what_it_carried(
    wraps_wh: int | None,
    short_wh: tuple[int, int],
    spells: list[tuple[str, int, int, int]],
    restarts: set[int],
) -> None:
    """Through every fault, rollover and restart: each direction, to the Wh, and no interval is negative."""
    device = Device(wraps_wh, [(wraps_wh or 10**8) - short for short in short_wh])
    total, second, end = [0, 0], 0, LENGTH
    meter, opening = begin(LENGTH, None), None
    for place, (fault, polls, imported, exported) in enumerate([("none", 8, 5, 5), *spells, ("none", 20, 3, 3)]):
        if place in restarts:
            meter = begin(LENGTH, meter.closed)
        for _ in range(polls):
            second += POLL_S
            device.true[0] += imported
            device.true[1] += exported
            meter, _ = take(meter, device.show(second * 1000, fault), LIMITS)
            while end <= second and (ready(meter, end) or second >= end + 2 * POLL_S):
                meter, interval = close(meter, end, POLL_MS)
                if interval is not None:
                    assert interval.import_wh >= 0
                    assert interval.export_wh >= 0
                    assert interval.quality != "reset"
                    total = [total[0] + interval.import_wh, total[1] + interval.export_wh]
                opening = opening or meter.closed
                end += LENGTH
    assert opening is not None
    assert meter.closed is not None
    behind = second - meter.closed.at
    # the last spell is steady, so what flowed since the last boundary is known to the Wh
    passed = 3 * behind // POLL_S
    for side, opened in enumerate((opening.import_wh, opening.export_wh)):
        counted = total[side] + (opened % wraps_wh if wraps_wh else opened)
        assert abs(device.true[side] - passed - counted) % (wraps_wh or 2**60) <= 1
