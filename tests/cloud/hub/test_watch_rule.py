"""What follows from measured values, what is out of tolerance, what flows through the grid: pure, reckoned by hand."""

from collections.abc import Mapping
import json
from pathlib import Path
import re
from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud.hub.quantity import Quantity
from cloud.hub.watch.flow import Flow, chains, flows, unbalance
from cloud.hub.watch.limit import POWER_FACTOR_MVA_MIN, WHOLE, Limit, Limits, Out, judged, limit_of
from cloud.hub.watch.limits.bodies import WatchLimitsBody
from cloud.hub.watch.physics import TOGETHER_MS_MAX, Value, completed, divided, root
from cloud.hub.watch.rule import watch
from cloud.hub.watch.sight.streams import nearest
from cloud.hub.watch.system import System, phase_of, seen
from cloud.hub.wiring.bodies import GridEquipmentBody
from cloud.hub.wiring.equipment import Equipment, changed
from cloud.hub.wiring.table import read_table

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "watch.json").read_text())
AT = 1_795_262_400_000
V, A, Q, S, PF = (
    Quantity.VOLTAGE,
    Quantity.CURRENT,
    Quantity.REACTIVE_POWER,
    Quantity.APPARENT_POWER,
    Quantity.POWER_FACTOR,
)
watts = st.integers(-(10**10), 10**10)
sizes = st.integers(0, 10**10)


def values(numbers: Mapping[str, int], at_ms: int = AT) -> dict[Quantity, Value]:
    """Return values measured at one time."""
    return {Quantity(name): Value(number, at_ms) for name, number in numbers.items()}


def one(numbers: Mapping[str, int]) -> dict[Quantity, Value]:
    """Return what follows at a point that is one circuit."""
    return completed(values(numbers), AT, one_circuit=True)


@pytest.mark.parametrize("case", VECTORS["points"], ids=lambda case: case["how"][:40])
def test_what_follows_is_what_a_hand_calculates(case: dict[str, Any]) -> None:
    """Each value, and whether its sign is known; nothing else follows, and what was measured stays."""
    found = one(case["given"])
    derived = {name.value: [value.value, value.signed] for name, value in found.items() if value.derived}
    assert derived == case["expect"]
    assert {name.value: value.value for name, value in found.items() if not value.derived} == case["given"]


@given(real=watts, reactive=watts)
def test_real_and_reactive_make_apparent_power(real: int, reactive: int) -> None:
    """P² + Q² = S² to the last digit of S, whichever ways they flow; and the power factor is never beyond one."""
    found = one({"power": real, "reactive_power": reactive})
    apparent = found[S].value
    assert max(2 * apparent - 1, 0) ** 2 <= 4 * (real**2 + reactive**2) <= (2 * apparent + 1) ** 2
    if apparent:
        assert -1000 <= found[PF].value <= 1000
        assert found[PF].value * real >= 0


@given(real=watts, more=sizes)
def test_reactive_power_follows_without_its_sign(real: int, more: int) -> None:
    """Q² = S² - P² within rounding, never negative; that it lags nobody can know, unless it is nothing."""
    apparent = abs(real) + more
    found = one({"power": real, "apparent_power": apparent})[Q]
    assert found.value >= 0
    assert abs(found.value**2 + real**2 - apparent**2) <= found.value + 1
    assert found.signed == (found.value == 0)


@given(number=st.integers(0, 10**24))
def test_a_root_is_the_nearest_whole_number(number: int) -> None:
    """None nearer on either side."""
    found = root(number)
    assert all(abs(found**2 - number) <= abs(other**2 - number) for other in (found + 1, max(found - 1, 0)))


@given(number=st.integers(-(10**12), 10**12), by=st.integers(1, 10**6))
def test_a_division_rounds_half_to_even_and_the_same_below_zero(number: int, by: int) -> None:
    """As Python's own rounding of exact fractions."""
    assert divided(number, by) == -divided(-number, by)
    assert abs(divided(number, by) * by - number) * 2 <= by


