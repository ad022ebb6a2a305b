"""Windows lose and invent nothing: energy to the Wh, whatever the lengths, and the same for every order of readings."""

from fractions import Fraction
from random import Random

from hypothesis import given, settings, strategies as st
import pytest

from cloud.hub.extraction.question import DAY_MS, REGISTER_GAP_MS
from cloud.hub.extraction.resample import window as windows
from cloud.hub.extraction.resample.window import Resampler, TooMuchAtOnceError, mean, resampled
from cloud.hub.extraction.row import Row, Window

MINUTE = 60_000
START = 1_795_262_400_000
HOURS = 6 * 60 * MINUTE
values = st.integers(-(10**9), 10**9)
energies = st.integers(0, 10**6)
lengths = st.sampled_from([1, 5, 15, 30, 60])


def row(ms: int, value: int, quantity: str = "power", seconds: int = 0, device: str = "m") -> Row:
    """Return a reading of a meter."""
    return ms, None, device, "meter", "", quantity, seconds, value, "given", 0


def over_all(rows: list[Row], minutes: int = 15) -> list[Window]:
    """Return the windows of six hours and a day around them."""
    return resampled(rows, minutes * MINUTE, START - DAY_MS, START + DAY_MS)


def as_rows(found: list[Window], *, at_end: bool = False) -> list[Row]:
    """Return windows as readings that are about their windows, registers as read at their ends."""
    return [
        (
            ms + seconds * 1000 if at_end else ms,
            site,
            device,
            kind,
            point,
            quantity,
            0 if at_end else seconds,
            value,
            "given",
            0,
        )
        for ms, site, device, kind, point, quantity, seconds, value, *_ in found
    ]


times = st.integers(0, HOURS - 1).map(lambda at: START + at)


@given(st.lists(st.tuples(times, values), min_size=1, max_size=40, unique_by=lambda item: item[0]), lengths)
def test_the_mean_of_instants_is_exact_and_the_windows_are_half_open(told: list[tuple[int, int]], minutes: int) -> None:
    """Against the same by fractions; windows without a value are not there."""
    found = over_all([row(ms, value) for ms, value in told], minutes)
    assert sum(item[10] for item in found) == len(told)
    for start, *_, seconds, value, least, most, count, change, estimated in found:
        inside = [each for ms, each in told if start <= ms < start + seconds * 1000]
        assert (len(inside), min(inside), max(inside)) == (count, least, most)
        assert value == round(Fraction(sum(inside), count))
        assert (change, estimated) == (None, False)


@given(
    st.lists(st.tuples(times, st.integers(1, 86_400), energies), min_size=1, max_size=20, unique_by=lambda t: t[0]),
    lengths,
)
def test_energy_is_cut_without_losing_or_making_any(told: list[tuple[int, int, int]], minutes: int) -> None:
    """The windows of an interval add up to it to the Wh, and so do small windows to the large ones."""
    rows = [row(ms, wh, "import", seconds) for ms, seconds, wh in told]
    found = resampled(rows, minutes * MINUTE, START - DAY_MS, START + 3 * DAY_MS)
    assert sum(item[7] for item in found) == sum(wh for _, _, wh in told)
    assert all(item[7] >= 0 for item in found)
    fine = resampled(rows, MINUTE, START - DAY_MS, START + 3 * DAY_MS)
    again = resampled(as_rows(fine), minutes * MINUTE, START - DAY_MS, START + 3 * DAY_MS)
    assert [item[:8] for item in again] == [item[:8] for item in found]


@given(
    st.lists(st.tuples(st.integers(1, REGISTER_GAP_MS), energies), min_size=2, max_size=20),
    lengths,
    st.integers(0, 10**9),
)
def test_what_a_register_moved_is_the_sum_of_its_windows(
    steps: list[tuple[int, int]], minutes: int, first: int
) -> None:
    """From the first boundary to the last, whatever the reads between; each end lies on the line, floored."""
    at, value = START, first
    reads = [(at, value)]
    for gap, moved in steps:
        at, value = at + gap, value + moved
        reads.append((at, value))
    found = resampled(
        [row(ms, wh, "import_register") for ms, wh in reads], minutes * MINUTE, START, START + 40 * DAY_MS
    )
    changes = [item[11] for item in found if item[11] is not None]
    if found:
        ends = [item[0] + minutes * MINUTE for item in found]
        assert len(changes) in (len(found), len(found) - 1)
        opening = found[0][7] if len(changes) < len(found) else found[0][7] - changes[0]
        assert sum(changes) == found[-1][7] - opening
        assert ends == list(range(ends[0], ends[-1] + 1, minutes * MINUTE))
        for end, item in zip(ends, found, strict=True):
            (low_ms, low), (high_ms, high) = max(r for r in reads if r[0] <= end), min(r for r in reads if r[0] >= end)
            exact = (
                Fraction(low) if high_ms == low_ms else low + Fraction((high - low) * (end - low_ms), high_ms - low_ms)
            )
            assert item[7] == exact // 1


