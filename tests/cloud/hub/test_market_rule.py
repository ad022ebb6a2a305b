"""From a market's price to the price of an interval: exact, rounded once, and nothing made up."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, strategies as st
import pytest

from cloud.hub.context.value import ContextValue, gaps, overlaps
from cloud.hub.quantity import Quantity
from cloud.tariff.market.follow import decide, since
from cloud.tariff.market.rule import DECIMALS, Between, Known, Leg, Rule, mean, micro_per_wh, price_of, written
from cloud.tariff.price import MICRO_PER_WH, Prices, PriceTexts
from cloud.tariff.terms import SeriesPrice

HOUR = 3600
HALF = 1800
START = 1_795_262_400
ONE = Decimal(1)
PLAIN = Leg(ONE, Decimal(0))
RULE = Rule("market", "", PLAIN, PLAIN, None, "GBP", 100, START)


def values(*said: tuple[int, int, int]) -> Known:
    """Return what a market says: seconds after START, for how long, and millionths of a currency per kWh."""
    return Known.of(ContextValue((START + after) * 1000, seconds, value) for after, seconds, value in said)


def price(rule: Rule, *said: tuple[int, int, int], start: int = START) -> object:
    """Return the price of the half hour at `start`."""
    return price_of(rule, {Quantity.PRICE: values(*said)}, start, HALF)


def test_a_price_is_points_times_factor_and_more() -> None:
    """0.085125 GBP/kWh are 8.5125 points; times 1.19 and 12 more; the sale is half of it less 1."""
    rule = replace(RULE, buy=Leg(Decimal("1.19"), Decimal(12)), sell=Leg(Decimal("0.5"), Decimal(-1)))
    found = price(rule, (0, HALF, 85_125))
    assert isinstance(found, SeriesPrice)
    assert (found.start, found.seconds) == (START, HALF)
    assert found.texts == PriceTexts(None, "22.129875", "3.25625")
    assert found.prices == Prices(None, 22_130, 3_256)  # 3.25625 lies on no half: 3256.25


@pytest.mark.parametrize(("micro", "says"), [(10_005, 1000), (10_015, 1002), (-10_005, -1000), (-10_015, -1002)])
def test_it_is_rounded_half_to_even_and_once(micro: int, says: int) -> None:
    """1.0005 points are 1000.5 micro-points per Wh, which are 1000; 1.0015 are 1002; below zero alike."""
    found = price(RULE, (0, HALF, micro))
    assert isinstance(found, SeriesPrice)
    assert found.prices.grid_buy_micro_per_wh == says


def test_a_negative_price_stays_one() -> None:
    """Whoever takes then is paid, and whoever gives pays."""
    found = price(replace(RULE, local=Between(Decimal("0.5"))), (0, HALF, -60_000))
    assert isinstance(found, SeriesPrice)
    assert found.prices == Prices(-6000, -6000, -6000)


@pytest.mark.parametrize(("share", "text"), [("0", "4"), ("0.25", "5.5"), ("1", "10"), ("0.33", "5.98")])
def test_a_local_price_lies_between_the_two(share: str, text: str) -> None:
    """0 is what the grid pays, 1 what is paid to it."""
    rule = replace(RULE, sell=Leg(Decimal("0.4"), Decimal(0)), local=Between(Decimal(share)))
    found = price(rule, (0, HALF, 100_000))
    assert isinstance(found, SeriesPrice)
    assert found.texts.local == text


def test_a_local_price_may_be_a_leg_of_another_quantity() -> None:
    """A market that tells what it buys and sells for."""
    rule = Rule(
        "market",
        "",
        Leg(ONE, Decimal(0), Quantity.BUY_PRICE),
        Leg(ONE, Decimal(0), Quantity.SELL_PRICE),
        Leg(ONE, Decimal(1)),
        "GBP",
        1,
        START,
    )
    assert rule.quantities() == {Quantity.PRICE, Quantity.BUY_PRICE, Quantity.SELL_PRICE}
    said = {Quantity.BUY_PRICE: values((0, HALF, 3_000_000)), Quantity.SELL_PRICE: values((0, HALF, 1_000_000))}
    assert price_of(rule, said, START, HALF) == "missing"
    found = price_of(rule, said | {Quantity.PRICE: values((0, HALF, 2_000_000))}, START, HALF)
    assert isinstance(found, SeriesPrice)
    assert found.prices == Prices(3000, 3000, 1000)


def test_an_hours_price_holds_for_its_halves_and_quarters_make_their_mean() -> None:
    """A market need not know a community's intervals; the mean is by time, and exact until it is rounded."""
    assert mean(values((0, HOUR, 7)), START + HALF, HALF) == 7
    quarters = (0, 900, 10_000), (900, 900, 20_001)
    assert mean(values(*quarters), START, HALF) == Fraction(30_001, 2)
    thirds = (0, 600, 10_000), (600, 600, 10_000), (1200, 600, 10_001)
    found = price(RULE, *thirds)
    assert isinstance(found, SeriesPrice)
    assert found.texts.grid_buy == "1.00003333333333"
    assert found.prices.grid_buy_micro_per_wh == 1000


def test_what_is_not_covered_whole_has_no_price() -> None:
    """A hole at the beginning, in the middle or at the end; an instant covers nothing."""
    for said in ((), ((1, HALF, 5),), ((0, 600, 5), (1200, 600, 5)), ((0, 900, 5),), ((0, 0, 5),)):
        assert price(RULE, *said) == "missing"