def test_nothing_follows_from_two_times() -> None:
    """A voltage of now and a current of six seconds ago may be of two loads."""
    far = {V: Value(230_000, AT), A: Value(10_000, AT - TOGETHER_MS_MAX - 1)}
    assert completed(far, AT, one_circuit=True) == far
    near = {V: Value(230_000, AT), A: Value(10_000, AT - TOGETHER_MS_MAX)}
    assert completed(near, AT, one_circuit=True)[S] == Value(2_300_000, AT - TOGETHER_MS_MAX, derived=True)


@pytest.mark.parametrize("case", VECTORS["limits"], ids=lambda case: case["how"][:40])
def test_a_limit_holds_to_its_last_unit(case: dict[str, Any]) -> None:
    """At the limit is within; beyond, it is said by how much."""
    quantity = Quantity(case["quantity"])
    limits = {WHOLE: [Limit(quantity, **case["limit"])]}
    for number, by in case["values"]:
        out, within = judged(limits, "d", "", {quantity: Value(number, AT)}, ())
        assert [item.by for item in out] == ([by] if by else [])
        assert within == ([] if by else [quantity])


def test_the_nearest_limit_holds() -> None:
    """Of the point, then the system, the equipment from the bottom up, and the community."""
    highest = iter(range(1, 9))
    point, system = Limit(V, "l1", highest=next(highest)), Limit(V, highest=next(highest))
    near, far, whole = (Limit(V, highest=next(highest)) for _ in range(3))
    limits: Limits = {
        ("device", "d"): [system, point],
        ("equipment", "F1"): [near],
        ("equipment", "T1"): [far],
        WHOLE: [whole],
    }
    chain = ["F1", "T1"]
    assert limit_of(limits, "d", "l1", V, chain) == (("device", "d"), point)
    assert limit_of(limits, "d", "l2", V, chain) == (("device", "d"), system)
    assert limit_of(limits, "e", "l1", V, chain) == (("equipment", "F1"), near)
    assert limit_of(limits, "e", "l1", V, chain[1:]) == (("equipment", "T1"), far)
    assert limit_of(limits, "e", "l1", V, []) == (WHOLE, whole)
    assert limit_of(limits, "e", "l1", A, chain) is None
    alone: Limits = {("device", "d"): [point]}
    assert limit_of(alone, "d", "l2", V, chain) is None


def test_the_power_factor_of_an_idle_supply_is_not_judged() -> None:
    """Nor a reactive power of which nobody knows whether it lags."""
    limits = {WHOLE: [Limit(PF, lowest=900), Limit(Q, highest=0)]}
    small = {PF: Value(300, AT), S: Value(POWER_FACTOR_MVA_MIN - 1, AT), Q: Value(5, AT, signed=False)}
    assert judged(limits, "d", "", small, ()) == ([], [])
    large = small | {S: Value(POWER_FACTOR_MVA_MIN, AT)}
    assert [item.quantity for item in judged(limits, "d", "", large, ())[0]] == [PF]


def flows_of(equipment: dict[str, Any], points: dict[str, Any], systems: list[System] | None = None) -> dict[str, Flow]:
    """Return what flows through equipment, by its id."""
    listed = [System(name, name, "meter") for name in points] if systems is None else systems
    wiring = {name: changed(None, name, members) for name, members in equipment.items()}
    measured = {name: phases if "" in phases or "l1" in phases else {"": phases} for name, phases in points.items()}
    sights = {
        system.key: seen(system, {p: values(v) for p, v in measured.get(system.key, {}).items()}, AT)
        for system in listed
    }
    return {flow.equipment: flow for flow in flows(wiring, listed, sights, AT)}


def test_flows_are_what_a_hand_calculates() -> None:
    """Sums up the forest, loads in percent rounded up, and the voltage that is lost on the way."""
    case = VECTORS["flow"]
    found = flows_of(case["equipment"], case["points"])
    for name, expected in case["expect"].items():
        assert {member: getattr(found[name], member) for member in expected} == expected


@pytest.mark.parametrize("case", VECTORS["unbalance"], ids=lambda case: case["how"][:30])
def test_unbalance_is_the_farthest_from_the_mean(case: dict[str, Any]) -> None:
    """In thousandths of the mean."""
    assert unbalance(case["phases"]) == case["expect"]


