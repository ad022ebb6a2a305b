"""Judging: what is believed, what is refused and why, and what it takes to prove that a meter was reset."""

import math

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt.metering import Limits, RawReading, Reading, Refused, Reset
from custom_components.commonwatt.metering.reading import ABSENCE_MS, Gate, judge, known

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
    first, second, third, fourth = polls(1000, 0, 0, 0)
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


raw_readings = st.builds(
    RawReading,
    at_ms=st.integers(0, 10**6),
    import_wh=st.none() | st.floats() | st.integers(-(2**70), 2**70) | st.integers(0, 200),
    export_wh=st.none() | st.floats() | st.integers(0, 200),
    power_w=st.none() | st.floats() | st.integers(),
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
