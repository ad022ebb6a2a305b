"""Periods: honest cables match, stolen energy shows, and whatever is not surely known is said to be unknown."""

from dataclasses import replace

from hypothesis import given, settings, strategies as st

from custom_components.commonwatt.v2g import (
    UNKNOWN,
    CableReading,
    Memory,
    SiteReading,
    memory_of,
    memory_text,
    periods,
)
from custom_components.commonwatt.v2g.coverage import LEARNT_MIN
from custom_components.commonwatt.v2g.period import BEFORE_SECONDS_MAX, IDLE_WH_MAX
from custom_components.commonwatt.wire import CABLES_MAX

from .houses import DEFAULTS, SECONDS, House, at, energies, houses, judged, learnt, loads, readings, silent

DIRECT = House({"T1": None, "T2": "T1", "T3": "T1"}, {"C1": "T1"})
NESTED = House({"T1": None, "T2": "T1", "T3": "T2", "T4": "T2", "T5": "T1"}, {"C1": "T3", "C2": "T1"})
LOADS = {"T2": 900, "T3": -2500, "T4": 300, "T5": -1700}


@given(data=st.data())
def test_honest_cables_match_wherever_they_hang_and_whatever_they_do(data: st.DataObject) -> None:
    """Several at once, charging and discharging, with the sun behind the same meter."""
    house = data.draw(houses())
    memory = learnt(house, data.draw(loads(house)))
    moved = data.draw(energies(house))
    done = judged(house, memory, loads_wh=data.draw(loads(house)), told_wh=moved, moved_wh=moved)
    assert done.agreement.verdict == "match"
    assert done.agreement.basis == "consumption"
    assert done.agreement.difference_wh == 0
    assert {period.cable: period.energy_wh for period in done.cables} == moved
    assert {period.agreement for period in done.cables} == {"match"}


@given(data=st.data())
@settings(max_examples=200)
def test_a_stolen_discharge_is_found_wherever_the_cable_hangs(data: st.DataObject) -> None:
    """It never reached the house, so neither the meter nor any tap above the cable saw it."""
    house = data.draw(houses())
    memory = learnt(house, data.draw(loads(house)))
    told = data.draw(energies(house, -4000, 0))
    stolen = sum(told.values())
    nothing = dict.fromkeys(told, 0)
    done = judged(house, memory, loads_wh=data.draw(loads(house)), told_wh=told, moved_wh=nothing)
    expected = "mismatch" if -stolen > DEFAULTS.of(stolen) else "match"
    assert {period.agreement for period in done.cables} == {expected}


@given(data=st.data())
def test_a_host_who_takes_what_the_taps_above_the_cable_saw_is_found_at_the_meter(data: st.DataObject) -> None:
    """The socket's own tap shows the discharge, the meter does not: the tap in between proves nothing."""
    flows = data.draw(loads(NESTED))
    net_wh = NESTED.net_wh(flows, {"C1": -3000})
    net_wh["T1"] += 3000  # what came up from T2 went out by another wire
    done, _ = periods(at(NESTED, 9, net_wh), readings(NESTED, {"C1": -3000}), learnt(NESTED, flows), DEFAULTS)
    assert done.agreement.verdict == "mismatch"
    assert done.agreement.difference_wh == 3000


def test_a_cable_directly_below_the_meter_is_held_against_it() -> None:
    """With two loads beside it, one of them a roof."""
    memory = learnt(DIRECT, LOADS)
    done = judged(DIRECT, memory, loads_wh=LOADS, told_wh={"C1": -1500}, moved_wh={"C1": -1500})
    [period] = done.cables
    assert (period.meter_wh, period.consumption_wh, period.agreement) == (-3100, -1600, "match")
    assert (period.tap, period.connected, period.at) == ("T1", True, 0)
    assert done.start == LEARNT_MIN * SECONDS


