"""Judging: what is believed, what is refused and why, and what it takes to prove that a meter was reset."""

from itertools import pairwise
import math

from hypothesis import assume, given, strategies as st
import pytest

from custom_components.commonwatt.metering import Limits, RawReading, Reading, Refused, Reset
from custom_components.commonwatt.metering.reading import ABSENCE_MS, NO_VALUE_AT_ALL, Gate, judge, known

HOUR_MS = 3_600_000
POLL_MS = 10_000
LIMITS = Limits(rated_power_w=10_000)  # 33.3 Wh + 2 Wh in one poll


def read_all(*raws: RawReading, gate: Gate | None = None) -> list[Reading | Refused | Reset]:
    """Judge reads one after the other."""
    gate, verdicts = gate or Gate(), []
    for raw in raws:
        gate, verdict = judge(gate, raw, LIMITS)
        verdicts.append(verdict)
    return verdicts


def polls(*registers: float, start_ms: int = 0) -> list[RawReading]:
    """Return reads of these import registers, one each poll."""
    return [RawReading(start_ms + i * POLL_MS, wh, 0) for i, wh in enumerate(registers)]


def test_a_reading_is_floored_to_whole_wh() -> None:
    """Registers are cumulative, so flooring them loses nothing for good."""
    [reading] = read_all(RawReading(1, 1000.9, 7, -12.5))
    assert reading == Reading(1, 1000, 7, -12)


@pytest.mark.parametrize(
    ("import_wh", "export_wh", "reason"),
    [
        (None, 0, "missing"),
        (5, None, "missing"),
        (math.nan, 0, "not_a_number"),
        (0, math.inf, "not_a_number"),
        (-math.inf, 0, "not_a_number"),
        (2**64 - 1, 0, "not_a_number"),
        (2**32 - 1, 0, "no_value"),
        (0, 2**31, "no_value"),
        (-(2**2000), 0, "not_a_number"),
        (-0.5, 0, "negative"),
        (0, -1, "negative"),
    ],
)
def test_a_register_that_cannot_be_one_is_refused(
    import_wh: float | None, export_wh: float | None, reason: str
) -> None:
    """A missing value is never 0, and what no register can show changes nothing."""
    gate, verdict = judge(Gate(), RawReading(5, import_wh, export_wh), LIMITS)
    assert verdict == Refused(5, reason)  # type: ignore[arg-type]
    assert gate == Gate()


@pytest.mark.parametrize("power_w", [None, math.nan, math.inf, 10**400])
def test_a_power_that_is_no_number_does_not_cost_the_registers(power_w: float | None) -> None:
    """Power is shown, registers are paid for: only the power goes missing."""
    [reading] = read_all(RawReading(1, 10, 0, power_w))
    assert reading == Reading(1, 10, 0, None)


@pytest.mark.parametrize("at_ms", [POLL_MS, POLL_MS - 1, 0])
def test_time_must_pass_between_reads(at_ms: int) -> None:
    """A clock that stands or goes back is told apart from a meter that does."""
    verdicts = read_all(*polls(100, 110), RawReading(at_ms, 110, 0))
    assert verdicts[-1] == Refused(at_ms, "out_of_order")


def test_a_single_slip_backward_is_refused_and_forgotten() -> None:
    """One garbled poll costs that poll only."""
    verdicts = read_all(*polls(1000, 3, 1010))
    assert verdicts[1] == Refused(POLL_MS, "backward")
    assert verdicts[2] == Reading(2 * POLL_MS, 1010, 0, None)


def test_a_jump_beyond_the_rated_power_is_refused() -> None:
    """At 10 kW a poll of 10 s may bring 1.2 times 27.8 Wh and 2 Wh for two floored registers, and no more."""
    assert read_all(*polls(1000, 1035))[1] == Reading(POLL_MS, 1035, 0, None)
    assert read_all(*polls(1000, 1036))[1] == Refused(POLL_MS, "jump")


def test_the_export_register_is_judged_like_the_import_register() -> None:
    """Both directions are money."""
    base = RawReading(0, 10, 500)
    assert read_all(base, RawReading(POLL_MS, 10, 499))[1] == Refused(POLL_MS, "backward")
    assert read_all(base, RawReading(POLL_MS, 10, 900))[1] == Refused(POLL_MS, "jump")