def test_each_system_is_counted_once_and_who_shows_nothing_is_counted_as_missing() -> None:
    """A meter that is named and stands at a site that is named, under a feeder and the transformer above it alike."""
    equipment = {
        "F1": {"name": "F", "above": "T1", "limit_va": 1000, "devices": ["m", "dark"], "sites": ["home"]},
        "T1": {"name": "T", "limit_va": 1000, "sites": ["home", "empty"]},
    }
    systems = [System("m", "m", "meter", "home"), System("plug", "plug", "load", "home"), System("dark", "dark", "tap")]
    found = flows_of(equipment, {"m": {"power": 500_000}, "plug": {"power": 200_000}}, systems)
    assert [(found[name].counted, found[name].missing, found[name].power_mw) for name in ("F1", "T1")] == [
        (1, 1, 500_000),  # the plug stands behind the meter
        (1, 2, 500_000),  # and nobody measures the site called empty
    ]
    assert found["F1"].without_reactive == 1
    assert flows_of(equipment, {}, systems)["F1"].load_percent is None, "nothing is known, so nothing is said"


def test_the_sum_of_phases_stands_for_a_system_that_does_not_say_it() -> None:
    """And its fullest wire counts where the equipment is limited by wire."""
    phases = {
        "l1": {"voltage": 230_000, "current": 40_000, "power": 9_200_000},
        "l2": {"voltage": 230_000, "current": 10_000, "power": 2_300_000},
        "L3": {"voltage": 230_000, "current": 10_000, "power": -2_300_000},
    }
    line = {"name": "L", "limit_a": 63, "nominal_mv": 230_000, "phases": 3, "devices": ["m"]}
    found = flows_of({"L": line}, {"m": phases})["L"]
    assert (found.power_mw, found.reactive_mvar, found.apparent_mva) == (9_200_000, 0, 9_200_000)
    assert found.carries_mva == 63 * 230_000 * 3
    assert (found.phase_ma, found.load_percent) == ((40_000, 10_000, 10_000), 64)  # 40 of 63 A, though 22 % in all
    assert (found.current_unbalance, found.voltage_unbalance, found.without_phase) == (1000, 0, 0)


def test_reactive_power_of_unknown_sign_counts_as_the_most_there_can_be() -> None:
    """A transformer is not called safe because nobody knows which way something lags."""
    points = {"a": {"power": 3_000_000, "apparent_power": 5_000_000}, "b": {"power": 0, "reactive_power": -1_000_000}}
    found = flows_of({"T": {"name": "T", "devices": ["a", "b"]}}, points)["T"]
    assert (found.reactive_mvar, found.reactive_signed) == (-5_000_000, False)
    assert found.apparent_mva == root(3_000_000**2 + 5_000_000**2)


def test_no_drop_is_told_across_voltage_levels() -> None:
    """Nor where either side shows no voltage; a piece without points between the two is passed over."""
    equipment = {
        "H": {"name": "High", "devices": ["h"]},
        "T": {"name": "Transformer", "above": "H"},
        "F": {"name": "Feeder", "above": "T", "devices": ["f"]},
    }
    same = flows_of(equipment, {"h": {"voltage": 235_000}, "f": {"voltage": 230_000}})
    assert (same["F"].drop_mv, same["F"].drop_from, same["T"].drop_mv) == (5000, "H", None)
    assert flows_of(equipment, {"h": {"voltage": 6_600_000}, "f": {"voltage": 101_000}})["F"].drop_mv is None


@pytest.mark.parametrize(
    ("point", "phase"),
    [("l1", 1), ("L2", 2), ("L3-N", 3), ("A", 1), ("t", 3), ("phase-2", 2), ("", None), ("L1-L2", None), ("l4", None)],
)
def test_phases_are_known_by_their_usual_names(point: str, phase: int | None) -> None:
    """Between two phases lies none."""
    assert phase_of(point) == phase


