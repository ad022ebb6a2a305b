"""When an interval is due, what it waits for, and what its evidence seals."""

from dataclasses import replace
from datetime import datetime
import json
from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud.settlement.calendar import DAY_SECONDS, WEEK_SECONDS
from cloud.settlement.cycle import Due, Expected, Terms, Waiting, closes, first_open, judge, last_ended
from cloud.settlement.evidence import BatchName, Direct, Outcome, Part, blind_of, document_of, names_in, points_of

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
    revision=0,
    batches=(BatchName("a", 1, 7, "h7"), BatchName("b", 2, 9, "h9")),
    without=("c", "d"),
    local_micro_per_wh=20_000,
    parts={
        "anna": Part(15, 10, 5, 30_000, -350_000, "ok"),
        "ben": Part(-10, -10, 0, 8_000, 200_000, "estimated"),
    },
    directs=(Direct("ben", "anna", 3, 25_000),),
    grid_wh=-5,
    grid_points_micro=150_000,
)
SECRET = "5a" * 32


def document(outcome: Outcome) -> bytes:
    """Write an outcome down."""
    return document_of(outcome, {owner: blind_of(SECRET, START, owner) for owner in ("anna", "ben", "cleo")})


def test_a_document_is_what_owners_are_promised() -> None:
    """Word for word: whoever verifies a statement reads it."""
    anna, ben = (blind_of(SECRET, START, owner) for owner in ("anna", "ben"))
    assert json.loads(document(OUTCOME)) == {
        "v": 2,
        "community": "lane",
        "start": "1970-01-05T04:00:00Z",
        "seconds": 1800,
        "revision": 0,
        "batches": [["a", 1, 7, "h7"], ["b", 2, 9, "h9"]],
        "without": ["c", "d"],
        "local_micro_per_wh": 20_000,
        "nets": [[anna, 15, 10, 5, 30_000, -350_000, "ok"], [ben, -10, -10, 0, 8_000, 200_000, "estimated"]],
        "direct": [[ben, anna, 3, 25_000]],
        "grid": [-5, 150_000],
    }
    assert names_in(document(OUTCOME)) == {("a", 1, 7), ("b", 2, 9)}
    assert points_of(OUTCOME) == {"anna": -425_000, "ben": 275_000}


def test_a_blinded_name_is_found_by_who_is_told_the_secret_only() -> None:
    """Another in every interval, so that nobody follows an owner through them."""
    assert len(blind_of(SECRET, START, "anna")) == 32
    others = {
        blind_of(SECRET, START + 1800, "anna"),
        blind_of("00" * 32, START, "anna"),
        blind_of(SECRET, START, "ben"),
    }
    assert len(others | {blind_of(SECRET, START, "anna")}) == 4


def test_evidence_does_not_depend_on_the_order_of_what_it_seals() -> None:
    """Databases answer in any order."""
    turned = replace(
        OUTCOME,
        batches=OUTCOME.batches[::-1],
        without=OUTCOME.without[::-1],
        parts=dict(reversed(list(OUTCOME.parts.items()))),
    )
    assert document(turned) == document(OUTCOME)


@pytest.mark.parametrize(
    "changed",
    [
        {"community": "road"},
        {"start": START + 1800},
        {"seconds": 900},
        {"revision": 1},
        {"local_micro_per_wh": None},
        {"batches": (BatchName("a", 1, 7, "h7"), BatchName("b", 2, 8, "h9"))},
        {"batches": (BatchName("a", 1, 7, "h7"), BatchName("b", 2, 9, "h8"))},
        {"without": ("c",)},
        {"parts": {**OUTCOME.parts, "anna": Part(15, 9, 6, 30_000, -350_000, "ok")}},
        {"parts": {**OUTCOME.parts, "anna": Part(15, 10, 5, 30_001, -350_000, "ok")}},
        {"parts": {**OUTCOME.parts, "anna": Part(15, 10, 5, 30_000, -350_001, "ok")}},
        {"parts": {**OUTCOME.parts, "anna": Part(15, 10, 5, 30_000, -350_000, "missing")}},
        {"parts": {**OUTCOME.parts, "cleo": Part(0, 0, 0, 8_000, 0, "missing")}},
        {"directs": ()},
        {"grid_wh": -6},
        {"grid_points_micro": 150_001},
    ],
)
def test_evidence_changes_with_everything_it_seals(changed: dict[str, Any]) -> None:
    """Batches, prices, absent sites and every owner's part."""
    assert document(replace(OUTCOME, **changed)) != document(OUTCOME)


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("local_start", "cycle_seconds", "zone", "local_end", "hours"),
    [
        ("2026-11-21T00:00:00+01:00", DAY_SECONDS, BERLIN, "2026-11-22T00:00:00+01:00", 24),
        ("2026-03-29T00:00:00+01:00", DAY_SECONDS, BERLIN, "2026-03-30T00:00:00+02:00", 23),
        ("2026-10-25T00:00:00+02:00", DAY_SECONDS, BERLIN, "2026-10-26T00:00:00+01:00", 25),
        ("2026-10-19T00:00:00+02:00", WEEK_SECONDS, BERLIN, "2026-10-26T00:00:00+01:00", 7 * 24 + 1),
        ("2026-03-23T00:00:00+01:00", WEEK_SECONDS, BERLIN, "2026-03-30T00:00:00+02:00", 7 * 24 - 1),
        ("2026-11-21T00:00:00+09:00", DAY_SECONDS, "Asia/Tokyo", "2026-11-22T00:00:00+09:00", 24),
        ("2026-09-06T01:00:00-03:00", DAY_SECONDS, "America/Santiago", "2026-09-07T00:00:00-03:00", 23),
        ("2026-11-21T07:00:00+00:00", HOUR, BERLIN, "2026-11-21T08:00:00+00:00", 1),
    ],
)
def test_a_cycle_of_a_day_or_a_week_is_the_local_calendars(
    local_start: str, cycle_seconds: int, zone: str, local_end: str, hours: int
) -> None:
    """From local midnight to local midnight, whatever the clock does in between; weeks begin on Monday."""
    start, end = (int(datetime.fromisoformat(text).timestamp()) for text in (local_start, local_end))
    assert end - start == hours * HOUR
    terms = Terms(1800, cycle_seconds, 0, zone)
    assert {closes(at, terms) for at in range(start, end, 1800)} == {end}
    assert closes(end, terms) > end
    assert closes(start - 1800, terms) == start


def test_an_interval_over_midnight_is_settled_when_it_is_over_too() -> None:
    """Where the local day begins beside the intervals' boundaries, an interval is of the day it begins in."""
    midnight = int(datetime.fromisoformat("2026-11-21T00:00:00+05:45").timestamp())
    start = midnight - midnight % 1800
    assert start < midnight < start + 1800
    assert closes(start, Terms(1800, DAY_SECONDS, 0, "Asia/Kathmandu")) == start + 1800
    assert closes(start - 1800, Terms(1800, DAY_SECONDS, 0, "Asia/Kathmandu")) == midnight
