"""Netting and the community share: the golden vectors, and laws that hold whatever was measured, at any price."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
import json
from math import floor
from pathlib import Path
from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud.ingest.reading import Reading
from cloud.settlement.netting import QUALITIES, Netting, net
from cloud.settlement.share import share, split
from cloud.tariff.price import Prices
from cloud.wire import ISLAND, Quality

VECTORS = Path(__file__).parent.parent / "vectors"


def cases(name: str) -> list[Any]:
    """Return the golden cases of a file, each with its name as test id."""
    return [pytest.param(case, id=case["name"]) for case in json.loads((VECTORS / name).read_text())["cases"]]


@dataclass(frozen=True)
class Tap:
    """A tap of a random tree."""

    owner: str
    parent: str | None


def boundary(taps: Mapping[str, Tap], readings_wh: Mapping[str, tuple[int, int]]) -> list[Reading]:
    """Return what would leave the site: the readings of taps whose owner differs from the one upstream."""
    found = []
    for name, tap in taps.items():
        hangs_on = taps.get(tap.parent) if tap.parent else None
        upstream = hangs_on.owner if hangs_on else None
        if upstream != tap.owner:
            imported, exported = readings_wh[name]
            found.append(reading(name, tap.owner, upstream, imported, exported, island=tap.parent == ISLAND))
    return found


def reading(
    tap: str,
    owner: str,
    upstream: str | None,
    imported: int,
    exported: int,
    *,
    island: bool = False,
    quality: Quality = "ok",
) -> Reading:
    return Reading("s", tap, 0, 1800, owner, upstream, island, imported, exported, 0, 0, quality, 1, 1)


@pytest.mark.parametrize("case", cases("netting.json"))
def test_netting_agrees_with_the_worked_cases(case: Any) -> None:
    """Absorbed inside, one owner's energy subtracted from the other's, islands apart."""
    taps = {name: Tap(**tap) for name, tap in case["taps"].items()}
    netting = net(boundary(taps, case["readings_wh"]))
    assert dict(netting.net_wh) == case["expect"]["net_wh"]
    assert netting.grid_wh == case["expect"]["grid_wh"]


@pytest.mark.parametrize("case", cases("share.json"))
def test_the_share_agrees_with_the_worked_cases(case: Any) -> None:
    """Local first, then the grid, to the last micro-point."""
    prices = Prices(**{f"{name}_micro_per_wh": price for name, price in case["price_micro_per_wh"].items()})
    shared = share(case["net_wh"], prices)
    parts = {
        owner: {"local_wh": part.local_wh, "grid_wh": part.grid_wh, "points_micro": part.points_micro}
        for owner, part in shared.owners.items()
    }
    assert parts == case["expect"]["owners"]
    assert shared.grid_points_micro == case["expect"]["grid_points_micro"]


owners = st.sampled_from(["ann", "bob", "cat", "dan"])
energy = st.integers(0, 10**9)


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[str, Tap], dict[str, tuple[int, int]]]:
    """Draw a tree with islands, and a reading for every tap."""
    taps: dict[str, Tap] = {}
    for number in range(draw(st.integers(1, 12))):
        parent = draw(st.sampled_from([None, ISLAND, *taps]))
        taps[f"T{number}"] = Tap(draw(owners), parent)
    return taps, {name: (draw(energy), draw(energy)) for name in taps}


@given(trees())
def test_the_owners_nets_and_the_grids_sum_to_zero(drawn: tuple[dict[str, Tap], dict[str, tuple[int, int]]]) -> None:
    """And the grid's is what crossed the roots that hang on it, counted the other way."""
    taps, readings_wh = drawn
    netting = net(boundary(taps, readings_wh))
    roots = [readings_wh[name] for name, tap in taps.items() if tap.parent is None]
    assert sum(netting.net_wh.values()) + netting.grid_wh == 0
    assert netting.grid_wh == sum(exported - imported for imported, exported in roots)


@given(trees(), st.data())
def test_an_interior_tap_changes_nothing(
    drawn: tuple[dict[str, Tap], dict[str, tuple[int, int]]], data: st.DataObject
) -> None:
    """What an owner measures behind their own tap is their own business."""
    taps, readings_wh = drawn
    above = data.draw(st.sampled_from(sorted(taps)))
    more = taps | {"inner": Tap(taps[above].owner, above)}
    assert net(boundary(more, readings_wh | {"inner": (data.draw(energy), data.draw(energy))})) == net(
        boundary(taps, readings_wh)
    )


