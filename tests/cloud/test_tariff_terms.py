"""Every interval has exactly one price or is a gap: by the local clock, in a series, for an owner of its own terms."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from cloud.tariff.book import PriceBook, Priced
from cloud.tariff.kept import rules_of, rules_text
from cloud.tariff.price import Prices, PriceTexts
from cloud.tariff.series.merge import Contradicts, Fits, merge
from cloud.tariff.terms import (
    DAY_MINUTES,
    WEEK_MINUTES,
    Rule,
    Series,
    SeriesPrice,
    TimeOfUse,
    first_overlap,
    minute_of_week,
    prices_of,
)
from cloud.tariff.validity import Tariff

from .ground import HALF_HOUR, PRICES

TEXTS = PriceTexts(None, "0", "0")
DEFAULT = Prices(None, 30_000, 8_000)
NIGHT = Prices(None, 10_000, -1_000)
PEAK = Prices(None, 50_000, 20_000)
EVERY_DAY = tuple(range(7))
ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Chatham", "America/St_Johns")


def rule(from_hour: float, until_hour: float, prices: Prices, weekdays: Sequence[int] = EVERY_DAY) -> Rule:
    """Make a rule."""
    return Rule(tuple(weekdays), int(from_hour * 60), int(until_hour * 60), prices, TEXTS)


def utc(text: str) -> int:
    """Read a UTC time to the minute."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def prices_from(terms: TimeOfUse, first: str, count: int, seconds: int = HALF_HOUR) -> list[int]:
    """Return the buying prices of some intervals, in points per MWh."""
    starts = range(utc(first), utc(first) + count * seconds, seconds)
    return [prices.grid_buy_micro_per_wh // 1000 for start in starts if (prices := prices_of(terms, start)) is not None]


def test_a_rule_over_midnight_belongs_to_the_day_it_begins_on() -> None:
    """Friday's night ends on Saturday morning; Sunday's on Monday morning."""
    terms = TimeOfUse("UTC", DEFAULT, (rule(22, 6, NIGHT, (4, 6)),))
    friday, saturday = "2026-11-27", "2026-11-28"
    assert prices_from(terms, f"{friday}T05:30", 2) == [30, 30]
    assert prices_from(terms, f"{friday}T21:30", 2) == [30, 10]
    assert prices_from(terms, f"{saturday}T05:30", 2) == [10, 30]
    assert prices_from(terms, f"{saturday}T22:00", 1) == [30]
    assert prices_from(terms, "2026-11-30T05:30", 2) == [10, 30]  # Monday


@pytest.mark.parametrize(
    ("zone", "first", "count", "buys"),
    [
        # clocks go from 2 to 3: the hour the rule is for does not exist, and the night is an hour shorter
        ("Europe/Berlin", "2026-03-29T00:00", 4, [30, 30, 30, 30]),
        # clocks go from 3 back to 2: the hour the rule is for is there twice
        ("Europe/Berlin", "2026-10-24T23:30", 6, [30, 10, 10, 10, 10, 30]),
        # clocks go back half an hour, from 2 to 1:30: 2:00 to 3:00 is there once
        ("Australia/Lord_Howe", "2026-04-04T14:30", 5, [30, 30, 10, 10, 30]),
        # clocks go forward half an hour, from 2 to 2:30: only half of the hour is there
        ("Australia/Lord_Howe", "2026-10-03T15:00", 3, [30, 10, 30]),
        # a zone of 5:45: the interval that begins at 1:45 keeps its price past 2, the one of 2:45 past 3
        ("Asia/Kathmandu", "2026-06-01T20:00", 4, [30, 10, 10, 30]),
        # a zone of 12:45 whose clocks go from 2:45 to 3:45: 2:15 is the last there is
        ("Pacific/Chatham", "2026-09-26T13:00", 3, [30, 10, 30]),
    ],
)
def test_the_price_is_the_one_the_wall_clock_shows_when_the_interval_begins(
    zone: str, first: str, count: int, buys: list[int]
) -> None:
    """From two to three in the night, on the days when clocks are set."""
    assert prices_from(TimeOfUse(zone, DEFAULT, (rule(2, 3, NIGHT),)), first, count) == buys


@pytest.mark.parametrize(
    ("zone", "day", "next_day", "intervals"),
    [
        ("Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00", 46),
        ("Europe/Berlin", "2026-10-24T22:00", "2026-10-25T23:00", 50),
        ("Australia/Lord_Howe", "2026-04-04T13:00", "2026-04-05T13:30", 49),
        ("Australia/Lord_Howe", "2026-10-03T13:30", "2026-10-04T13:00", 47),
    ],
)
def test_a_local_day_has_as_many_intervals_as_it_is_long(zone: str, day: str, next_day: str, intervals: int) -> None:
    """All of a Sunday's, and none of its neighbours'."""
    terms = TimeOfUse(zone, DEFAULT, (rule(0, 24, NIGHT, (6,)),))
    assert utc(next_day) - utc(day) == intervals * HALF_HOUR
    assert prices_from(terms, day, intervals) == [10] * intervals
    assert prices_of(terms, utc(day) - HALF_HOUR) == DEFAULT
    assert prices_of(terms, utc(next_day)) == DEFAULT


starts = st.integers(0, 2**31 // HALF_HOUR).map(lambda number: number * HALF_HOUR)
rules = st.builds(
    lambda days, begin, end, prices: Rule(tuple(sorted(days)), begin, end, prices, TEXTS),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, DAY_MINUTES - 1),
    st.integers(1, DAY_MINUTES),
    st.sampled_from([NIGHT, PEAK]),
)


@given(st.sampled_from(ZONES), starts)
def test_the_minute_of_the_week_is_what_the_clock_on_the_wall_says(zone: str, start: int) -> None:
    """Against the text of the local time."""
    local = datetime.fromtimestamp(start, ZoneInfo(zone))
    day, hour, minute = map(int, local.strftime("%u %H %M").split())
    assert minute_of_week(zone, start) == ((day - 1) * 24 + hour) * 60 + minute < WEEK_MINUTES


@given(st.lists(rules, max_size=4))
def test_rules_overlap_if_and_only_if_a_minute_is_covered_twice(some: list[Rule]) -> None:
    """Against a count of every minute of the week."""
    covered = [minute for each in some for begin, end in each.spans() for minute in range(begin, end)]
    assert (first_overlap(some) is None) == (len(covered) == len(set(covered)))
    assert set(covered) <= set(range(WEEK_MINUTES))


@given(st.lists(rules, max_size=4))
def test_rules_come_back_as_they_were_kept(some: list[Rule]) -> None:
    """Texts and whole numbers both."""
    again = rules_of(rules_text(some))
    assert again == tuple(some)
    assert [each.texts for each in again] == [each.texts for each in some]


def price(start: int, seconds: int, prices: Prices = PRICES) -> SeriesPrice:
    """Make a price of a series, in half hours."""
    return SeriesPrice(start * HALF_HOUR, seconds * HALF_HOUR, prices, TEXTS)


def test_a_series_has_a_price_where_one_was_added_and_nowhere_else() -> None:
    """Half open; a hole is a gap."""
    series = Series((price(1, 2), price(4, 1, PEAK)))
    found = [prices_of(series, start * HALF_HOUR) for start in range(6)]
    assert found == [None, PRICES, PRICES, None, PEAK, None]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 3), st.sampled_from([PRICES, PEAK])), max_size=5),
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 3), st.sampled_from([PRICES, PEAK])), min_size=1, max_size=5),
)
def test_prices_fit_a_series_if_each_time_has_one_price(
    before: list[tuple[int, int, Prices]], more: list[tuple[int, int, Prices]]
) -> None:
    """What is known once stays; the same again is only counted; any other word on the same time is refused."""
    known = merge([], [price(*each) for each in before])
    if isinstance(known, Contradicts):
        return
    wanted = [price(*each) for each in more]
    merged = merge(known.new, wanted)
    every = {*known.new, *wanted}
    free = all(one.end <= other.start for one, other in pairwise(sorted(every, key=lambda each: each.start)))
    assert isinstance(merged, Fits) == free
    if isinstance(merged, Fits):
        assert {*known.new, *merged.new} == every
        assert len(merged.new) + merged.known == len(wanted)