def test_a_simulated_house_may_run_faster() -> None:
    """Where thirty seconds pass in one, thirty times the energy passes in a poll."""
    gate, _ = judge(Gate(), RawReading(0, 0, 0), LIMITS)
    assert judge(gate, RawReading(POLL_MS, 900, 0), Limits(10_000, time_scale=30))[1] == Reading(POLL_MS, 900, 0, None)


def test_after_a_long_silence_the_register_may_have_moved_far() -> None:
    """The limit grows with the time since the last reading, so a device that comes back is believed at once."""
    back = RawReading(10 * HOUR_MS, 101_000, 0)
    assert read_all(RawReading(0, 1000, 0), back)[1] == Reading(back.at_ms, 101_000, 0, None)


def test_a_tap_without_a_rating_still_refuses_what_no_tap_carries() -> None:
    """A flipped high bit is found even where nobody said what the tap can carry."""
    gate, _ = judge(Gate(), RawReading(0, 1000, 0), Limits(None))
    assert judge(gate, RawReading(POLL_MS, 1000 + 2**31, 0), Limits(None))[1] == Refused(POLL_MS, "jump")
    assert isinstance(judge(gate, RawReading(POLL_MS, 3000, 0), Limits(None))[1], Reading)


def test_three_agreeing_reads_of_a_lower_register_prove_a_reset() -> None:
    """The third becomes the new base, and the reset is a record of its own with both registers."""
    verdicts = read_all(*polls(1000, 0, 5, 12, 20))
    assert verdicts[1:3] == [Refused(POLL_MS, "backward"), Refused(2 * POLL_MS, "backward")]
    assert verdicts[3] == Reset(3 * POLL_MS, (1000, 0), (12, 0))
    assert verdicts[4] == Reading(4 * POLL_MS, 20, 0, None)


@pytest.mark.parametrize("shown_wh", [0, 7, 1000, 1001, 900_000])
def test_another_meter_proves_itself_at_its_first_read(shown_wh: int) -> None:
    """Whatever it shows, and were it what the one before might have come to: nothing is counted across."""
    exchanged = Gate(Reading(0, 1000, 0, None), 0, exchanged=True)
    late, no_value, *verdicts = read_all(
        RawReading(0, 1000, 0),
        RawReading(POLL_MS, 2**31, 0),
        *polls(shown_wh, shown_wh + 5, start_ms=2 * POLL_MS),
        gate=exchanged,
    )
    assert (late, no_value) == (Refused(0, "out_of_order"), Refused(POLL_MS, "no_value"))
    assert verdicts == [
        Reset(2 * POLL_MS, (1000, 0), (shown_wh, 0)),
        Reading(3 * POLL_MS, shown_wh + 5, 0, None),
    ]


def test_three_agreeing_reads_of_an_impossible_jump_prove_a_reset() -> None:
    """A used meter put in with a far higher register is an exchange, not energy."""
    verdicts = read_all(*polls(1000, 5_000_000, 5_000_005, 5_000_009))
    assert verdicts[1:3] == [Refused(POLL_MS, "jump"), Refused(2 * POLL_MS, "jump")]
    assert verdicts[3] == Reset(3 * POLL_MS, (1000, 0), (5_000_009, 0))


def test_doubtful_reads_that_disagree_prove_nothing() -> None:
    """Noise is refused for as long as it lasts, and the true register is believed again when it comes back."""
    verdicts = read_all(*polls(1000, 7_000_000, 3, 9_000_000, 2, 8_000_000, 1001))
    assert all(isinstance(verdict, Refused) for verdict in verdicts[1:-1])
    assert verdicts[-1] == Reading(6 * POLL_MS, 1001, 0, None)


def test_missed_polls_between_confirming_reads_do_not_start_over() -> None:
    """A device in trouble drops polls just then."""
    holes = [RawReading(at, None, None) for at in (15_000, 25_000)]
    first, second, third, fourth = polls(1000, 0, 1, 1)
    assert isinstance(read_all(first, second, holes[0], third, holes[1], fourth)[-1], Reset)


def test_a_slow_register_keeps_its_energy() -> None:
    """A register that a vendor refreshes hourly steps by an hour's energy: three reads confirm it, nothing is lost."""
    stood = [RawReading(at, 1000, 0) for at in range(0, HOUR_MS + 1, POLL_MS)]
    stepped = polls(5000, 5000, 5000, start_ms=HOUR_MS + POLL_MS)
    verdicts = read_all(*stood, *stepped)
    assert verdicts[-3:-1] == [Refused(stepped[0].at_ms, "jump"), Refused(stepped[1].at_ms, "jump")]
    assert verdicts[-1] == Reading(stepped[2].at_ms, 5000, 0, None)


