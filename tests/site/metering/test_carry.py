"""Counters that begin anew: the register goes on, and is all runs together."""

import math

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt.metering import Carry, carried

runs = st.lists(st.lists(st.integers(0, 50_000), min_size=1, max_size=10).map(sorted), min_size=1, max_size=8)


def fed(values: list[float]) -> list[Carry]:
    """Return what a counter's values lead to, one after the other."""
    carry, found = Carry(0, 0), []
    for value in values:
        carry = carried(carry, value)
        found.append(carry)
    return found


@given(runs)
def test_the_register_is_the_sum_of_the_runs(parts: list[list[int]]) -> None:
    """Each run counts with the most it showed, once; a run that begins at zero is told from the one before."""
    values = [value for run in parts for value in (0, *run)]
    assert fed(list(values))[-1].register_wh == sum(run[-1] for run in parts)


@given(st.lists(st.floats(0, 1e9) | st.integers(0, 10**9), max_size=60))
def test_the_register_never_falls(values: list[float]) -> None:
    """Whatever a counter shows."""
    registers = [carry.register_wh for carry in fed(values)]
    assert registers == sorted(registers)


def test_a_slip_is_no_new_run() -> None:
    """A counter that is rounded anew falls by a little: to count it again would double its energy."""
    assert [carry.register_wh for carry in fed([100_000, 99_990, 100_010])] == [100_000, 100_000, 100_010]
    assert fed([100_000, 90_000])[-1].register_wh == 100_000
    assert fed([100_000, 89_999])[-1].register_wh == 189_999


def test_a_new_run_counts_what_it_shows_at_once() -> None:
    """What the counter of the new day shows was counted since it began."""
    assert fed([0, 4000, 9000, 30, 500])[-1] == Carry(9000, 500)


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_what_no_counter_shows_is_refused(value: float) -> None:
    """A fault must never be taken for a new day."""
    with pytest.raises(ValueError, match="no counter shows"):
        carried(Carry(10, 20), value)
