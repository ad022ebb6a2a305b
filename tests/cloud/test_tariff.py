"""Prices are rounded once, refused when they are none, and never changed behind what they settled."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from hypothesis import given, strategies as st
import pytest
from sqlalchemy import Connection

from cloud.database import Database
from cloud.tariff import store
from cloud.tariff.book import Priced
from cloud.tariff.price import NotAPrice, Prices, PriceTexts, read_prices
from cloud.tariff.validity import Gap, Overlap, Tariff, gaps, in_force, judge

from .ground import HALF_HOUR, NOON, PRICES, OpenDatabase, found, set_tariff

CHEAP = PriceTexts(local=None, grid_buy="10", grid_sell="-1")
CHEAP_PRICES = Prices(None, 10_000, -1_000)


def micro(text: str) -> int:
    """Read one text as a price."""
    prices = read_prices(PriceTexts(None, text, "0"))
    assert isinstance(prices, Prices)
    return prices.grid_buy_micro_per_wh


@pytest.mark.parametrize(
    ("text", "micro_per_wh"),
    [
        ("30", 30_000),
        ("21.5", 21_500),
        ("-0.125", -125),
        ("0", 0),
        ("-0", 0),
        ("0.0005", 0),  # half a micro-point per Wh goes to the even side
        ("0.0015", 2),
        ("0.0025", 2),
        ("-0.0015", -2),
        ("0.000501", 1),
        ("999999.999999", 1_000_000_000),
    ],
)
def test_a_price_is_rounded_half_to_even(text: str, micro_per_wh: int) -> None:
    """Points per kWh become whole micro-points per Wh."""
    assert micro(text) == micro_per_wh


@given(st.decimals(-999_999, 999_999, places=6, allow_nan=False))
def test_rounding_is_the_nearest_whole_number_and_even_at_the_middle(price: Decimal) -> None:
    """Against exact fractions."""
    exact = Fraction(price) * 1000
    found_micro = micro(f"{price:f}")
    assert abs(found_micro - exact) <= Fraction(1, 2)
    assert abs(found_micro - exact) < Fraction(1, 2) or found_micro % 2 == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+1",
        "1e3",
        "NaN",
        "Infinity",
        "1,5",
        ".5",
        "1.",
        "0x1f",
        "01",
        "1.0000001",
        "1000000",
        "--1",
        "\uff11",
    ],
)
def test_what_is_no_price_is_refused_by_name(text: str) -> None:
    """The member is named and what a price looks like is said."""
    refused = read_prices(PriceTexts("20", "30", text))
    assert isinstance(refused, NotAPrice)
    assert refused.where == "grid_sell"
    assert "points per kWh" in str(refused)


@given(st.lists(st.integers(0, 20), unique=True).map(sorted), st.integers(0, 25))
def test_the_newest_tariff_begun_is_in_force(valid_froms: list[int], start: int) -> None:
    """Before the first there is none."""
    tariff = in_force([Tariff(at, PRICES) for at in valid_froms], start)
    begun = [at for at in valid_froms if at <= start]
    assert (tariff.valid_from if tariff else None) == (begun[-1] if begun else None)


def test_prices_that_settled_something_stand() -> None:
    """The same again is fine; a change under or after a beginning that intervals have passed is not."""
    unused, used = Tariff(100, PRICES), Tariff(100, PRICES, used_through=200)
    assert judge(Tariff(50, CHEAP_PRICES), [], []) == "created"
    assert judge(Tariff(100, PRICES), [unused], []) == "exists"
    assert judge(Tariff(100, PRICES), [used], [(100, 200)]) == "exists"
    assert judge(Tariff(100, CHEAP_PRICES), [unused], []) == "replaced"
    assert judge(Tariff(100, CHEAP_PRICES), [used], [(100, 200)]) == "settled"
    assert judge(Tariff(199, CHEAP_PRICES), [used], [(100, 200)]) == "settled"
    assert judge(Tariff(200, CHEAP_PRICES), [used], [(100, 200)]) == "created"
    assert judge(Tariff(50, CHEAP_PRICES), [used], [(100, 200)]) == "created"
    assert judge(Tariff(150, CHEAP_PRICES), [unused], []) == "created"


def test_a_tariff_that_settled_may_end_where_nothing_is_settled_yet() -> None:
    """Its prices stand all the same; an end within what they settled, or one taken back, is judged by what it moves."""
    used = Tariff(100, PRICES, used_through=200)
    ended = Tariff(100, PRICES, used_through=200, valid_until=300)
    assert judge(Tariff(100, PRICES, valid_until=199), [used], [(100, 200)]) == "settled"
    assert judge(Tariff(100, PRICES, valid_until=200), [used], [(100, 200)]) == "replaced"
    assert judge(Tariff(100, PRICES), [ended], [(100, 200)]) == "replaced"
    assert judge(Tariff(100, CHEAP_PRICES, valid_until=300), [ended], [(100, 200)]) == "settled"


def test_closed_tariffs_do_not_overlap() -> None:
    """One may begin where another ends; an open one gives way to the next."""
    closed, opened = Tariff(100, PRICES, valid_until=200), Tariff(300, PRICES)
    assert judge(Tariff(150, PRICES), [closed, opened], []) == Overlap(closed)
    assert judge(Tariff(50, PRICES, valid_until=101), [closed, opened], []) == Overlap(closed)
    assert judge(Tariff(50, PRICES), [closed, opened], []) == "created"
    assert judge(Tariff(200, PRICES, valid_until=301), [closed, opened], []) == Overlap(opened)
    assert judge(Tariff(200, PRICES, valid_until=300), [closed, opened], []) == "created"
    assert judge(Tariff(400, PRICES), [closed, opened], []) == "created"


def test_an_own_tariff_does_not_reach_back_into_what_the_community_has_settled() -> None:
    """Not before it, not across it; it may end before it, or begin after it."""
    settled = [(100, 200)]
    assert judge(Tariff(150, PRICES, owner="anna"), [], settled) == "settled"
    assert judge(Tariff(50, PRICES, owner="anna"), [], settled) == "settled"
    assert judge(Tariff(50, PRICES, valid_until=100, owner="anna"), [], settled) == "created"
    assert judge(Tariff(200, PRICES, owner="anna"), [], settled) == "created"


def test_a_time_without_a_tariff_is_a_gap() -> None:
    """Between closed ones and after the last; an open one leaves none."""
    closed, later = Tariff(100, PRICES, valid_until=200), Tariff(300, PRICES, valid_until=400)
    assert gaps([closed, later]) == [Gap(200, 300), Gap(400, None)]
    assert gaps([closed, Tariff(200, PRICES)]) == []
    assert gaps([]) == []


def prices_at(conn: Connection, start: int) -> Prices | None:
    """Return what an owner without a tariff of its own pays."""
    priced = store.book(conn, "lane", start, start).at(start, "anna")
    return None if priced is None else priced.prices


@pytest.fixture
def database(open_database: OpenDatabase, tmp_path: Path) -> Iterator[Database]:
    """Open a database with a community that has no tariff yet."""
    opened = open_database(tmp_path)
    with opened.engine.begin() as conn:
        found(conn, tariff_from=None)
    yield opened
    opened.dispose()


def test_there_is_no_price_before_the_first_tariff(database: Database) -> None:
    """Settlement waits; it does not guess."""
    with database.engine.begin() as conn:
        assert prices_at(conn, NOON) is None
        assert store.first_valid_from(conn, "lane") is None
        assert set_tariff(conn, "lane", NOON) == "created"
        assert prices_at(conn, NOON - 1) is None
        assert prices_at(conn, NOON) == PRICES
        assert store.first_valid_from(conn, "lane") == NOON


def test_a_tariff_is_kept_with_the_texts_it_was_read_from(database: Database) -> None:
    """A community without a market of its own has no local price."""
    with database.engine.begin() as conn:
        assert set_tariff(conn, "lane", NOON, CHEAP) == "created"
        assert set_tariff(conn, "lane", NOON, CHEAP) == "exists"
        row = conn.execute(store.tariff_table.select()).one()
        assert (row.local_text, row.grid_buy_text, row.grid_sell_text) == (None, "10", "-1")
        assert prices_at(conn, NOON + 10**9) == CHEAP_PRICES


def test_a_tariff_begins_where_an_interval_begins(database: Database) -> None:
    """An interval has one price."""
    with database.engine.begin() as conn:
        assert set_tariff(conn, "lane", NOON + 1) == "off-boundary"
        assert set_tariff(conn, "nowhere", NOON) == "no-community"
        assert prices_at(conn, NOON + 1) is None


def test_a_tariff_cannot_come_between_what_is_settled(database: Database) -> None:
    """Where the intervals after its beginning were settled by another, it is refused; before any use it is not."""
    with database.engine.begin() as conn:
        set_tariff(conn, "lane", NOON)
        assert set_tariff(conn, "lane", NOON, CHEAP) == "replaced"
        book = store.held_book(conn, "lane", NOON + HALF_HOUR, NOON + HALF_HOUR)
        assert book.at(NOON + HALF_HOUR, "anna") == Priced(CHEAP_PRICES, ("", NOON), None)
        store.mark_used(conn, "lane", {("", NOON): NOON + 2 * HALF_HOUR})
        assert set_tariff(conn, "lane", NOON) == "settled"
        assert set_tariff(conn, "lane", NOON, CHEAP) == "exists"
        assert set_tariff(conn, "lane", NOON + HALF_HOUR) == "settled"
        assert set_tariff(conn, "lane", NOON + 2 * HALF_HOUR) == "created"
        assert set_tariff(conn, "lane", NOON - HALF_HOUR) == "created"
        assert prices_at(conn, NOON + HALF_HOUR) == CHEAP_PRICES


def test_how_far_a_tariff_was_used_never_goes_back(database: Database) -> None:
    """Intervals are settled in any order."""
    with database.engine.begin() as conn:
        set_tariff(conn, "lane", NOON)
        for end in (NOON + 3 * HALF_HOUR, NOON + HALF_HOUR):
            store.mark_used(conn, "lane", {("", NOON): end})
        [found_again] = store.tariffs_of(conn, "lane", "")
        assert found_again.used_through == NOON + 3 * HALF_HOUR


def test_the_tariffs_of_a_span_begin_with_the_one_in_force_there(database: Database) -> None:
    """Older ones are history, later ones are not yet."""
    with database.engine.begin() as conn:
        for hours in range(0, 10, 2):
            set_tariff(conn, "lane", NOON + hours * 3600)
        spans = [
            store.book(conn, "lane", NOON + a * 3600, NOON + b * 3600).tariffs.get("", ())
            for a, b in ((3, 5), (2, 4), (-2, -1))
        ]
        begun = [[(tariff.valid_from - NOON) // 3600 for tariff in span] for span in spans]
        assert begun == [[2, 4], [2, 4], []]
