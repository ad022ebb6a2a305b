"""When an interval is due, what it waits for, and what its evidence seals."""

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud.settlement.cycle import Due, Expected, Terms, Waiting, first_open, judge, last_ended
from cloud.settlement.evidence import BatchName, Outcome, evidence_of
from cloud.settlement.share import Share
from cloud.tariff.price import Prices

HOUR = 3600
START = 100 * HOUR
TERMS = Terms(interval_seconds=1800, cycle_seconds=1800, grace_seconds=24 * HOUR)
A, B, C = (Expected(site, since=0, quarantined=False) for site in "abc")


def verdict(now: int, *reported: str, expected: tuple[Expected, ...] = (A, B), **more: Any) -> Due | Waiting:
    """Judge the interval at START."""
    return judge(START, more.pop("terms", TERMS), expected, set(reported), priced=more.pop("priced", True), now=now)


def test_an_interval_is_due_as_soon_as_everybody_has_reported() -> None:
    """No grace time is waited out then."""
    assert verdict(START + 1800, "a", "b") == Due(without=())
    assert verdict(START + 1800, "a", "b", "stranger") == Due(without=())


def test_a_site_that_is_late_is_waited_for_until_the_grace_time_is_over() -> None:
    """Then the interval is settled without it, and says so."""
    assert verdict(START + 1800, "a") == Waiting("sites", ("b",))
    assert verdict(START + 1800 + 24 * HOUR - 1, "a") == Waiting("sites", ("b",))
    assert verdict(START + 1800 + 24 * HOUR, "a") == Due(without=("b",))


def test_an_interval_nobody_reported_in_stays_open() -> None:
    """A community that was off line for a month loses nothing."""
    assert verdict(START + 31 * 24 * HOUR) == Waiting("sites", ("a", "b"))


def test_nothing_is_settled_before_its_cycle_has_ended() -> None:
    """Even when everybody has reported; the grace time begins with the end of the cycle."""
    daily = replace(TERMS, cycle_seconds=24 * HOUR)
    assert verdict(START + 1800, "a", "b", terms=daily) == Waiting("cycle", ())
    assert verdict(119 * HOUR, "a", terms=daily) == Waiting("cycle", ("b",))
    assert verdict(120 * HOUR, "a", "b", terms=daily) == Due(without=())
    assert verdict(144 * HOUR - 1, "a", terms=daily) == Waiting("sites", ("b",))
    assert verdict(144 * HOUR, "a", terms=daily) == Due(without=("b",))


def test_without_a_tariff_settlement_waits_and_says_so() -> None:
    """No price is made up, however late it gets."""
    assert verdict(START + 90 * 24 * HOUR, "a", "b", priced=False) == Waiting("tariff", ())


def test_a_site_is_expected_from_its_first_tree_on() -> None:
    """One that joined later does not hold up what was before."""
    newcomer = replace(C, since=START + 1800)
    assert verdict(START + 1800, "a", "b", expected=(A, B, newcomer)) == Due(without=())
    assert verdict(START + 1800, "a", "b", expected=(A, B, replace(C, since=START))) == Waiting("sites", ("c",))


def test_a_quarantined_site_is_not_waited_for_but_named() -> None:
    """Nothing more comes of it; whoever reads the settlement must know."""
    liar = replace(B, quarantined=True)
    assert verdict(START + 1800, "a", expected=(A, liar)) == Due(without=("b",))
    assert verdict(START + 1800, "a", "b", expected=(A, liar)) == Due(without=())


@given(st.sets(st.sampled_from("abc")), st.integers(START + 1800, START + 3 * 24 * HOUR), st.permutations([A, B, C]))
def test_an_interval_once_due_stays_due(reported: set[str], now: int, expected: list[Expected]) -> None:
    """Time passing and more sites reporting never turn a due interval back, in whatever order sites are listed."""
    if isinstance(judge(START, TERMS, expected, reported, priced=True, now=now), Due):
        for more in "abc":
            later = judge(START, TERMS, expected[::-1], reported | {more}, priced=True, now=now + 1)
            assert isinstance(later, Due)
            assert set(later.without) == set("abc") - reported - {more}


@pytest.mark.parametrize(("now", "start"), [(3599, 0), (3600, 1800), (3601, 1800), (5399, 1800)])
def test_the_newest_ended_interval_has_ended(now: int, start: int) -> None:
    """An interval ends where the next begins."""
    assert last_ended(now, 1800) == start


def test_what_is_open_is_looked_at_again_until_it_is_too_old() -> None:
    """Settled ones are passed, the first open one is not, unless two months have gone by."""
    starts = range(0, 9000, 1800)
    assert first_open(starts, {0, 1800}, now=9000) == 3600
    assert first_open(starts, set(starts), now=9000) == 9000
    assert first_open(starts, {0}, now=61 * 24 * HOUR) == 9000


OUTCOME = Outcome(
    community="lane",
    start=START,
    seconds=1800,
    prices=Prices(20_000, 30_000, 8_000),
    batches=(BatchName("a", 1, 7), BatchName("b", 2, 9)),
    without=("c", "d"),
    owners={"anna": (Share(10, 5, -350_000), "ok"), "ben": (Share(-10, 0, 200_000), "estimated")},
)


def test_evidence_does_not_depend_on_the_order_of_what_it_seals() -> None:
    """Databases answer in any order."""
    turned = replace(
        OUTCOME,
        batches=OUTCOME.batches[::-1],
        without=OUTCOME.without[::-1],
        owners=dict(reversed(list(OUTCOME.owners.items()))),
    )
    assert evidence_of(turned) == evidence_of(OUTCOME)


@pytest.mark.parametrize(
    "changed",
    [
        {"community": "road"},
        {"start": START + 1800},
        {"seconds": 900},
        {"prices": Prices(None, 30_000, 8_000)},
        {"prices": Prices(20_000, 30_000, 8_001)},
        {"batches": (BatchName("a", 1, 7), BatchName("b", 2, 8))},
        {"without": ("c",)},
        {"owners": {**OUTCOME.owners, "anna": (Share(9, 6, -350_000), "ok")}},
        {"owners": {**OUTCOME.owners, "anna": (Share(10, 5, -350_001), "ok")}},
        {"owners": {**OUTCOME.owners, "anna": (Share(10, 5, -350_000), "missing")}},
        {"owners": {**OUTCOME.owners, "cleo": (Share(0, 0, 0), "missing")}},
    ],
)
def test_evidence_changes_with_everything_it_seals(changed: dict[str, Any]) -> None:
    """Batches, prices, absent sites and every owner's part."""
    assert evidence_of(replace(OUTCOME, **changed)) != evidence_of(OUTCOME)
