"""Registers made of counters: what begins anew is carried, what only slips is not, and nothing is invented."""

from dataclasses import replace
import json

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt.devices.adopted.counter import (
    BELIEVED_AFTER_MS,
    Counter,
    Look,
    counter_kept,
    counter_of,
    first,
    looked,
)
from custom_components.commonwatt.metering import Limits

LIMITS = Limits(20_000)
MINUTE_MS = 60_000
NOON_MS = 1_795_262_400_000


def begun(value_wh: float, *, last_reset_ms: int | None = None) -> Counter:
    """Return a counter of the day that was looked at first at noon."""
    return first("sensor.today", Look(NOON_MS, value_wh, anew=True, last_reset_ms=last_reset_ms), None, None)


def at(minutes: float, value_wh: float, last_reset_ms: int | None = None, *, anew: bool = True) -> Look:
    """Return a look so many minutes after noon."""
    return Look(NOON_MS + round(minutes * MINUTE_MS), value_wh, anew, last_reset_ms)


def followed(counter: Counter, *looks: Look) -> list[float]:
    """Return the register after each look."""
    registers = []
    for look in looks:
        counter = looked(counter, look, LIMITS)
        registers.append(counter.register_wh)
    return registers


def test_what_a_counter_of_the_day_counted_is_carried_over_midnight() -> None:
    """The fall is believed when a later look agrees; until then the register stands."""
    assert followed(begun(8000), at(1, 8100), at(2, 0), at(3, 50), at(4, 90)) == [8100, 8100, 8150, 8190]


def test_a_fall_that_does_not_last_was_a_slip() -> None:
    """A device that shows 0 while it starts must not count its whole life again."""
    assert followed(begun(12_345_000), at(1, 0), at(1.05, 0), at(1.1, 12_345_010)) == [
        12_345_000,
        12_345_000,
        12_345_010,
    ]


def test_a_fall_is_believed_no_sooner_than_it_lasted() -> None:
    """Two looks in one second are one look."""
    before, after = BELIEVED_AFTER_MS / MINUTE_MS - 0.01, BELIEVED_AFTER_MS / MINUTE_MS
    assert followed(begun(500), at(1, 7), at(1 + before, 7), at(1 + after, 7)) == [500, 500, 507]


def test_another_counter_in_the_place_of_the_first_counts_from_where_it_stands() -> None:
    """3000 Wh in a minute are more than 20 kW carry: it did not begin at zero, so nothing is counted across."""
    assert followed(begun(900_000), at(1, 3000), at(2, 3005), at(3, 3010)) == [900_000, 900_000, 900_005]


def test_a_counter_that_was_away_at_zero_for_long_is_not_counted_again() -> None:
    """It comes back to where it was, which is no energy; what it counts from then on is."""
    shown = [at(1, 0), at(2, 0), at(60, 0), at(61, 500_000), at(62, 500_020)]
    assert followed(begun(500_000), *shown) == [500_000, 500_000, 500_000, 500_000, 500_020]


def test_a_counter_that_is_refreshed_every_few_hours_counts() -> None:
    """Behind a cloud it stands, and then shows all at once what was used meanwhile."""
    stands = [at(minutes, 8000) for minutes in range(1, 180)]
    assert followed(begun(8000), *stands, at(180, 50_000))[-1] == 50_000


def test_a_clock_that_is_set_back_costs_a_counter_nothing() -> None:
    """It says nothing against the counter: no other one stands there, and what it counts goes on counting."""
    counter = begun(8000)
    for look in (at(1, 8100), at(-60, 8100), at(-59, 8100), at(-58, 8150), at(-57, 8160)):
        counter = looked(counter, look, LIMITS)
        assert counter.others == 0
    assert counter.register_wh == 8160


def test_a_fall_in_doubt_is_decided_also_after_the_clock_was_set_back() -> None:
    """The counter of the day began anew; the hours until the clock is there again are counted, too."""
    assert followed(begun(8000), at(1, 0), at(-120, 2), at(-119, 5), at(-118, 9)) == [8000, 8000, 8000, 8009]


def test_a_counter_says_itself_that_it_began_anew() -> None:
    """After a night without a look it may stand above where it was: only its own word tells."""
    yesterday, today = NOON_MS - 86_400_000, NOON_MS + 12 * 3_600_000
    counter = begun(5000, last_reset_ms=yesterday)
    assert followed(counter, at(20 * 60, 7000, today), at(20 * 60 + 1, 7010, today)) == [12_000, 12_010]


def test_a_last_reset_that_changes_at_every_look_is_not_believed() -> None:
    """It cannot have counted five kilowatt-hours since just now."""
    moving = [at(minutes, 5000 + minutes, NOON_MS + minutes * MINUTE_MS) for minutes in range(1, 4)]
    assert followed(begun(5000, last_reset_ms=NOON_MS), *moving) == [5001, 5002, 5003]


def test_a_register_that_never_begins_anew_is_followed_as_it_is() -> None:
    """A fall of it is an exchange or a fault: metering judges it, as of any meter."""
    counter = first("sensor.meter", at(0, 9000, anew=False), None, 12_000)
    assert followed(counter, at(1, 9010, anew=False), at(2, 4, anew=False)) == [9010, 4]


def test_a_small_fall_holds_the_register() -> None:
    """It was rounded anew."""
    assert followed(begun(1000), at(1, 999), at(2, 999), at(3, 1001)) == [1000, 1000, 1001]


def test_another_entity_goes_on_from_the_register() -> None:
    """Whatever it shows, no energy is invented; what it counts from then on counts."""
    counter = first("sensor.other", at(0, 70_000), 1234, 1000)
    assert counter.register_wh == 1234
    assert followed(counter, at(1, 70_040)) == [1274]


def test_without_a_memory_a_counter_of_the_day_is_not_behind_what_was_closed() -> None:
    """The file was lost; the boundary closed last was not."""
    assert first("sensor.today", at(0, 30), None, 5000).register_wh == 5000
    assert first("sensor.total", at(0, 6000), None, 5000).register_wh == 6000


@given(
    st.lists(st.lists(st.integers(0, 300), min_size=1, max_size=6), min_size=1, max_size=5),
)
def test_the_register_of_any_days_is_what_they_counted_together(days: list[list[int]]) -> None:
    """Every day begins at zero; each look is a minute after the last, and a fall waits for the next look."""
    counter, minutes, counted = begun(0), 0, 0
    for day in days:
        shown = 0
        for energy in (0, 0, *day):  # the second look at zero is the one that believes the fall
            minutes += 1
            shown += energy
            before = counter.register_wh
            counter = looked(counter, at(minutes, shown), LIMITS)
            assert counter.register_wh >= before
        counted += shown
    assert counter.register_wh == pytest.approx(counted)


def test_what_is_written_down_is_read_again() -> None:
    """Through JSON, with and without a reset; a fall in doubt is doubted anew."""
    for counter in (begun(7.5), begun(3, last_reset_ms=5)):
        doubted = looked(counter, at(1, 0), LIMITS)
        assert counter_of(json.loads(json.dumps(counter_kept(doubted)))) == replace(doubted, fell_ms=None)