@given(times=st.lists(st.integers(-60_000, 60_000), min_size=1, max_size=8, unique=True), data=st.data())
def test_the_nearest_value_is_seen_whatever_the_order(times: list[int], data: st.DataObject) -> None:
    """Of two that are as near, the earlier one."""
    rows = [("d", "", "voltage", AT + offset, offset) for offset in data.draw(st.permutations(times))]
    found = nearest(rows, AT)["d"][""][V]
    assert found.value == min(times, key=lambda offset: (abs(offset), offset))


def test_what_is_out_names_its_limit_and_the_rest_is_known_to_be_within() -> None:
    """One look at two systems, one of them too high."""
    systems = [System("a", "a", "meter"), System("b", "b", "meter"), System("c", "c", "meter")]
    points = {"a": {"": values({"voltage": 254_000})}, "b": {"": values({"voltage": 240_000})}}
    limits: Limits = {("equipment", "F"): [Limit(V, nominal=230_000, above_percent=10)]}
    wiring = {"F": Equipment("F", "F", devices=("a", "b", "c"))}
    found = watch(systems, points, wiring, limits, AT)
    assert found.out == [Out("a", "", V, Value(254_000, AT), None, 253_000, 1000, ("equipment", "F"))]
    assert [mark.name for mark in found.within] == ["b"]
    assert [mark.name for mark in found.over] == ["a"]


def test_systems_know_the_equipment_before_them_from_the_bottom_up() -> None:
    """Though a provider lists a site at every piece before it."""
    wiring = {
        "T": Equipment("T", "T", sites=("home",)),
        "F": Equipment("F", "F", sites=("home",), above="T"),
        "X": Equipment("X", "X", devices=("d",)),
    }
    systems = [System("m", "m", "meter", "home"), System("d", "d", "meter"), System("z", "z", "meter")]
    assert chains(wiring, systems) == {"m": ["F", "T"], "d": ["X"], "z": []}


def test_what_the_manual_shows_is_what_is_taken() -> None:
    """Every body in its examples, and its file."""
    text = (Path(__file__).parents[3] / "docs" / "hub" / "network-watch.md").read_text()
    bodies = [json.loads(body) for body in re.findall(r"-d '(.*?)'", text, re.DOTALL)]
    assert len(bodies) == 3
    for body in bodies:
        model = WatchLimitsBody if "limits" in body else GridEquipmentBody
        assert model.model_validate(body)
    (table,) = re.findall(r"printf '(.*?)'", text)
    assert set(read_table(table.replace("\\n", "\n").encode())) == {"T1", "F1"}


def test_a_model_with_its_phases_is_counted_once() -> None:
    """SunSpec says what a meter draws as a whole at `203`, and what of it each phase does at `203/L1` and so on."""
    points = {"203": values({"power": 3000}), **{f"203/L{n}": values({"power": 1000, "current": 5}) for n in (1, 2, 3)}}
    sight = seen(System("m", "m", "meter"), points, AT)
    assert sight.whole[Quantity.POWER].value == 3000
    assert sorted(map(str, map(phase_of, sight.circuits))) == ["1", "2", "3"]


def test_a_model_whose_phases_show_no_power_draws_what_it_says_as_a_whole() -> None:
    """An inverter's phases have voltages and currents only; so have a charger's and a Japanese meter's."""
    for whole, phases in (("103", ("103/L1", "103/L2")), ("1", ("1/L1", "1/L3")), ("028801", ("028801/R", "028801/T"))):
        points = {whole: values({"power": -5000}), **{phase: values({"voltage": 230_000}) for phase in phases}}
        sight = seen(System("i", "i", "inverter"), points, AT)
        assert sight.whole[Quantity.POWER].value == -5000


def test_the_phases_of_a_model_stand_for_what_it_does_not_say_as_a_whole() -> None:
    """And two outlets of a charger are added."""
    points = {f"{outlet}/L{n}": values({"power": 1000 * outlet}) for outlet in (1, 2) for n in (1, 2, 3)}
    sight = seen(System("c", "c", "charger"), points, AT)
    assert sight.points["2"][Quantity.POWER].value == 6000
    assert sight.whole[Quantity.POWER].value == 9000
