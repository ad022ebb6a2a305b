"""From registers to energy: every Wh is shown by the meter, or the batch is held."""

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud.ingest.derive import Ground, Held, Neighbours, held_by_itself, held_by_neighbours, readings_of
from cloud.sites.trees.boundary import BoundaryTap
from cloud.wire import GENESIS, Batch, Intervals, Quality, TapColumns

TAP = BoundaryTap("anna", None, island=False)
OK: Quality = "ok"
NOTHING = Neighbours({}, {}, overlap=False)


def intervals(opening: int, energies: list[int]) -> Intervals:
    """Return intervals of one tap that imported so much in each."""
    registers, register = [], opening
    for energy in energies:
        register += energy
        registers.append((register, 7))
    count = len(energies)
    columns = TapColumns("anna", None, tuple(energies), (0,) * count, tuple(registers), (OK,) * count)
    return Intervals(0, 1800, count, 1, {"t": columns})


energies = st.lists(st.integers(0, 10**9), min_size=1, max_size=8)


@given(st.integers(0, 10**12), energies)
def test_what_the_registers_say_is_taken(opening: int, measured: list[int]) -> None:
    """Whatever was measured, a truthful batch is never held, with neighbours or without."""
    batch = intervals(opening, measured)
    around = Neighbours({"t": (opening, 7)}, {"t": (opening + sum(measured), 7)}, overlap=False)
    assert held_by_neighbours(batch, NOTHING) is None
    assert held_by_neighbours(batch, around) is None


@given(st.integers(0, 10**12), energies, st.data())
def test_a_single_wh_more_or_less_is_seen(opening: int, measured: list[int], data: st.DataObject) -> None:
    """Any one energy or register changed by anything breaks the batch, if its neighbours are there."""
    batch = intervals(opening, measured)
    columns = batch.taps["t"]
    place, lie = data.draw(st.integers(0, len(measured) - 1)), data.draw(st.integers(1, 10**6))
    changed: dict[str, Any] = {}
    if data.draw(st.booleans()):
        changed["import_wh"] = (
            *columns.import_wh[:place],
            columns.import_wh[place] + lie,
            *columns.import_wh[place + 1 :],
        )
    else:
        register = (columns.register_wh[place][0] + lie, 7)
        changed["register_wh"] = (*columns.register_wh[:place], register, *columns.register_wh[place + 1 :])
    forged = replace(batch, taps={"t": replace(columns, **changed)})
    around = Neighbours({"t": (opening, 7)}, {"t": (opening + sum(measured), 7)}, overlap=False)
    assert held_by_neighbours(forged, around) == Held("registers-differ")


@pytest.mark.parametrize(
    ("neighbours", "held"),
    [
        (NOTHING, None),
        (Neighbours({"t": (100, 7)}, {}, overlap=False), None),
        (Neighbours({"t": (99, 7)}, {}, overlap=False), Held("registers-differ")),
        (Neighbours({"t": (100, 8)}, {}, overlap=False), Held("registers-differ")),
        (Neighbours({}, {"t": (130, 7)}, overlap=False), None),
        (Neighbours({}, {"t": (131, 7)}, overlap=False), Held("registers-differ")),
        (Neighbours({"other": (0, 0)}, {"other": (0, 0)}, overlap=False), None),
        (Neighbours({}, {}, overlap=True), Held("overlap")),
    ],
)
def test_neighbours_must_meet(neighbours: Neighbours, held: Held | None) -> None:
    """Registers continue from the reading before and into the reading after, each tap by itself."""
    assert held_by_neighbours(intervals(100, [10, 20]), neighbours) == held


def test_a_first_reading_cannot_exceed_its_register() -> None:
    """A meter cannot have counted less in its life than in this interval, unless it was reset."""
    columns = TapColumns("anna", None, (10,), (0,), ((9, 0),), ("ok",))
    batch = Intervals(0, 1800, 1, 1, {"t": columns})
    assert held_by_neighbours(batch, NOTHING) == Held("registers-differ")
    reset = replace(batch, taps={"t": replace(columns, quality=("reset",))})
    assert held_by_neighbours(reset, NOTHING) is None


@pytest.mark.parametrize(
    ("ground", "held"),
    [
        (Ground((0, {"t": TAP}), 1800, 1800), None),
        (Ground((0, {"t": TAP}), 1800, 1500), None),
        (Ground((0, {"t": TAP}), 1800, 1499), Held("future", 1500)),
        (Ground(None, 1800, 1800), Held("unknown-tree")),
        (Ground((1800, {"t": TAP}), 1800, 1800), Held("tree-not-valid-yet")),
        (Ground((0, {"t": TAP}), 900, 1800), Held("interval-length")),
        (Ground((0, {"t": TAP, "u": TAP}), 1800, 1800), Held("taps-differ")),
        (Ground((0, {}), 1800, 1800), Held("taps-differ")),
        (Ground((0, {"t": replace(TAP, owner="ben")}), 1800, 1800), Held("owners-differ")),
        (Ground((0, {"t": replace(TAP, upstream_owner="ben")}), 1800, 1800), Held("owners-differ")),
    ],
)
def test_a_batch_is_judged_by_itself(ground: Ground, held: Held | None) -> None:
    """Its time, its tree, its interval, its taps and their owners."""
    assert held_by_itself(intervals(0, [5]), ground) == held


def test_readings_point_back_to_their_batch() -> None:
    """One per tap and interval, in the batch's own numbers."""
    batch = Batch("s", 3, 9, GENESIS, 3600, intervals(100, [10, 20]))
    assert batch.intervals is not None
    first, second = readings_of(batch, batch.intervals, {"t": TAP})
    assert (first.start, first.import_wh, first.import_register_wh) == (0, 10, 110)
    assert (second.start, second.import_wh, second.import_register_wh) == (1800, 20, 130)
    assert {(reading.epoch, reading.seq, reading.site, reading.tap) for reading in (first, second)} == {
        (3, 9, "s", "t")
    }
