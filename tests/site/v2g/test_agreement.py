"""Cables against the meter: the worked cases hold, and no sign, rounding or order makes guilt out of nothing."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt.v2g import UNKNOWN, Tolerance, compare
from custom_components.commonwatt.v2g.agreement import told

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "v2g.json").read_text(encoding="utf-8"))
DEFAULTS = Tolerance()

energies = st.integers(-50_000, 50_000)


@pytest.mark.parametrize("case", VECTORS["agreement"], ids=lambda case: str(case["name"]))
def test_the_worked_cases_hold(case: dict[str, Any]) -> None:
    """Verdict, difference and tolerance, by consumption and by what the meter showed before."""
    found = compare(case["cable_wh"], case["meter_wh"], case.get("consumption_wh"), case.get("before_wh"), DEFAULTS)
    expected = case["expect"]
    assert found.verdict == expected["verdict"]
    assert (found.difference_wh, found.tolerance_wh) == (expected.get("difference_wh"), expected.get("tolerance_wh"))


@given(cable=energies, consumption=energies, error=energies)
def test_the_difference_is_the_error_whatever_the_signs(cable: int, consumption: int, error: int) -> None:
    """Charging or discharging, drawing or feeding in: only how far the meter is off decides."""
    found = compare(cable, consumption + cable + error, consumption, None, DEFAULTS)
    assert found.expected_wh == consumption + cable
    assert found.difference_wh == abs(error)
    assert (found.verdict == "match") == (abs(error) <= max(100, abs(cable) // 10))


@given(cable=st.integers(-10_000, -2), stolen=st.fractions(0, 1))
def test_a_discharge_taken_beyond_the_tolerance_never_matches(cable: int, stolen: Any) -> None:
    """The part of it that the meter does not see is found as soon as it is more than the tolerance."""
    missing = int(-cable * stolen)
    found = compare(cable, 700 + cable + missing, 700, None, DEFAULTS)
    assert (found.verdict == "mismatch") == (missing > DEFAULTS.of(cable))


@given(cable=energies, percent=st.integers(0, 100), wh=st.integers(0, 1000))
def test_the_tolerance_is_floored_and_the_same_in_both_directions(cable: int, percent: int, wh: int) -> None:
    """A share of 1 509 Wh at 10 % is 150 Wh, whichever way they flowed."""
    tolerance = Tolerance(wh, percent)
    assert tolerance.of(cable) == tolerance.of(-cable)
    assert tolerance.of(cable) >= wh
    assert tolerance.of(cable) * 100 <= max(wh * 100, abs(cable) * percent)
    assert Tolerance(0, 10).of(-1509) == 150


@given(cable=energies, meter=energies, before=energies)
def test_what_the_meter_showed_before_accuses_nobody(cable: int, meter: int, before: int) -> None:
    """It leads to suspicion at most, and of a cable at rest to none: there the household alone can have changed."""
    found = compare(cable, meter, None, before, DEFAULTS)
    verdict = told(found, cable)
    assert verdict in ("match", "suspect", "unknown")
    assert (verdict == "match") == (found.verdict == "match")
    if abs(cable) <= 100:
        assert verdict != "suspect"


@given(cable=energies, consumption=energies, before=energies, meter=energies)
def test_a_known_consumption_goes_before_an_earlier_meter_value(
    cable: int, consumption: int, before: int, meter: int
) -> None:
    """Where both are known, the earlier value changes nothing."""
    assert compare(cable, meter, consumption, before, DEFAULTS) == compare(cable, meter, consumption, None, DEFAULTS)


@given(cable=energies, other=st.none() | energies)
def test_with_nothing_to_compare_there_is_no_guilt(cable: int, other: int | None) -> None:
    """No meter, or nothing that says what it should show."""
    assert compare(cable, None, other, other, DEFAULTS) == UNKNOWN
    assert compare(cable, 700, None, None, DEFAULTS) == UNKNOWN
    assert told(UNKNOWN, cable) == "unknown"
