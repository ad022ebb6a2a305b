"""The fraud figure measures what it says: what is made up around the measured homes is what is to be found."""

import numpy as np
import pytest

from custom_components.commonwatt.v2g.agreement import Tolerance

from . import fraud
from .households import Home, homes
from .sessions import PERIODS, Metered, flagged, known, known_by, sessions
from .steps import VISIT_SLOTS, found_within, powers, verdicts, visits

HOMES = {home.name: home for home in homes()}
COUNT = 60
SEED = 20_261_121


@pytest.fixture(name="rng")
def rng_fixture() -> np.random.Generator:
    """Return what everything is drawn from."""
    return np.random.default_rng(SEED)


def test_a_home_that_is_measured_whole_never_has_less_than_its_parts_but_by_faults() -> None:
    """The rest is never below zero: what is left below it is a sub-meter above the mains, as it really was."""
    for home in HOMES.values():
        left = home.net - sum(home.circuits) - home.rest
        assert left.max() < 1e-6, home.name
        faults = float((left < -50).mean())
        assert faults > 0.3 if home.name in fraud.ASTRAY else faults < 0.01, home.name


@pytest.mark.parametrize("metered", ["behind its loss", "at the plug", "at the battery"])
def test_an_honest_session_adds_up(rng: np.random.Generator, metered: Metered) -> None:
    """The meter shows the consumption and the cable, but for errors of class and what a loss hides."""
    made = sessions(HOMES["load_pv"], COUNT, rng, metered=metered)
    off = np.abs(made.meter - made.consumption - made.cable)
    most = 80 + np.abs(made.cable) * {"behind its loss": 0.02, "at the plug": 0.04, "at the battery": 0.13}[metered]
    assert (off <= most).all()
    assert made.cable.shape == (COUNT, 2 * PERIODS)
    assert (made.stolen_wh == 0).all()


def test_what_is_stolen_is_what_the_meter_does_not_show(rng: np.random.Generator) -> None:
    """In the mean of a session's periods, to the errors of the meters."""
    made = sessions(HOMES["sceaux"], COUNT, rng, share=0.5)
    off = (made.meter - made.consumption - made.cable).mean(axis=1)
    assert (np.abs(off - made.stolen_wh) < 100).all()
    assert (made.cable < 0).all()


def test_a_theft_is_found_and_an_honest_session_is_not_flagged_where_everything_is_measured(
    rng: np.random.Generator,
) -> None:
    """In half hours with the default tolerance: each of the one, none of the other."""
    home = HOMES["load_pv"]
    thefts, honest = sessions(home, COUNT, rng, share=1), sessions(home, COUNT, rng)
    large = thefts.stolen_wh >= fraud.STOLEN_WH_MIN
    assert known(honest, fraud.DEFAULT.wh).all()
    assert flagged(thefts, "consumption", fraud.DEFAULT)[large].all()
    assert not flagged(honest, "consumption", fraud.DEFAULT).any()


@pytest.mark.parametrize("wh", [50, 300])
def test_what_the_meter_showed_before_can_only_make_suspect(rng: np.random.Generator, wh: int) -> None:
    """Whatever the tolerance, it would flag more than half of the honest."""
    honest = sessions(HOMES["sceaux"], COUNT, rng)
    assert flagged(honest, "before", Tolerance(wh, 20)).mean() > 0.5


def test_a_home_that_is_partly_measured_is_seldom_taken_for_known(rng: np.random.Generator) -> None:
    """With a load of hundreds of watts that has no meter."""
    made = sessions(HOMES["fontana1"], COUNT, rng, rest=False)
    assert not known(made, fraud.DEFAULT.wh).any()


def test_a_longer_memory_takes_fewer_for_known(rng: np.random.Generator) -> None:
    """Above all where the tree is wrong and the sun hides it at night."""
    made = sessions(HOMES["konstanz1"], 4 * COUNT, rng)
    night, day = known_by(made, 100, 12, 1), known_by(made, 100, 24, 1)
    assert not (day & ~night).any()
    assert day.sum() < night.sum()


@pytest.mark.parametrize("busy", [False, True])
def test_challenges_find_a_theft_of_three_tenths_and_no_honest_host(rng: np.random.Generator, busy: bool) -> None:
    """Within four half hours; of single challenges at an honest site fewer than one in a hundred is a mismatch."""
    load = powers(busy=busy)
    assert found_within(visits(load, COUNT, 0.3, rng), VISIT_SLOTS) >= 95
    honest = visits(load, COUNT, 0, rng)
    assert found_within(honest, VISIT_SLOTS) == 0
    assert verdicts(honest).mismatch < 1


def test_the_figures_and_the_curves_are_printed() -> None:
    """On a slice, which proves no rate; goals stand beside what is measured."""
    figures = {figure.name: figure for figure in fraud.measure(SEED, 10)}
    assert len(figures) == 7
    assert figures["fraud: thefts found"].reached
    assert figures["fraud: honest sessions flagged"].ours < 5
    lines = list(fraud.curves(SEED, 5))
    assert sum(line.startswith("\n") for line in lines) == 9
    assert sum(line.startswith(" 100  10") for line in lines) == 6


def test_an_hour_of_an_hourly_home_stands_for_a_period() -> None:
    """And nothing is cut in halves that nobody measured."""
    hourly: list[Home] = [home for home in HOMES.values() if home.seconds == 3600]
    assert {home.name for home in HOMES.values()} - {home.name for home in hourly} == {"sceaux", "load_pv"}
    assert len(HOMES["sceaux"].net) > 600
