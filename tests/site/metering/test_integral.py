"""Registers made from power: the exact area, split at the sign, and nothing that was not seen."""

from fractions import Fraction
from itertools import pairwise
import math

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt.metering import Integral, integrate, register_wh

GAP_MS = 60_000
START = Integral(0, 0, 0, None)

powers_mw = st.integers(-20_000_000, 20_000_000)
steps = st.lists(st.tuples(st.integers(1, GAP_MS), powers_mw), min_size=1, max_size=40)


def sampled(samples: list[tuple[int, float | None]], start: Integral = START, gap_ms: int = GAP_MS) -> Integral:
    """Go through samples of (ms, W)."""
    for at_ms, power_w in samples:
        start = integrate(start, at_ms, power_w, gap_ms)
    return start


def exact_mws(integral: Integral) -> tuple[Fraction | int, Fraction | int]:
    """Return what was counted, with the rests."""
    rests = [Fraction(rest, 1_000_000) for rest in integral.rest_nws]
    return integral.import_mws + rests[0], integral.export_mws + rests[1]


def area_mws(one: tuple[int, int], other: tuple[int, int]) -> tuple[Fraction, Fraction]:
    """Return the areas above and below zero of a line between two samples of (ms, mW), as geometry has them."""
    (begun, before), (ended, after) = one, other
    width = Fraction(ended - begun, 1000)
    if before * after >= 0:
        area = width * (before + after) / 2
        return max(area, Fraction(0)), max(-area, Fraction(0))
    crossing = width * abs(before) / (abs(before) + abs(after))
    first, second = crossing * abs(before) / 2, (width - crossing) * abs(after) / 2
    return (first, second) if before > 0 else (second, first)


def timeline(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (ms, mW) of parts of (ms since the last one, mW)."""
    samples, at_ms = list[tuple[int, int]](), 0
    for passed_ms, power_mw in parts:
        at_ms += passed_ms
        samples.append((at_ms, power_mw))
    return samples


@given(steps)
def test_the_energy_is_the_exact_area_floored(parts: list[tuple[int, int]]) -> None:
    """Against fractions: nothing is lost but less than a nanowatt-second at each change of sign."""
    samples = timeline(parts)
    integral = sampled([(at_ms, power_mw / 1000) for at_ms, power_mw in samples])
    areas = [area_mws(one, other) for one, other in pairwise(samples)]
    changes = sum(one[1] * other[1] < 0 for one, other in pairwise(samples))
    for counted, area in zip(exact_mws(integral), map(sum, zip(*areas, strict=True)) if areas else (0, 0), strict=True):
        assert 0 <= area - counted <= changes * Fraction(1, 1_000_000)
        if not changes:
            assert counted == area
    assert register_wh(integral) == (integral.import_mws // 3_600_000, integral.export_mws // 3_600_000)


@given(steps)
def test_import_and_export_differ_by_the_net_exactly(parts: list[tuple[int, int]]) -> None:
    """Whatever the rounding at a change of sign: what is not import is export, to the last nanowatt-second."""
    samples = timeline(parts)
    imported, exported = exact_mws(sampled([(at_ms, power_mw / 1000) for at_ms, power_mw in samples]))
    net = sum((Fraction((other[0] - one[0]) * (one[1] + other[1]), 2000) for one, other in pairwise(samples)), 0)
    assert imported - exported == net


@given(
    begin_mw=st.integers(-10_000, 10_000),
    slope_mw=st.integers(-200, 200),
    cuts=st.sets(st.integers(1, 599), max_size=30),
)
def test_sampling_a_linear_power_more_often_changes_nothing(begin_mw: int, slope_mw: int, cuts: set[int]) -> None:
    """A poll more or less is no energy, even where the sign changes between them."""

    def at(second: int) -> tuple[int, float]:
        return second * 1000, (begin_mw + slope_mw * second) / 1000

    few = sampled([at(0), at(600)], gap_ms=600_000)
    many = sampled([at(second) for second in (0, *sorted(cuts), 600)], gap_ms=600_000)
    assert few == many


def test_a_change_of_sign_inside_a_step_is_split() -> None:
    """From 3 kW in to 1 kW out within 40 s: 30 s of a falling import, 10 s of a rising export."""
    integral = sampled([(0, 3000), (40_000, -1000)])
    assert exact_mws(integral) == (45_000_000, 5_000_000)
    assert exact_mws(sampled([(0, -1000), (40_000, 3000)])) == (45_000_000, 5_000_000)


def test_an_hour_of_a_kilowatt_is_a_kilowatt_hour() -> None:
    """Sampled every ten seconds, to the Wh; exporting it is the other register."""
    samples = [(second * 1000, 1000.0) for second in range(0, 3601, 10)]
    assert register_wh(sampled(list(samples))) == (1000, 0)
    assert register_wh(sampled([(at_ms, -power) for at_ms, power in samples])) == (0, 1000)


def test_nothing_is_counted_over_a_gap() -> None:
    """What nobody saw is not made up, and the next step counts again."""
    gone = sampled([(0, 1000), (GAP_MS + 1, 1000)])
    assert exact_mws(gone) == (0, 0)
    assert exact_mws(integrate(gone, GAP_MS + 1001, 1000, GAP_MS)) == (1_000_000, 0)
    assert exact_mws(sampled([(0, 1000), (GAP_MS, 1000)])) == (60_000_000, 0)


@pytest.mark.parametrize("power_w", [None, math.nan, math.inf, -math.inf, 1e300])
def test_a_power_that_is_no_number_counts_for_nothing_on_either_side(power_w: float | None) -> None:
    """An unavailable power is not 0 W: neither the step to it nor the one from it is energy."""
    assert exact_mws(sampled([(0, 1000), (1000, power_w), (2000, 1000)])) == (0, 0)
    assert exact_mws(sampled([(0, 1000), (1000, power_w), (2000, 1000), (3000, 1000)])) == (1_000_000, 0)


@pytest.mark.parametrize("back_ms", [10_000, 9_999, 0])
def test_a_clock_that_stands_or_goes_back_is_no_energy(back_ms: int) -> None:
    """The register stays, and counts on from the time that the clock shows now."""
    integral = sampled([(0, 1000), (10_000, 1000), (back_ms, 1000)])
    assert register_wh(integral) == register_wh(sampled([(0, 1000), (10_000, 1000)]))
    assert exact_mws(integrate(integral, back_ms + 1000, 1000, GAP_MS)) == (11_000_000, 0)