def test_while_nothing_is_learnt_the_meter_before_leads_to_suspicion_at_most() -> None:
    """The household may have changed meanwhile: no mismatch leaves the site on such ground."""
    memory = learnt(DIRECT, LOADS, count=1)
    done = judged(DIRECT, memory, loads_wh=LOADS, told_wh={"C1": -1500}, moved_wh={"C1": 0}, number=1)
    [period] = done.cables
    assert (period.agreement, done.agreement.basis, period.before_wh, period.consumption_wh) == (
        "suspect", "before", -1600, None,
    )  # fmt: skip
    done = judged(DIRECT, memory, loads_wh=LOADS, told_wh={"C1": -1500}, moved_wh={"C1": -1500}, number=1)
    assert done.agreement.verdict == "match"


def test_what_the_meter_showed_before_holds_for_two_hours() -> None:
    """Then the household is another one, and there is nothing left to compare."""
    memory = learnt(DIRECT, LOADS, count=1)
    last = BEFORE_SECONDS_MAX // SECONDS
    verdicts = [
        judged(DIRECT, memory, loads_wh=LOADS, told_wh={"C1": -1500}, moved_wh={"C1": -1500}, number=number)
        for number in (last, last + 1)
    ]
    assert [done.agreement.verdict for done in verdicts] == ["match", "unknown"]
    assert [done.cables[0].before_wh for done in verdicts] == [-1600, None]


def test_before_is_the_last_interval_in_which_no_cable_was_connected() -> None:
    """A car at rest is connected too; one that fell silent may be."""
    _, memory = periods(at(DIRECT, 0, {"T1": 100, "T2": 100, "T3": 0}), [], Memory(), DEFAULTS)
    idle = readings(DIRECT, {})
    _, memory = periods(at(DIRECT, 1, {"T1": 200, "T2": 200, "T3": 0}), idle, memory, DEFAULTS)
    assert (memory.before_end, dict(memory.before_wh)) == (SECONDS, {"T1": 100})
    _, memory = periods(at(DIRECT, 2, {"T1": 300, "T2": 300, "T3": 0}), silent(idle, "C1"), memory, DEFAULTS)
    assert dict(memory.before_wh) == {"T1": 100}
    _, memory = periods(at(DIRECT, 3, {"T2": 300, "T3": 0}), [], memory, DEFAULTS)
    assert dict(memory.before_wh) == {"T1": 100}, "an interval in which the meter was not sure is none"


def test_an_estimate_is_no_ground_for_a_verdict() -> None:
    """Of the meter, of a cable, of a tap beside it: then it is unknown, and what is known is told all the same."""
    memory = learnt(DIRECT, LOADS)
    net_wh = DIRECT.net_wh(LOADS, {})
    told = readings(DIRECT, {"C1": -1500})
    without_meter, _ = periods(at(DIRECT, 8, {"T2": 900, "T3": -2500}), told, memory, DEFAULTS)
    assert (without_meter.agreement, without_meter.cables[0].meter_wh) == (UNKNOWN, None)
    [cable] = told
    unsure, _ = periods(at(DIRECT, 8, net_wh), [replace(cable, sure=False)], memory, DEFAULTS)
    assert (unsure.cables[0].agreement, unsure.cables[0].meter_wh, unsure.cables[0].consumption_wh) == (
        "unknown", -1600, -1600,
    )  # fmt: skip
    beside, _ = periods(at(DIRECT, 8, {"T1": -1600, "T2": 900}), told, memory, DEFAULTS)
    assert (beside.agreement.basis, beside.agreement.verdict) == ("before", "suspect")


def test_a_cable_that_fell_silent_makes_the_others_unknown_and_is_not_reported() -> None:
    """What it moved is not known, so the sum is not; its signed records will say."""
    memory = learnt(NESTED, LOADS)
    told = silent(readings(NESTED, {"C1": -1500, "C2": 700}), "C2")
    done, _ = periods(at(NESTED, 8, NESTED.net_wh(LOADS, {"C1": -1500, "C2": 700})), told, memory, DEFAULTS)
    assert [(period.cable, period.agreement) for period in done.cables] == [("C1", "unknown")]


