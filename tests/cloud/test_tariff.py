"""Prices are rounded once, refused when they are none, and never changed behind what they settled."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from hypothesis import given, strategies as st
import pytest

from cloud.database import Database
from cloud.tariff import store
from cloud.tariff.price import NotAPrice, Prices, PriceTexts, read_prices
from cloud.tariff.validity import Tariff, in_force, judge

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
    assert judge(None, Tariff(50, CHEAP_PRICES)) == "created"
    assert judge(unused, Tariff(100, PRICES)) == "exists"
    assert judge(used, Tariff(100, PRICES)) == "exists"
    assert judge(unused, Tariff(100, CHEAP_PRICES)) == "replaced"
    assert judge(used, Tariff(100, CHEAP_PRICES)) == "settled"
    assert judge(used, Tariff(199, CHEAP_PRICES)) == "settled"
    assert judge(used, Tariff(200, CHEAP_PRICES)) == "created"
    assert judge(unused, Tariff(150, CHEAP_PRICES)) == "created"


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
        assert store.prices_at(conn, "lane", NOON) is None
        assert store.first_valid_from(conn, "lane") is None
        assert set_tariff(conn, "lane", NOON) == "created"
        assert store.prices_at(conn, "lane", NOON - 1) is None
        assert store.prices_at(conn, "lane", NOON) == PRICES
        assert store.first_valid_from(conn, "lane") == NOON


def test_a_tariff_is_kept_with_the_texts_it_was_read_from(database: Database) -> None:
    """A community without a market of its own has no local price."""
    with database.engine.begin() as conn:
        assert set_tariff(conn, "lane", NOON, CHEAP) == "created"
        assert set_tariff(conn, "lane", NOON, CHEAP) == "exists"
        row = conn.execute(store.tariff_table.select()).one()
        assert (row.local_text, row.grid_buy_text, row.grid_sell_text) == (None, "10", "-1")
        assert store.prices_at(conn, "lane", NOON + 10**9) == CHEAP_PRICES


def test_a_tariff_begins_where_an_interval_begins(database: Database) -> None:
    """An interval has one price."""
    with database.engine.begin() as conn:
        assert set_tariff(conn, "lane", NOON + 1) == "off-boundary"
        assert set_tariff(conn, "nowhere", NOON) == "no-community"
        assert store.prices_at(conn, "lane", NOON + 1) is None


def test_a_tariff_cannot_come_between_what_is_settled(database: Database) -> None:
    """Where the intervals after its beginning were settled by another, it is refused; before any use it is not."""
    with database.engine.begin() as conn:
        set_tariff(conn, "lane", NOON)
        assert set_tariff(conn, "lane", NOON, CHEAP) == "replaced"
        tariff = store.held_at(conn, "lane", NOON + HALF_HOUR)
        assert tariff == Tariff(NOON, CHEAP_PRICES)
        store.mark_used(conn, "lane", tariff, NOON + 2 * HALF_HOUR)
        assert set_tariff(conn, "lane", NOON) == "settled"
        assert set_tariff(conn, "lane", NOON, CHEAP) == "exists"
        assert set_tariff(conn, "lane", NOON + HALF_HOUR) == "settled"
        assert set_tariff(conn, "lane", NOON + 2 * HALF_HOUR) == "created"
        assert set_tariff(conn, "lane", NOON - HALF_HOUR) == "created"
        assert store.prices_at(conn, "lane", NOON + HALF_HOUR) == CHEAP_PRICES


def test_how_far_a_tariff_was_used_never_goes_back(database: Database) -> None:
    """Intervals are settled in any order."""
    with database.engine.begin() as conn:
        set_tariff(conn, "lane", NOON)
        for end in (NOON + 3 * HALF_HOUR, NOON + HALF_HOUR):
            tariff = store.held_at(conn, "lane", NOON)
            assert tariff is not None
            store.mark_used(conn, "lane", tariff, end)
        found_again = store.tariff_at(conn, "lane", NOON)
        assert found_again is not None
        assert found_again.used_through == NOON + 3 * HALF_HOUR


def test_the_tariffs_of_a_span_begin_with_the_one_in_force_there(database: Database) -> None:
    """Older ones are history, later ones are not yet."""
    with database.engine.begin() as conn:
        for hours in range(0, 10, 2):
            set_tariff(conn, "lane", NOON + hours * 3600)
        spans = [
            store.tariffs_between(conn, "lane", NOON + a * 3600, NOON + b * 3600) for a, b in ((3, 5), (2, 4), (-2, -1))
        ]
        begun = [[(tariff.valid_from - NOON) // 3600 for tariff in span] for span in spans]
        assert begun == [[2, 4], [2, 4], []]