def test_two_words_on_one_time_are_no_price_and_the_same_word_twice_is_one() -> None:
    """Nobody chooses between them."""
    assert price(RULE, (0, HOUR, 5), (0, HALF, 6)) == "contradicts"
    assert price(RULE, (-86_400, 2 * 86_400, 5), (0, HALF, 6)) == "contradicts"
    assert isinstance(price(RULE, (0, HOUR, 5), (0, HALF, 5)), SeriesPrice)


def test_a_price_beyond_what_a_tariff_can_be_is_none() -> None:
    """A broken market costs nobody a fortune."""
    assert price(RULE, (0, HALF, 10**10)) == "beyond"
    assert price(replace(RULE, points_per_unit=10**6), (0, HALF, -(10**6))) == "beyond"


fractions = st.fractions(max_denominator=10**9).filter(lambda value: abs(value) < 10**6)
ties = st.integers(-(10**8), 10**8).map(lambda number: Fraction(2 * number + 1, 2 * MICRO_PER_WH))
near_ties = st.tuples(ties, st.integers(-5, 5)).map(lambda pair: pair[0] + Fraction(pair[1], 3 * 10**15))


@given(fractions | ties | near_ties)
def test_the_text_reads_as_the_price_was_rounded(exact: Fraction) -> None:
    """Whoever holds the text against the tariffs' rule gets the number that is settled by, even beside a tie."""
    text = written(exact)
    assert round(Fraction(Decimal(text)) * MICRO_PER_WH) == micro_per_wh(exact)
    assert abs(Fraction(Decimal(text)) - exact) <= Fraction(2, 10**DECIMALS)
    assert len(text) <= 24
    if (exact * 10**DECIMALS).denominator == 1:
        assert Fraction(Decimal(text)) == exact


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=30),
    st.sampled_from([300, 900, 1800, 3600]),
    st.sampled_from([300, 900, 1800]),
)
def test_the_mean_of_all_intervals_is_the_mean_of_the_market(said: list[int], length: int, interval: int) -> None:
    """Nothing is counted twice and nothing lost, whatever divides what."""
    known = values(*((place * length, length, value) for place, value in enumerate(said)))
    end = len(said) * length - (len(said) * length) % interval
    found = [mean(known, START + after, interval) for after in range(0, end, interval)]
    assert "missing" not in found
    total = sum(each * interval for each in found if isinstance(each, Fraction))
    whole, rest = divmod(end, length)
    assert total == sum(said[:whole]) * length + (said[whole] * rest if rest else 0)


def series(*prices: tuple[int, int]) -> list[SeriesPrice]:
    """Return prices of half hours: seconds after START, and micro-points."""
    return [
        SeriesPrice(START + after, HALF, Prices(None, micro, micro), PriceTexts(None, str(micro), str(micro)))
        for after, micro in prices
    ]


def test_new_prices_come_in_unused_ones_give_way_and_used_ones_stand() -> None:
    """What settled an interval never changes; the market's other word is noted once."""
    known = series((0, 5), (HALF, 5), (HOUR, 5))
    said = series((0, 6), (HALF, 5), (HOUR, 6), (HOUR + HALF, 6))
    found = decide(said, known, {}, START + HOUR)
    assert [each.start - START for each in found.new] == [HOUR + HALF]
    assert [each.start - START for each in found.replaced] == [HOUR]
    assert [each.start - START for each in found.corrections] == [0]
    again = decide(said, series((0, 5), (HALF, 5), (HOUR, 6), (HOUR + HALF, 6)), {START: said[0].prices}, START + HOUR)
    assert (again.new, again.replaced, again.corrections) == ((), (), ())
    back = decide(series((0, 5)), known, {START: said[0].prices}, START + HOUR)
    assert [each.start - START for each in back.corrections] == [0]


def test_a_price_set_by_hand_for_longer_stands() -> None:
    """A part of it cannot be replaced; the market's word lies beside it."""
    whole = [replace(series((0, 5))[0], seconds=2 * HOUR)]
    found = decide(series((HALF, 6), (HOUR, 5)), whole, {}, 0)
    assert (found.new, found.replaced) == ((), ())
    assert [each.start - START for each in found.corrections] == [HALF]


def test_a_rule_holds_from_where_nothing_is_settled() -> None:
    """The ones before keep what they settled; one that settled nothing is forgotten."""
    other = replace(RULE, point="north")
    assert since((), RULE, START) == (RULE,)
    assert since((RULE,), other, START) == (other,)
    assert since((RULE,), other, START + HOUR) == (
        replace(RULE, until=START + HOUR),
        replace(other, since=START + HOUR),
    )
    assert since((RULE,), None, START + HOUR) == (replace(RULE, until=START + HOUR),)
    ended = replace(RULE, until=START + HALF)
    assert since((ended,), other, START + HOUR)[0] == ended


def test_gaps_and_overlaps_of_a_series_are_seen() -> None:
    """Half open, within the time asked for."""
    said = [ContextValue(0, 1, 5), ContextValue(1000, 2, 5), ContextValue(2000, 1, 6), ContextValue(5000, 1, 5)]
    assert gaps(said, 0, 8000) == [(3000, 5000), (6000, 8000)]
    assert gaps(said, 500, 3000) == []
    assert gaps([], 0, 10) == [(0, 10)]
    assert overlaps(said) == [(said[1], said[2])]