tariffs = st.builds(
    lambda owner, begin, length, terms: Tariff(
        begin * HALF_HOUR, terms, valid_until=None if length is None else (begin + length) * HALF_HOUR, owner=owner
    ),
    st.sampled_from(["", "", "anna", "ben"]),
    st.integers(0, 20),
    st.none() | st.integers(1, 6),
    st.sampled_from(
        [
            PRICES,
            PEAK,
            TimeOfUse("Asia/Kathmandu", DEFAULT, (rule(6, 9, NIGHT), rule(22, 2, PEAK, (0, 3)))),
            Series((price(3, 4), price(9, 1, PEAK), price(12, 6, NIGHT))),
        ]
    ),
)


def naive(every: Sequence[Tariff], owner: str, start: int) -> tuple[Tariff, Prices | None] | None:
    """Find one owner's tariff by looking at all of them."""
    begun = [each for each in every if each.owner == owner and each.valid_from <= start]
    if not begun:
        return None
    newest = max(begun, key=lambda each: each.valid_from)
    ended = newest.valid_until is not None and newest.valid_until <= start
    return None if ended else (newest, prices_of(newest.terms, start))


@given(
    st.lists(tariffs, max_size=8, unique_by=lambda each: (each.owner, each.valid_from)),
    st.sampled_from(["anna", "ben", "cleo"]),
)
def test_the_book_says_what_each_tariff_says(every: list[Tariff], owner: str) -> None:
    """Local from the community, the grid's from the owner's own where there is one; no price anywhere is a gap."""
    book = PriceBook.of(every)
    for start in range(0, 30 * HALF_HOUR, HALF_HOUR):
        general, own = naive(every, "", start), naive(every, owner, start)
        expected = None
        if general is not None and general[1] is not None and (own is None or own[1] is not None):
            grid = general[1] if own is None or own[1] is None else own[1]
            prices = Prices(general[1].local_micro_per_wh, grid.grid_buy_micro_per_wh, grid.grid_sell_micro_per_wh)
            expected = Priced(prices, ("", general[0].valid_from), own and (owner, own[0].valid_from))
        assert book.at(start, owner) == expected
        if book.priced(start):
            assert book.at(start, owner) is not None