def test_a_car_whose_energy_cannot_be_read_is_connected_all_the_same() -> None:
    """Its registers are refused, its plug is seen: the fact is reported, without energy and without a verdict."""
    [cable] = readings(DIRECT, {})
    done, memory = periods(
        at(DIRECT, 8, DIRECT.net_wh(LOADS, {})), [replace(cable, energy_wh=None, sure=False)], Memory(), DEFAULTS
    )
    [period] = done.cables
    assert (period.energy_wh, period.connected, period.agreement) == (0, True, "unknown")
    assert memory.learnt == ()


def test_a_cable_without_an_id_counts_and_is_not_reported() -> None:
    """An adopted cable has no serial number; without its energy the others would be accused."""
    memory = learnt(NESTED, LOADS)
    told = [
        replace(cable, cable=None) if cable.cable == "C2" else cable
        for cable in readings(NESTED, {"C1": -1500, "C2": 700})
    ]
    done, _ = periods(at(NESTED, 8, NESTED.net_wh(LOADS, {"C1": -1500, "C2": 700})), told, memory, DEFAULTS)
    assert [(period.cable, period.agreement) for period in done.cables] == [("C1", "match")]


def test_a_cable_on_an_island_is_compared_with_nothing_and_disturbs_nobody() -> None:
    """Its energy never passes the meter."""
    memory = learnt(DIRECT, LOADS)
    told = [*readings(DIRECT, {"C1": -1500}), CableReading("C9", "island", -4000, sure=True, connected=True)]
    done, _ = periods(at(DIRECT, 8, DIRECT.net_wh(LOADS, {"C1": -1500})), told, memory, DEFAULTS)
    assert [(period.cable, period.agreement, period.meter_wh) for period in done.cables] == [
        ("C1", "match", -3100),
        ("C9", "unknown", None),
    ]


def test_a_cable_that_is_neither_plugged_in_nor_moves_energy_is_not_reported() -> None:
    """And with nobody there, there is nothing to compare."""
    done, _ = periods(at(DIRECT, 8, {"T1": 5}), readings(DIRECT, {}, connected=False), Memory(), DEFAULTS)
    assert (done.cables, done.agreement) == ((), UNKNOWN)


def test_a_car_at_rest_does_not_stop_the_learning() -> None:
    """Its electronics may take a little; one that charges does."""
    memory = Memory()
    for energy_wh in (IDLE_WH_MAX, IDLE_WH_MAX + 1):
        _, memory = periods(
            at(DIRECT, 0, {"T1": 5, "T2": 5, "T3": 0}), readings(DIRECT, {"C1": energy_wh}), memory, DEFAULTS
        )
    assert len(memory.learnt) == 1


def test_another_tree_or_another_length_is_learnt_anew() -> None:
    """A tap more may carry what nobody measured before; energies of another length say nothing."""
    memory = learnt(DIRECT, LOADS)
    other = SiteReading(99 * SECONDS, SECONDS, {**DIRECT.parents, "T4": "T1"}, {})
    assert periods(other, [], memory, DEFAULTS)[1] == Memory(SECONDS, other.parents)
    shorter = SiteReading(99 * SECONDS, 60, DIRECT.parents, {})
    assert periods(shorter, [], memory, DEFAULTS)[1] == Memory(60, DIRECT.parents)


def test_what_is_remembered_is_the_same_after_a_restart() -> None:
    """Written down and read; of another form, or of nothing, it is learnt anew."""
    memory = learnt(NESTED, LOADS)
    assert memory.before_wh
    assert len(memory.learnt) == LEARNT_MIN
    assert memory_of(memory_text(memory)) == memory
    assert memory_of(None) == memory_of('{"form":99}') == Memory()


def test_a_site_reports_no_more_cables_than_a_batch_takes() -> None:
    """A bound on everything."""
    told = [CableReading(f"C{number}", "T1", 0, sure=True, connected=True) for number in range(CABLES_MAX + 1)]
    done, _ = periods(at(DIRECT, 0, {"T1": 0}), told, Memory(), DEFAULTS)
    assert len(done.cables) == CABLES_MAX