@given(trees(), st.randoms())
def test_netting_does_not_depend_on_the_order_of_readings(
    drawn: tuple[dict[str, Tap], dict[str, tuple[int, int]]], chance: Any
) -> None:
    """Sites report in any order."""
    readings = boundary(*drawn)
    shuffled = list(readings)
    chance.shuffle(shuffled)
    assert net(shuffled) == net(readings)


@given(st.lists(st.sampled_from(QUALITIES), min_size=1, max_size=4), st.lists(st.sampled_from(QUALITIES), max_size=3))
def test_the_quality_is_the_worst_that_moved_the_owners_energy(own: list[Quality], below: list[Quality]) -> None:
    """Of their own taps and of those hanging directly below; the neighbour below sees only their own."""
    readings = [reading(f"O{n}", "ann", None, 1, 0, quality=quality) for n, quality in enumerate(own)]
    readings += [reading(f"B{n}", "bob", "ann", 1, 0, quality=quality) for n, quality in enumerate(below)]
    quality = net(readings).quality
    assert quality["ann"] == max([*own, *below], key=QUALITIES.index)
    assert quality.get("bob") == (max(below, key=QUALITIES.index) if below else None)


def test_a_netting_that_lost_energy_cannot_be_made() -> None:
    """The invariant stands in the value."""
    with pytest.raises(AssertionError, match="lost energy"):
        Netting({"ann": 5}, -4, {"ann": "ok"})


nets = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(-(10**9), 10**9), max_size=8)
price = st.integers(-(10**6), 10**6)
prices = st.builds(Prices, st.none() | price, price, price)


@given(nets, prices)
def test_energy_and_points_are_shared_to_zero(net_wh: dict[str, int], cost: Prices) -> None:
    """Each owner's parts make their net; the community's own trade sums to zero, and so do all points."""
    shared = share(net_wh, cost)
    assert {owner: part.local_wh + part.grid_wh for owner, part in shared.owners.items()} == net_wh
    assert sum(part.local_wh for part in shared.owners.values()) == 0
    assert sum(part.points_micro for part in shared.owners.values()) + shared.grid_points_micro == 0


@given(nets, prices)
def test_nobody_trades_against_their_own_side(net_wh: dict[str, int], cost: Prices) -> None:
    """A buyer only takes and a seller only gives, locally and with the grid; one side trades everything locally."""
    parts = share(net_wh, cost).owners
    for owner, wh in net_wh.items():
        assert min(0, wh) <= parts[owner].local_wh <= max(0, wh)
        assert min(0, wh) <= parts[owner].grid_wh <= max(0, wh)
    taking = sum(part.grid_wh for part in parts.values() if part.grid_wh > 0)
    giving = -sum(part.grid_wh for part in parts.values() if part.grid_wh < 0)
    assert cost.local_micro_per_wh is None or min(taking, giving) == 0


@given(nets, prices)
def test_points_are_priced_to_the_unit(net_wh: dict[str, int], cost: Prices) -> None:
    """Local Wh at the local price, the rest at the grid's price of the owner's side; nothing else."""
    for owner, part in share(net_wh, cost).owners.items():
        side = cost.grid_buy_micro_per_wh if net_wh[owner] > 0 else cost.grid_sell_micro_per_wh
        assert part.points_micro == -part.local_wh * (cost.local_micro_per_wh or 0) - part.grid_wh * side


