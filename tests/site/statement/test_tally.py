"""What was settled adds up the same by day, by hour and in however many steps it came."""

from hypothesis import given, strategies as st

from custom_components.commonwatt.statement import Day, Hour, Moved, Settled, Tally, day, roll

HOUR = 3600
costs = st.lists(st.builds(Moved, st.integers(0, 40 * HOUR), st.integers(-(10**12), 10**12)), max_size=40)


@given(costs, st.lists(st.integers(0, 40 * HOUR), max_size=5))
def test_the_running_sum_is_the_same_however_often_it_is_carried_on(moved: list[Moved], steps: list[int]) -> None:
    """Each hour's sum is that of everything up to its end, whether told at once or bit by bit."""
    once = {hour.start: hour.total for hour in roll(Tally(0, 0), moved, 0)[1]}
    tally, told = Tally(0, 0), dict[int, int]()
    for settled_before in [*sorted(steps), 41 * HOUR]:
        tally, hours = roll(tally, [item for item in moved if item.at >= tally.before], settled_before)
        told |= {hour.start: hour.total for hour in hours}
    assert told == once
    assert tally.total == sum(item.amount for item in moved)


@given(costs)
def test_telling_again_changes_nothing(moved: list[Moved]) -> None:
    """A restart between writing the hours and remembering the tally does no harm."""
    tally, _ = roll(Tally(0, 0), moved, 3 * HOUR)
    later = [item for item in moved if item.at >= tally.before]
    assert roll(tally, later, 0) == roll(tally, later, 0)
    assert roll(tally, later, 0)[0] == tally


def test_hours_begin_on_the_hour() -> None:
    """Two half hours are one hour; an hour without costs is none."""
    moved = [Moved(0, 5), Moved(1800, 7), Moved(2 * HOUR, 1)]
    assert roll(Tally(0, 100), moved, 0)[1] == [Hour(0, 112), Hour(2 * HOUR, 113)]


def test_a_day_counts_what_was_used_and_what_came_from_near() -> None:
    """What was supplied is no use; a correction counts where it was booked; before and after are other days."""
    intervals = [
        Settled(0, 1800, 500, 500, -1),
        Settled(1800, 1800, 300, 120, -9),
        Settled(3600, 1800, -700, -700, 14),
        Settled(5400, 1800, 100, 0, -3),
        Settled(7200, 1800, 100, 0, -3),
    ]
    moved = [Moved(item.start, -item.points_micro) for item in intervals] + [Moved(5400, -20)]
    found = day(intervals, moved, 1800, 7200)
    assert found == Day(cost_micro=9 - 14 + 3 - 20, used_wh=400, near_wh=120, through=7200)
    assert found.near_percent == 30
    assert day([], [], 0, 1).near_percent is None
