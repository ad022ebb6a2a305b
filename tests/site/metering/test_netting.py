"""The tap tree and its netting: the worked cases to the digit, and the laws over random trees."""

from collections.abc import Mapping
import json
from pathlib import Path
import timeit
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt.metering import TreeError, net, plant
from custom_components.commonwatt.wire import ISLAND, TreeTap

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "netting.json").read_text())

type Readings = dict[str, tuple[int, int]]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_worked_cases_come_out_to_the_digit(case: Mapping[str, Any]) -> None:
    """Each case names the tree, the energies, and what every owner and the grid get."""
    tree = plant({tap: TreeTap(member["owner"], member["parent"]) for tap, member in case["taps"].items()})
    netting = net(tree, {tap: (pair[0], pair[1]) for tap, pair in case["readings_wh"].items()})
    expect = case["expect"]
    assert netting.net_wh == expect["net_wh"]
    assert netting.grid_wh == expect["grid_wh"]
    assert {tap: list(pair) for tap, pair in netting.forwarded.items()} == expect["forwarded"]
    assert set(tree.boundary) == set(expect["forwarded"])


@st.composite
def trees(draw: st.DrawFn) -> dict[str, TreeTap]:
    """Draw a tree of up to twelve taps, in any order of parents and children, with islands."""
    count = draw(st.integers(1, 12))
    taps = {}
    for index in range(count):
        above = [None, ISLAND, *(f"T{earlier}" for earlier in range(index))]
        taps[f"T{index}"] = TreeTap(draw(st.sampled_from("abcd")), draw(st.sampled_from(above)))
    return {tap: taps[tap] for tap in draw(st.permutations(sorted(taps)))}


def readings(taps: Mapping[str, TreeTap]) -> st.SearchStrategy[Readings]:
    """Draw energies for some of the taps; one that was not measured yet has none."""
    energies = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))
    return st.dictionaries(st.sampled_from(sorted(taps)), energies)


@given(st.data())
def test_owners_and_grid_always_sum_to_zero(data: st.DataObject) -> None:
    """Energy is kept in double entry, whatever hangs where and whatever is measured."""
    taps = data.draw(trees())
    netting = net(plant(taps), data.draw(readings(taps)))
    assert sum(netting.net_wh.values()) + netting.grid_wh == 0
    assert set(netting.net_wh) == {tap.owner for tap in taps.values()}


@given(st.data())
def test_an_interior_tap_changes_nothing(data: st.DataObject) -> None:
    """A tap below one of the same owner is absorbed: no sum moves, and its reading does not leave the site."""
    taps = data.draw(trees())
    measured = data.draw(readings(taps))
    before = net(plant(taps), measured)
    parent = data.draw(st.sampled_from(sorted(taps)))
    energy = data.draw(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)))
    after = net(plant(taps | {"new": TreeTap(taps[parent].owner, parent)}), measured | {"new": energy})
    assert after == before


@given(st.data())
def test_netting_agrees_with_the_rule_as_it_is_written(data: st.DataObject) -> None:
    """Own boundary taps minus those directly below them, owner by owner; an island's first tap moves nothing."""
    taps = data.draw(trees())
    measured = data.draw(readings(taps))
    tree = plant(taps)
    expect = dict.fromkeys(tree.owners, 0)
    for tap in tree.boundary:
        import_wh, export_wh = measured.get(tap, (0, 0))
        if taps[tap].parent != ISLAND:
            expect[taps[tap].owner] += import_wh - export_wh
            if (upstream := tree.upstream_owner(tap)) is not None:
                expect[upstream] -= import_wh - export_wh
    assert net(tree, measured).net_wh == expect


def test_boundary_taps_are_those_whose_owner_changes() -> None:
    """Roots and islands are boundary taps, and a tap below another owner's; the rest stays at home."""
    tree = plant(
        {
            "inner": TreeTap("a", "root"),
            "root": TreeTap("a", None),
            "flat": TreeTap("b", "inner"),
            "line": TreeTap("b", ISLAND),
        }
    )
    assert tree.boundary == ("root", "flat", "line")
    assert [tree.upstream_owner(tap) for tap in ("root", "inner", "flat", "line")] == [None, "a", "a", None]
    assert tree.owners == ("a", "b")


@pytest.mark.parametrize(
    ("taps", "tap", "reason"),
    [
        ({"A": TreeTap("a", "A")}, "A", "loop"),
        ({"R": TreeTap("a", None), "A": TreeTap("a", "B"), "B": TreeTap("b", "A")}, "A", "loop"),
        ({"R": TreeTap("a", None), "A": TreeTap("a", "R"), "B": TreeTap("a", "gone")}, "B", "unknown_parent"),
    ],
)
def test_a_tree_that_cannot_stand_names_the_tap(taps: dict[str, TreeTap], tap: str, reason: str) -> None:
    """A loop, or a parent that is no tap, is found before anything is netted."""
    with pytest.raises(TreeError) as caught:
        plant(taps)
    assert (caught.value.tap, caught.value.reason) == (tap, reason)


def test_a_deep_tree_needs_no_recursion() -> None:
    """A thousand taps in one line are planted like any other."""
    line = {"T0": TreeTap("a", None)} | {f"T{i}": TreeTap("ab"[i % 2], f"T{i - 1}") for i in range(1, 1000)}
    assert len(plant(line).boundary) == 1000


def test_netting_a_thousand_taps_costs_a_few_walks_over_them() -> None:
    """A prepared tree is netted in one pass: at most four times a bare sum over the same readings, in the same run."""
    taps = {"T0": TreeTap("o0", None)} | {f"T{i}": TreeTap(f"o{i % 50}", f"T{i // 2}") for i in range(1, 1000)}
    tree = plant(taps)
    measured = {tap: (index, index % 7) for index, tap in enumerate(taps)}

    def bare() -> int:
        total = 0
        for tap in tree.boundary:
            import_wh, export_wh = measured[tap]
            total += import_wh - export_wh
        return total

    def best(call: Any) -> float:
        return min(timeit.repeat(call, number=20, repeat=15))

    assert best(lambda: net(tree, measured)) < 4 * best(bare)