def test_a_register_that_was_moving_cannot_have_been_slow() -> None:
    """The same step straight after a moving register is more than the tap could carry since: a reset."""
    moving = polls(*range(1000, 1360))
    stepped = polls(5000, 5000, 5000, start_ms=moving[-1].at_ms + POLL_MS)
    assert isinstance(read_all(*moving, *stepped)[-1], Reset)


def test_energy_of_a_long_absence_is_found_again_after_a_restart() -> None:
    """A boundary that was only held does not say since when: the device may have been away for up to 30 days."""
    gate = known(ABSENCE_MS, 1000, 0, exact=False)
    back = polls(1_000_000, 1_000_001, 1_000_002, start_ms=ABSENCE_MS + POLL_MS)
    assert read_all(*back, gate=gate)[-1] == Reading(back[2].at_ms, 1_000_002, 0, None)
    exact = known(ABSENCE_MS, 1000, 0, exact=True)
    assert isinstance(read_all(*back, gate=exact)[-1], Reset)
    far = polls(20_000_000, 20_000_001, 20_000_002, start_ms=ABSENCE_MS + POLL_MS)
    assert isinstance(read_all(*far, gate=gate)[-1], Reset)


def test_what_a_device_shows_for_no_value_never_proves_a_reset() -> None:
    """A gateway that has lost its meter says so for hours; the register goes on where it was, and nothing is lost."""
    for shown in (2**32 - 1, (2**31 - 1) * 1000, (2**32 - 1) // 10, 65_535, 32_768_000):
        verdicts = read_all(*polls(1000, *[shown] * 20, 1040))
        assert {(type(verdict), getattr(verdict, "reason", None)) for verdict in verdicts[1:-1]} == {
            (Refused, "no_value")
        }
        assert verdicts[-1] == Reading(21 * POLL_MS, 1040, 0, None)


def test_a_register_may_well_pass_where_another_device_says_no_value() -> None:
    """65 535 Wh is a register like any other while nothing speaks against it, at the first read too."""
    assert all(isinstance(verdict, Reading) for verdict in read_all(*polls(65_535, 65_535, 65_536)))
    assert all(isinstance(verdict, Reading) for verdict in read_all(*polls(2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1)))


def test_a_register_that_shows_nothing_but_zero_proves_no_reset() -> None:
    """So an inverter sleeps, or a device starts; its register is believed again when it comes back."""
    verdicts = read_all(*polls(1000, *[0] * 30, 1040))
    assert {type(verdict) for verdict in verdicts[1:-1]} == {Refused}
    assert verdicts[-1] == Reading(31 * POLL_MS, 1040, 0, None)


def test_a_meter_that_begins_at_zero_is_believed_when_it_counts() -> None:
    """The first Wh tells a new meter from one that sleeps."""
    verdicts = read_all(*polls(1000, *[0] * 30, 1, 2))
    assert verdicts[-2:] == [Reset(31 * POLL_MS, (1000, 0), (1, 0)), Reading(32 * POLL_MS, 2, 0, None)]


def test_one_register_that_is_set_to_zero_while_the_other_counts_is_held_as_well() -> None:
    """Half an answer is none."""
    gate, _ = judge(Gate(), RawReading(0, 1000, 500), LIMITS)
    for poll in range(1, 20):
        gate, verdict = judge(gate, RawReading(poll * POLL_MS, 0, 500 + poll), LIMITS)
        assert verdict == Refused(poll * POLL_MS, "backward")


WIDTHS = {"16 bit": 2**16, "32 bit": 2**32, "64 bit": 2**64, "16 bit of 10 Wh": 2**16 * 10, "odd": 99_999_999}


def rolling(wraps_wh: int, *registers: int, start_ms: int = 0) -> list[RawReading]:
    """Return reads of a device that shows what is left of these registers by its limit."""
    return [RawReading(start_ms + i * POLL_MS, wh % wraps_wh, 0, wraps_wh=wraps_wh) for i, wh in enumerate(registers)]


@pytest.mark.parametrize("wraps_wh", [WIDTHS["16 bit"], WIDTHS["32 bit"], WIDTHS["16 bit of 10 Wh"], WIDTHS["odd"]])
def test_a_register_that_begins_anew_counts_on(wraps_wh: int) -> None:
    """The register of evidence stands above the limit, the energy across it is there, and it is told once."""
    true = [wraps_wh - 15, wraps_wh - 5, wraps_wh + 4, wraps_wh + 20]
    verdicts = read_all(*rolling(wraps_wh, *true))
    assert verdicts == [Reading(i * POLL_MS, wh, 0, None, rolled=wh == wraps_wh + 4) for i, wh in enumerate(true)]


def test_a_rollover_must_be_what_the_tap_could_carry() -> None:
    """A register at half its range that falls to 0 was exchanged: to count the other half would invent energy."""
    verdicts = read_all(*rolling(2**32, 2**32 - 500_000, 2**32 + 3, 2**32 + 4, 2**32 + 5))
    assert verdicts[1] == Refused(POLL_MS, "jump")
    assert verdicts[-1] == Reset(3 * POLL_MS, (2**32 - 500_000, 0), (5, 0))


def test_a_register_that_falls_back_a_little_has_not_gone_round() -> None:
    """Even after a silence in which a small register could have: falling back is the nearer explanation."""
    wraps_wh = 2**16
    first, back = RawReading(0, 60_000, 0, wraps_wh=wraps_wh), RawReading(24 * HOUR_MS, 59_990, 0, wraps_wh=wraps_wh)
    assert read_all(first, back)[-1] == Refused(24 * HOUR_MS, "backward")


def test_a_rollover_is_found_after_a_restart() -> None:
    """The boundary that was kept stands above the limit, the device's own register below it."""
    gate = known(0, 3 * 2**16 - 10, 0, exact=True)
    [verdict] = read_all(RawReading(POLL_MS, 5, 0, wraps_wh=2**16), gate=gate)
    assert verdict == Reading(POLL_MS, 3 * 2**16 + 5, 0, None, rolled=True)


@given(
    wraps_wh=st.sampled_from(sorted(WIDTHS.values())),
    begin=st.integers(0, 2**53 - 10**6),
    moves=st.lists(st.tuples(st.integers(0, 27), st.integers(0, 27)), min_size=1, max_size=60),
)
def test_a_device_of_any_width_gives_what_it_carried(wraps_wh: int, begin: int, moves: list[tuple[int, int]]) -> None:
    """Whatever the limit, and wherever it begins: no read is refused, and the registers move as the energy did."""
    imported = exported = begin % min(wraps_wh, 2**52)
    assume(imported not in NO_VALUE_AT_ALL)
    raws = [RawReading(0, imported, exported, wraps_wh=wraps_wh)]
    for poll, (more_in, more_out) in enumerate(moves, 1):
        imported, exported = imported + more_in, exported + more_out
        raws.append(RawReading(poll * POLL_MS, imported % wraps_wh, exported % wraps_wh, wraps_wh=wraps_wh))
    verdicts = read_all(*raws)
    assert isinstance(verdicts[-1], Reading)
    assert (verdicts[-1].import_wh, verdicts[-1].export_wh) == (imported, exported)
    assert sum(verdict.rolled for verdict in verdicts if isinstance(verdict, Reading)) == len(
        {at for at, (one, other) in enumerate(pairwise(raws)) if _fell(one, other)}
    )


def _fell(one: RawReading, other: RawReading) -> bool:
    assert one.import_wh is not None
    assert other.import_wh is not None
    assert one.export_wh is not None
    assert other.export_wh is not None
    return other.import_wh < one.import_wh or other.export_wh < one.export_wh


raw_readings = st.builds(
    RawReading,
    at_ms=st.integers(0, 10**6),
    import_wh=st.none() | st.floats() | st.integers(-(2**70), 2**70) | st.integers(0, 200),
    export_wh=st.none() | st.floats() | st.integers(0, 200),
    power_w=st.none() | st.floats() | st.integers(),
    wraps_wh=st.none() | st.sampled_from([2**16, 2**32, 1000]),
)


@given(st.lists(raw_readings, max_size=30))
def test_nothing_a_device_says_can_break_or_turn_back_the_registers(raws: list[RawReading]) -> None:
    """Over any nonsense, accepted registers only rise, and only a reset record takes them elsewhere."""
    previous: tuple[int, int] | None = None
    at_ms = -1
    for verdict in read_all(*raws):
        match verdict:
            case Reading():
                registers = (verdict.import_wh, verdict.export_wh)
                assert previous is None or (registers[0] >= previous[0] and registers[1] >= previous[1])
                previous = registers
            case Reset():
                assert verdict.before_wh == previous
                previous = verdict.after_wh
            case Refused():
                continue
        assert verdict.at_ms > at_ms
        at_ms = verdict.at_ms
