"""The columns settle what the plain rules settle: many intervals at once, each as if it were alone."""

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from cloud.ingest.reading import Reading
from cloud.ledger.posting import AMOUNT_MICRO_MAX
from cloud.settlement.engine import nets as engine_nets, shares as engine_shares
from cloud.settlement.engine.columns import ENERGY_WH_MAX, Nets, Readings, Shares, Tariffs, Whole
from cloud.settlement.netting import QUALITIES, net
from cloud.settlement.share import grid_price, share
from cloud.tariff.price import Prices
from cloud.wire import ISLAND, Quality

VECTORS = Path(__file__).parent.parent / "vectors"
OWNERS = ("ann", "bob", "cat", "dan")
WIDTH = len(OWNERS) + 1

type Priced = tuple[Prices, Mapping[str, Prices]]


def columns(intervals: list[list[Reading]]) -> tuple[Whole, Readings]:
    """Lay readings of some intervals out in columns."""
    slots: dict[str | None, int] = {None: 0, **{owner: place for place, owner in enumerate(OWNERS, start=1)}}
    rows = [
        (
            number * WIDTH + slots[item.owner],
            number * WIDTH + slots[item.owner if item.island else item.upstream_owner],
            item.import_wh,
            item.export_wh,
            QUALITIES.index(item.quality),
        )
        for number, readings in enumerate(intervals)
        for item in readings
    ]
    slot, upstream, imported, exported, rank = (np.array([row[place] for row in rows], np.int64) for place in range(5))
    first = np.arange(len(intervals) + 1, dtype=np.int64) * WIDTH
    return first, Readings(slot, upstream, imported, exported, rank.astype(np.int8))


def tariffs(prices: list[Priced]) -> Tariffs:
    """Lay prices out in columns."""
    grid = [[own.get(owner, general) for owner in ("", *OWNERS)] for general, own in prices]
    return Tariffs(
        local=np.array([general.local_micro_per_wh is not None for general, _ in prices], np.bool_),
        local_micro=np.array([general.local_micro_per_wh or 0 for general, _ in prices], np.int64),
        buy_micro=np.array([item.grid_buy_micro_per_wh for row in grid for item in row], np.int64),
        sell_micro=np.array([item.grid_sell_micro_per_wh for row in grid for item in row], np.int64),
    )


def nets_of(net_wh: list[Mapping[str, int]]) -> tuple[Whole, Nets]:
    """Lay nets out in columns, the grid's first."""
    rows = [[-sum(item.values()), *(item.get(owner, 0) for owner in OWNERS)] for item in net_wh]
    flat = np.array(rows, np.int64).ravel()
    first = np.arange(len(net_wh) + 1, dtype=np.int64) * WIDTH
    return first, Nets(flat, np.zeros(len(flat), np.int8), np.zeros(len(net_wh), np.bool_))


def assert_shared(shares: Shares, number: int, net_wh: Mapping[str, int], priced: Priced) -> None:
    """Hold one interval's columns against the plain rule."""
    general, own = priced
    must = share(net_wh, general, own)
    assert shares.points_micro[number * WIDTH] == must.grid_points_micro
    for place, owner in enumerate(OWNERS, start=number * WIDTH + 1):
        if owner in net_wh:
            part = must.owners[owner]
            found = (shares.local_wh[place], shares.grid_wh[place], shares.points_micro[place])
            assert found == (part.local_wh, part.grid_wh, part.points_micro)
            assert shares.grid_micro[place] == grid_price(net_wh[owner], own.get(owner, general))


energy = st.integers(0, 10**9)
readings = st.lists(
    st.builds(
        lambda owner, upstream, island, imported, exported, quality: Reading(
            *("s", "t", 0, 1800, owner, None if island or upstream == owner else upstream, island),
            *(imported, exported, 0, 0, quality, 1, 1),
        ),
        st.sampled_from(OWNERS),
        st.sampled_from([None, *OWNERS]),
        st.booleans(),
        energy,
        energy,
        st.sampled_from(QUALITIES),
    ),
    max_size=8,
)
price = st.integers(-(10**6), 10**6)
prices = st.builds(Prices, st.none() | price, price, price)
priced = st.tuples(prices, st.dictionaries(st.sampled_from(OWNERS), prices))
small = st.integers(-3, 3)


def net_maps(wh: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, int]]:
    """Draw what every owner is left with."""
    return st.fixed_dictionaries(dict.fromkeys(OWNERS, wh))


