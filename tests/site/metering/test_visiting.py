"""A meter that comes and goes is counted from its first read here, and nothing of what it counted elsewhere is."""

from hypothesis import given, strategies as st

from custom_components.commonwatt.metering import (
    Limits,
    RawReading,
    Reading,
    TapInterval,
    TapMeter,
    begin,
    close,
    close_visiting,
    ready,
    take,
)

LENGTH = 60
POLL_MS = 10_000
LIMITS = Limits(rated_power_w=1_000_000)


def read(meter: TapMeter, *reads: tuple[float, int]) -> TapMeter:
    """Take reads of (second, import register) that must all be believed."""
    for second, register in reads:
        meter, verdict = take(meter, RawReading(round(second * 1000), register, 0), LIMITS)
        assert isinstance(verdict, Reading)
    return meter


def closed(meter: TapMeter, *ends: int) -> tuple[TapMeter, list[TapInterval | None]]:
    """Close boundaries in order."""
    found = []
    for end in ends:
        meter, interval = close_visiting(meter, end, POLL_MS)
        found.append(interval)
    return meter, found


def test_the_part_interval_in_which_it_came_counts_from_the_first_read() -> None:
    """A tap would open at the next boundary; of a car that stays twenty minutes nothing would be left."""
    meter = read(begin(LENGTH, None), (75, 5000), (85, 5010), (125, 5050))
    meter, [interval] = closed(meter, 120)
    assert interval == TapInterval(60, LENGTH, 45, 0, (5045, 0), "estimated")
    _, [after] = closed(read(meter, (175, 5100), (185, 5110)), 180)
    assert after is not None
    assert (after.import_wh, after.register_wh) == (5105 - 5045, (5105, 0))


def test_before_it_came_there_is_nothing() -> None:
    """Neither an interval nor anything a boundary waits for."""
    meter, intervals = closed(begin(LENGTH, None), 60, 120)
    assert intervals == [None, None]
    assert ready(meter, 180)
    _, [interval] = closed(read(meter, (180, 7)), 180)
    assert interval is None, "a read at the boundary itself opens the next one"


def test_what_it_counted_elsewhere_is_not_found_again_here() -> None:
    """It was away for two intervals and charged 20 kWh somewhere else."""
    meter = read(begin(LENGTH, None), (60, 1000), (119, 1050), (121, 1050), (130, 1060))
    meter, intervals = closed(meter, 120, 180, 240)
    assert [interval and interval.import_wh for interval in intervals] == [50, 10, None]
    meter = read(meter, (250, 21_060), (290, 21_080), (301, 21_090))
    _, [interval] = closed(meter, 300)
    assert interval is not None
    assert (interval.import_wh, interval.quality) == (29, "estimated")


def test_a_late_close_finds_the_same() -> None:
    """Whether boundaries are closed in time or all at once after the car is back."""
    before, after = [(60, 1000), (119, 1050), (121, 1050), (130, 1060)], [(250, 21_060), (290, 21_080), (301, 21_090)]
    meter, first = closed(read(begin(LENGTH, None), *before), 120, 180, 240)
    _, rest = closed(read(meter, *after), 300)
    _, late = closed(read(begin(LENGTH, None), *before, *after), 120, 180, 240, 300)
    assert [one and one.import_wh for one in late] == [one and one.import_wh for one in [*first, *rest]]


def test_a_short_silence_loses_nothing() -> None:
    """It was read before and after within an interval: the difference counts, as an estimate."""
    meter = read(begin(LENGTH, None), (60, 1000), (70, 1010), (110, 1050), (125, 1060))
    _, [interval] = closed(meter, 120)
    assert interval is not None
    assert interval.import_wh == 56


@given(
    steps=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 50)), min_size=2, max_size=60),
    first=st.integers(0, 59),
)
def test_while_it_stays_all_that_was_read_counts_once(steps: list[tuple[int, int]], first: int) -> None:
    """From its first read to the last closed boundary, whenever it is read; as a tap from its second boundary on."""
    reads, at, register = [(first, 1000)], first, 1000
    for second, energy in steps:
        at, register = at + second, register + energy
        reads.append((at, register))
    last = at // LENGTH * LENGTH
    ends = range(LENGTH, last + 1, LENGTH)
    meter, intervals = closed(read(begin(LENGTH, None), *reads), *ends)
    if meter.closed is None:
        assert not any(intervals)
        return
    assert sum(interval.import_wh for interval in intervals if interval is not None) == meter.closed.import_wh - 1000
    tap = read(begin(LENGTH, None), *reads)
    for end, interval in zip(ends, intervals, strict=True):
        tap, same = close(tap, end, POLL_MS)
        assert same is None or same == interval