def by_hand(net_wh: Mapping[str, int], cost: Prices) -> dict[str, tuple[int, Fraction]]:
    """Share by another way: exact fractions floored, then one Wh at a time to whoever lost most by it."""
    bought = sum(wh for wh in net_wh.values() if wh > 0)
    sold = -sum(wh for wh in net_wh.values() if wh < 0)
    traded = min(bought, sold) if cost.local_micro_per_wh is not None else 0
    local = dict.fromkeys(net_wh, 0)
    for sign, side_wh in ((1, bought), (-1, sold)):
        side = sorted(owner for owner, wh in net_wh.items() if wh * sign > 0)
        exact = {owner: Fraction(traded * abs(net_wh[owner]), side_wh) for owner in side}
        given_out = {owner: floor(exact[owner]) for owner in side}
        while side and sum(given_out.values()) < traded:
            given_out[max(side, key=lambda owner: exact[owner] - given_out[owner])] += (
                1  # max takes the first of equals
            )
        local |= {owner: sign * given_out[owner] for owner in side}
    buy, sell = Fraction(cost.grid_buy_micro_per_wh), Fraction(cost.grid_sell_micro_per_wh)
    return {
        owner: (
            local[owner],
            -Fraction(cost.local_micro_per_wh or 0) * local[owner] - (wh - local[owner]) * (buy if wh > 0 else sell),
        )
        for owner, wh in net_wh.items()
    }


@given(nets | st.dictionaries(st.sampled_from("abcdef"), st.integers(-3, 3)), prices)
def test_the_share_is_what_another_hand_works_out(net_wh: dict[str, int], cost: Prices) -> None:
    """Clean-room: the rule written a second time, in fractions and single steps, gives the same to the unit."""
    shared = share(net_wh, cost).owners
    parts = {owner: (part.local_wh, Fraction(part.points_micro)) for owner, part in shared.items()}
    assert parts == by_hand(net_wh, cost)


@given(nets, price, price)
def test_without_a_local_price_everything_is_the_grids(net_wh: dict[str, int], buy: int, sell: int) -> None:
    """A community may have no market of its own."""
    shared = share(net_wh, Prices(None, buy, sell))
    assert all(part.local_wh == 0 for part in shared.owners.values())


@given(nets, prices, st.randoms())
def test_the_share_does_not_depend_on_the_order_of_owners(net_wh: dict[str, int], cost: Prices, chance: Any) -> None:
    """The same owners in any order get the same."""
    names = list(net_wh)
    chance.shuffle(names)
    assert share({name: net_wh[name] for name in names}, cost) == share(net_wh, cost)


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_a_split_is_the_fairest_there_is(weights: dict[str, int], data: st.DataObject) -> None:
    """Clean-room: of all whole splits, largest remainders is the nearest to the exact ones; ties go to smaller ids.

    Found by trying them all: minimal largest distance summed by squares, then the list of parts by id, largest first.
    """
    amount = data.draw(st.integers(0, min(8, sum(weights.values()))))
    names = sorted(weights)
    total = sum(weights.values())

    def distance(parts: tuple[int, ...]) -> int:
        return sum((part * total - amount * weights[name]) ** 2 for name, part in zip(names, parts, strict=True))

    tried = [parts for parts in whole_splits(amount, len(names)) if sum(parts) == amount]
    nearest = min(distance(parts) for parts in tried)
    best = max(parts for parts in tried if distance(parts) == nearest)
    assert split(amount, weights) == dict(zip(names, best, strict=True))


def whole_splits(amount: int, count: int) -> list[tuple[int, ...]]:
    """Return every way to write an amount as so many whole parts."""
    if count == 1:
        return [(amount,)]
    return [(part, *rest) for part in range(amount + 1) for rest in whole_splits(amount - part, count - 1)]


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(1, 10**12), min_size=1), st.data())
def test_a_split_adds_up_and_gives_nobody_more_than_their_weight(weights: dict[str, int], data: st.DataObject) -> None:
    """Each part is its exact share, rounded one way or the other."""
    total = sum(weights.values())
    amount = data.draw(st.integers(0, total))
    parts = split(amount, weights)
    assert sum(parts.values()) == amount
    for name, weight in weights.items():
        assert amount * weight // total <= parts[name] <= -(-amount * weight // total)
        assert parts[name] <= weight


def test_equal_remainders_go_to_the_smaller_id_whatever_the_order() -> None:
    """Code points decide, the same on every machine."""
    for order in permutations(["b", "a", "B"]):
        assert split(2, dict.fromkeys(order, 1)) == {"B": 1, "a": 1, "b": 0}


def test_naive_rounding_would_not_add_up() -> None:
    """The control: rounding each part by itself loses or makes energy, which is why the split is what it is."""
    naive = [round(2 * weight / 3) for weight in (1, 1, 1)]
    assert sum(naive) != 2
    assert sum(split(2, {"a": 1, "b": 1, "c": 1}).values()) == 2