def test_a_register_that_was_reset_moves_nothing_meanwhile() -> None:
    """No energy passes from before to behind; nor over a gap in which nobody knows how it moved."""
    reads = [(0, 100), (20, 120), (40, 3), (60, 30), (60 + 7 * 60, 900), (60 + 7 * 60 + 30, 930)]
    rows = [row(START + minute * MINUTE, value, "import_register") for minute, value in reads]
    told = [((item[0] - START) // MINUTE, item[7], item[11], item[12]) for item in over_all(rows)]
    assert told == [
        (-15, 100, None, False),
        (0, 115, 15, False),
        (30, 9, None, False),
        (45, 30, 21, False),
        (60 + 7 * 60 - 15, 900, None, False),
        (60 + 7 * 60, 915, 15, False),
        (60 + 7 * 60 + 15, 930, 15, False),
    ]


def test_a_window_between_reads_far_apart_is_called_estimated() -> None:
    """Where the reads around its end lie more than two windows apart; likewise energy of so long an interval."""
    rows = [row(START + minute * MINUTE, minute * 10, "import_register") for minute in (0, 30, 75)]
    assert [item[12] for item in over_all(rows)] == [False, False, False, True, True, True]
    for minutes, estimated in ((30, False), (31, True)):
        assert {item[12] for item in over_all([row(START, 100, "import", minutes * 60)])} == {estimated}


def test_a_price_is_the_mean_over_the_time_it_held() -> None:
    """Twenty minutes of 10 and forty of 40, and in the next hour only what was told of it."""
    rows = [row(START, 10, "price", 1200), row(START + 20 * MINUTE, 40, "price", 3600)]
    assert [(item[7], item[8], item[9]) for item in over_all(rows, 60)] == [(30, 10, 40), (40, 40, 40)]


@pytest.mark.parametrize("quantity", ["power", "voltage", "price"])
@given(st.lists(st.tuples(times, values), min_size=1, max_size=30, unique_by=lambda item: item[0]), lengths)
def test_windows_of_windows_are_the_windows(quantity: str, told: list[tuple[int, int]], minutes: int) -> None:
    """What is on its windows stays as it is."""
    found = over_all([row(ms, value, quantity, 300 if quantity == "price" else 0) for ms, value in told], minutes)
    assert [item[:8] for item in over_all(as_rows(found), minutes)] == [item[:8] for item in found]


@given(st.lists(st.integers(0, 300), min_size=2, max_size=10, unique=True), lengths)
def test_windows_of_a_registers_windows_are_its_windows(minutes_read: list[int], minutes: int) -> None:
    """Read where its windows end, a register is the same again."""
    rows = [row(START + minute * MINUTE, minute * 7, "import_register") for minute in minutes_read]
    found = over_all(rows, minutes)
    again = over_all(as_rows(found, at_end=True), minutes)
    assert [item[:8] for item in again] == [item[:8] for item in found]


MIXED = [
    row(START + n * 7 * MINUTE, n * n, quantity, seconds, device)
    for n in range(25)
    for quantity, seconds in (("power", 0), ("import", 1100), ("import_register", 0), ("price", 1800), ("soc", 0))
    for device in ("a", "b")
]


@settings(max_examples=30)
@given(st.randoms(use_true_random=False), st.integers(1, 50))
def test_neither_order_nor_the_cut_of_pages_changes_a_window(random: Random, size: int) -> None:
    """Readings in whatever order, and in order a few at a time: the same windows, in the same order."""
    expected = over_all(MIXED)
    shuffled = list(MIXED)
    random.shuffle(shuffled)
    assert over_all(shuffled) == expected
    resampler, found = Resampler(15 * MINUTE, START - DAY_MS, START + DAY_MS), []
    ordered = sorted(MIXED, key=lambda item: item[0])
    for first in range(0, len(ordered), size):
        resampler.feed(ordered[first : first + size])
        behind = ordered[first + size : first + size + 1]
        found += resampler.taken(behind[0][0]) if behind else resampler.taken()
    assert found == expected


def test_only_whole_windows_within_what_was_asked_are_given() -> None:
    """The windows at the edges that reach out are left out, and what began before counts in those that do not."""
    rows = [row(START - 10 * MINUTE, 60, "import", 1800), row(START + 20 * MINUTE, 5)]
    found = resampled(rows, 15 * MINUTE, START - MINUTE, START + 29 * MINUTE)
    assert [(item[0] - START, item[5], item[7]) for item in found] == [(0, "import", 30)]


def test_an_interval_longer_than_a_day_is_not_cut() -> None:
    """A month's energy tells nothing of its quarters of an hour."""
    resampler = Resampler(15 * MINUTE, START, START + DAY_MS)
    resampler.feed([row(START, 9, "import", 86_401)])
    assert (resampler.taken(), resampler.left_out) == ([], 1)


def test_too_much_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, whoever asks."""
    monkeypatch.setattr(windows, "PENDING_MAX", 10)
    with pytest.raises(TooMuchAtOnceError, match="more than 10 windows"):
        over_all([row(START + n * 15 * MINUTE, n) for n in range(11)])


def test_a_mean_is_rounded_half_to_even() -> None:
    """Also below zero."""
    assert [mean(total, 2) for total in (1, 3, 5, -1, -3, -5)] == [0, 2, 2, 0, -2, -2]