@given(st.lists(readings, min_size=1, max_size=5), st.sampled_from([1, 3, 1 << 18]))
def test_columns_net_as_the_rule_does(intervals: list[list[Reading]], block: int) -> None:
    """To the Wh, with the worst quality and the grid's part, in whatever blocks the columns are worked on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_nets, "BLOCK", block)
        found = engine_nets.net(*columns(intervals))
    for number, items in enumerate(intervals):
        must, begin = net(items), number * WIDTH
        assert found.net_wh[begin] == must.grid_wh
        for place, owner in enumerate(OWNERS, start=begin + 1):
            assert found.net_wh[place] == must.net_wh.get(owner, 0)
            rank = found.rank[place]
            quality: Quality | None = QUALITIES[rank] if rank >= 0 else None
            assert quality == must.quality.get(owner)
    assert not found.beyond.any()


@settings(max_examples=300)
@given(
    st.lists(st.tuples(net_maps(st.integers(-(10**9), 10**9)) | net_maps(small), priced), min_size=1, max_size=6),
    st.sampled_from([1, 7, 1 << 18]),
)
def test_columns_share_as_the_rule_does(drawn: list[tuple[dict[str, int], Priced]], block: int) -> None:
    """The same parts, ties, prices and points, also where an owner has prices of its own."""
    first, nets = nets_of([net_wh for net_wh, _ in drawn])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_shares, "BLOCK", block)
        shares = engine_shares.share(first, nets, tariffs([item for _, item in drawn]))
    for number, (net_wh, item) in enumerate(drawn):
        assert_shared(shares, number, net_wh, item)


@given(st.lists(net_maps(st.integers(-(10**15), 10**15)), min_size=1, max_size=4))
def test_numbers_too_large_for_one_product_are_split_as_exactly(drawn: list[dict[str, int]]) -> None:
    """Where amount times weight leaves 64 bits, the plain rule does it."""
    first, nets = nets_of(list(drawn))
    free: Priced = (Prices(0, 0, 0), {})
    shares = engine_shares.share(first, nets, tariffs([free] * len(drawn)))
    for number, net_wh in enumerate(drawn):
        assert_shared(shares, number, net_wh, free)


@given(net_maps(st.integers(1, 10**6)), st.integers(1, 6))
def test_sorting_in_pieces_or_packed_gives_the_same_order(weights: dict[str, int], groups: int) -> None:
    """The remainder's order does not depend on whether it fits into one number."""
    key = np.array(list(weights.values()) * groups, np.int64)
    group = np.repeat(np.arange(groups), len(weights))
    plain = sorted(range(len(key)), key=lambda place: (group[place], key[place], place))
    assert engine_shares._by_remainder(group, key).tolist() == plain
    spread = np.append(key[:-1], 2**61)
    plain = sorted(range(len(key)), key=lambda place: (group[place], spread[place], place))
    assert engine_shares._by_remainder(group, spread).tolist() == plain


def test_what_is_beyond_limits_is_told_and_stops_no_other() -> None:
    """A reading beyond all measure, and points beyond what can be posted; the interval beside is settled."""
    huge = Reading("s", "t", 0, 1800, "ann", None, False, ENERGY_WH_MAX + 1, 0, 0, 0, "ok", 1, 1)
    plain = Reading("s", "t", 0, 1800, "ann", None, False, 5, 0, 0, 0, "ok", 1, 1)
    first, laid = columns([[huge], [plain], [plain, plain]])
    found = engine_nets.net(first, laid)
    assert found.beyond.tolist() == [True, False, False]
    assert found.net_wh[WIDTH + 1] == 5
    dear = Prices(None, AMOUNT_MICRO_MAX // 5, 0)
    shares = engine_shares.share(first, found, tariffs([(dear, {})] * 3))
    assert shares.beyond.tolist() == [True, False, True]
    assert shares.points_micro[WIDTH + 1] == -AMOUNT_MICRO_MAX
    endless = Prices(10**18, 10**18, 10**18)
    assert engine_shares.share(first, found, tariffs([(endless, {})] * 3)).beyond.all()


@pytest.mark.parametrize(
    "case", json.loads((VECTORS / "share.json").read_text())["cases"], ids=lambda case: case["name"]
)
def test_columns_agree_with_the_worked_shares(case: Any) -> None:
    """The same golden cases as the plain rule's, their owners in the order of their ids."""
    names = sorted(case["net_wh"])
    net_wh = np.array([-sum(case["net_wh"].values()), *(case["net_wh"][name] for name in names)], np.int64)
    cost = case["price_micro_per_wh"]
    slots = len(net_wh)
    found = engine_shares.share(
        np.array([0, slots], np.int64),
        Nets(net_wh, np.zeros(slots, np.int8), np.zeros(1, np.bool_)),
        Tariffs(
            np.array([cost["local"] is not None]),
            np.array([cost["local"] or 0], np.int64),
            np.full(slots, cost["grid_buy"], np.int64),
            np.full(slots, cost["grid_sell"], np.int64),
        ),
    )
    for place, name in enumerate(names, start=1):
        must = case["expect"]["owners"][name]
        assert (found.local_wh[place], found.grid_wh[place], found.points_micro[place]) == (
            must["local_wh"],
            must["grid_wh"],
            must["points_micro"],
        )
    assert found.points_micro[0] == case["expect"]["grid_points_micro"]


@pytest.mark.parametrize(
    "case", json.loads((VECTORS / "netting.json").read_text())["cases"], ids=lambda case: case["name"]
)
def test_columns_agree_with_the_worked_nets(case: Any) -> None:
    """The same golden cases as the plain rule's."""
    taps, names = case["taps"], sorted({tap["owner"] for tap in case["taps"].values()})
    slots = {name: place for place, name in enumerate(names, start=1)}
    rows = []
    for name, tap in taps.items():
        upstream = None if tap["parent"] in (None, ISLAND) else taps[tap["parent"]]["owner"]
        if upstream != tap["owner"]:
            own = slots[tap["owner"]]
            above = own if tap["parent"] == ISLAND else 0 if upstream is None else slots[upstream]
            rows.append((own, above, *case["readings_wh"][name]))
    slot, upstream, imported, exported = (np.array([row[place] for row in rows], np.int64) for place in range(4))
    laid = Readings(slot, upstream, imported, exported, np.zeros(len(rows), np.int8))
    found = engine_nets.net(np.array([0, len(names) + 1]), laid)
    assert {name: found.net_wh[slot] for name, slot in slots.items()} == case["expect"]["net_wh"]
    assert found.net_wh[0] == case["expect"]["grid_wh"]
