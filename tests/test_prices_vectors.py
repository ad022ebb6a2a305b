"""The golden prices: what the cloud writes, the site reads, to the byte; and what is not the language is refused."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud import wire as cloud_wire
from cloud.wire import BODY_BYTES_MAX, WireError, prices as cloud_prices, to_bytes
from cloud.wire.prices import PRICE_MICRO_MAX, PRICE_VALUES_MAX, OwnerPrices, Prices, parse_prices
from custom_components.commonwatt import wire as site_wire
from custom_components.commonwatt.wire import prices as site_prices

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "prices.json").read_text())
SIDES = pytest.mark.parametrize(
    ("wire", "prices"), [(cloud_wire, cloud_prices), (site_wire, site_prices)], ids=["cloud", "site"]
)


@SIDES
def test_golden_prices_are_read_and_written(wire: ModuleType, prices: ModuleType) -> None:
    """Their text is these values, and these values are their text."""
    told = prices.parse_prices(GOLDEN["text"].encode())
    assert (told.start, told.seconds, told.count, told.end) == (GOLDEN["start"], 1800, 3, GOLDEN["start"] + 5400)
    assert (told.currency, told.points_per_unit) == ("EUR", 100)
    assert list(told.local_micro_per_wh) == GOLDEN["local"]
    assert {
        owner: [list(own.grid_buy_micro_per_wh), list(own.grid_sell_micro_per_wh)] for owner, own in told.owners.items()
    } == GOLDEN["owners"]
    assert wire.to_bytes(told).decode() == GOLDEN["text"]
    bare = prices.parse_prices(GOLDEN["bare"].encode())
    assert (bare.currency, bare.points_per_unit) == (None, None)
    assert wire.to_bytes(bare).decode() == GOLDEN["bare"]


@SIDES
@pytest.mark.parametrize("data", GOLDEN["refused"], ids=json.dumps)
def test_prices_that_say_something_else_are_refused(wire: ModuleType, prices: ModuleType, data: Any) -> None:
    """Nothing is guessed of what costs money."""
    with pytest.raises(wire.WireError):
        prices.parse_prices(wire.to_bytes(data))


columns = st.integers(1, 5).flatmap(
    lambda count: st.tuples(
        *[
            st.lists(st.none() | st.integers(-PRICE_MICRO_MAX, PRICE_MICRO_MAX), min_size=count, max_size=count).map(
                tuple
            )
        ]
        * 3
    )
)


@given(columns, st.integers(0, 2_000_000), st.sampled_from([60, 300, 900, 1800]))
def test_prices_are_read_as_they_were_written(
    column: tuple[tuple[int | None, ...], ...], half_hour: int, seconds: int
) -> None:
    """Writing and strict reading are inverse."""
    local, buy, sell = column
    told = Prices("s", "c", half_hour * 1800, seconds, len(local), local, {"anna": OwnerPrices(buy, sell)})
    assert parse_prices(to_bytes(told)) == told


def test_the_most_that_an_answer_may_hold_fits_into_a_body() -> None:
    """With the longest prices and names there are."""
    owners, longest = 1000, -PRICE_MICRO_MAX
    count = PRICE_VALUES_MAX // (1 + 2 * owners)
    own = OwnerPrices((longest,) * count, (longest,) * count)
    few = Prices("s" * 64, "c" * 64, 0, 60, count, (longest,) * count, {f"{n:064}": own for n in range(owners)})
    one = OwnerPrices((longest,) * (PRICE_VALUES_MAX // 3), (longest,) * (PRICE_VALUES_MAX // 3))
    long = Prices("s", "c", 0, 60, PRICE_VALUES_MAX // 3, (longest,) * (PRICE_VALUES_MAX // 3), {"anna": one})
    for told in (few, long):
        assert len(to_bytes(told)) <= BODY_BYTES_MAX
        assert parse_prices(to_bytes(told)) == told
    with pytest.raises(WireError):
        parse_prices(to_bytes(Prices("s", "c", 0, 60, 2, (1,), {})))
