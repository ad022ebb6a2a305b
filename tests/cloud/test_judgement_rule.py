"""The rules of the second judgement, by themselves: what is compared with what, and what follows."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, strategies as st
import pytest

from cloud.v2g.agreement import Tolerance, compare
from cloud.v2g.judgement.evidence import CableEvidence, Report, claim_of, look_of
from cloud.v2g.judgement.outcome import Outcome, Past, guilt, heard, outcome, passed, together
from cloud.v2g.judgement.rule import Claim, Judged, Look, Signed, Word, is_whole, judge, words_of
from cloud.v2g.records.signed import Signed as Record
from cloud.v2g.terms.terms import Terms
from cloud.wire.cable import VERDICTS, Verdict

TOLERANCE = Tolerance(100, 10)
CASES = json.loads((Path(__file__).parents[1] / "vectors" / "v2g.json").read_text())["agreement"]

energies = st.integers(-20_000, 20_000)
verdicts: st.SearchStrategy[Verdict] = st.sampled_from(sorted(VERDICTS))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_worked_cases_hold(case: dict[str, Any]) -> None:
    """Both sides are held to them, each with its own code."""
    found = compare(
        case["meter_wh"],
        case["cable_wh"],
        consumption_wh=case.get("consumption_wh"),
        before_wh=case.get("before_wh"),
        tolerance=TOLERANCE,
    )
    expected = case["expect"]
    assert found.verdict == expected["verdict"]
    assert found.difference_wh == expected.get("difference_wh")
    assert found.tolerance_wh == expected.get("tolerance_wh")


@given(energies, energies, energies)
def test_what_is_so_within_tolerance_matches(rest: int, cable: int, off: int) -> None:
    """And nothing else; the tolerance never depends on the direction."""
    tolerance = TOLERANCE.of(cable)
    found = compare(rest + cable + off, cable, consumption_wh=rest, tolerance=TOLERANCE)
    assert (found.verdict == "match") == (abs(off) <= tolerance)
    assert tolerance == TOLERANCE.of(-cable)


@given(st.none() | energies, energies, st.none() | energies, st.none() | energies)
def test_only_known_consumption_convicts(
    meter: int | None, cable: int, consumption: int | None, before: int | None
) -> None:
    """What is compared with an earlier value is suspect at most, and with nothing it is unknown."""
    found = compare(meter, cable, consumption_wh=consumption, before_wh=before, tolerance=TOLERANCE)
    if found.judged == "mismatch":
        assert consumption is not None
    if meter is None or (consumption is None and before is None):
        assert found.judged == "unknown"


def look(*claims: Claim, overdue: bool = True, **others: Any) -> Look:
    """Return a look at a period of half an hour."""
    values: dict[str, Any] = {"meter_wh": 520, "consumption_wh": 2000, "before_wh": None}
    return Look(0, 1800, claims, overdue=overdue, **(values | others))


def claim(cable: str, energy_wh: int, signed_wh: int | None, **others: Any) -> Claim:
    """Return a claim with what was signed of it."""
    return Claim(cable, energy_wh, True, None if signed_wh is None else Signed(signed_wh, 1), **others)


@given(st.lists(st.tuples(energies, st.none() | energies), min_size=1, max_size=5), st.none() | energies, energies)
def test_what_nobody_signed_neither_accuses_nor_clears(
    cables: list[tuple[int, int | None]], meter: int | None, consumption: int
) -> None:
    """A match holds with the signed energies alone; a mismatch with and without the claims."""
    seen = look(
        *(claim(f"c{number}", *item) for number, item in enumerate(cables)),
        meter_wh=meter,
        consumption_wh=consumption,
    )
    rest = {"consumption_wh": consumption, "tolerance": TOLERANCE}
    alone = compare(meter, seen.signed_wh, **rest)  # type: ignore[arg-type]
    whole = compare(meter, seen.signed_wh + seen.unsigned_wh, **rest)  # type: ignore[arg-type]
    for judged in judge(seen, TOLERANCE).values():
        if judged.verdict == "match":
            assert alone.verdict == "match"
        if judged.cause == "meter":
            assert (alone.verdict, whole.verdict) == ("mismatch", "mismatch")


@given(energies, st.integers(1, 1800))
def test_a_claim_shows_that_all_records_are_there_by_rounding_edges_and_one_percent(signed: int, seconds: int) -> None:
    """And by no more, in either direction."""
    most = max(2, min(10, seconds // 30), abs(signed) // 100)
    for sign in (1, -1):
        assert is_whole(signed + sign * most, signed, seconds)
        assert not is_whole(signed + sign * (most + 1), signed, seconds)


@given(energies, st.integers(0, 500), st.integers(0, 20))
def test_a_claim_may_be_off_by_the_tolerance(signed: int, wh: int, percent: int) -> None:
    """As far as the meter may be, in either direction; beyond it is a mismatch. Rounding is none under any terms."""
    tolerance = Tolerance(wh, percent)
    most = max(tolerance.of(signed), 10, abs(signed) // 100)
    for claimed, cause in ((most, "none"), (-most, "none"), (most + 1, "scaled"), (-most - 1, "scaled")):
        seen = look(claim("c", signed + claimed, signed), meter_wh=2000 + signed)
        assert judge(seen, tolerance)["c"].cause == cause


def test_energy_from_before_the_cable_was_told_where_it_is_may_be_claimed_or_not() -> None:
    """The first seconds after plugging in."""
    assert is_whole(-1500, -1500, 1800, -60)
    assert is_whole(-1560, -1500, 1800, -60)
    assert not is_whole(-1600, -1500, 1800, -60)
    for claimed, cause in ((-1710, "none"), (-1350, "none"), (-1711, "scaled"), (-1349, "scaled")):
        seen = look(claim("c", claimed, -1500, untold_wh=-60), meter_wh=500)
        assert judge(seen, TOLERANCE)["c"].cause == cause


judgements = st.builds(
    Judged,
    verdicts,
    st.sampled_from(["none", "meter", "scaled", "gap"]),
    st.sampled_from(["consumption", "before", "none"]),
    energies,
    st.integers(0, 3),
)
words = st.none() | st.builds(Word, energies, verdicts)


@given(judgements, words)
def test_a_provider_speaks_only_for_what_was_signed(judged: Judged, word: Word | None) -> None:
    """It overrules both ways, never changes the energy, and leaves what it does not know."""
    found = heard(judged, word)
    assert (found.energy_wh, found.records) == (judged.energy_wh, judged.records)
    if word is None or judged.records == 0 or word.verdict in ("suspect", "unknown"):
        assert found == judged
    else:
        assert (found.verdict, found.basis) == (word.verdict, "utility")


pasts = st.builds(Past, st.integers(0, 100), verdicts, st.booleans(), st.booleans())
later = st.lists(st.none() | pasts, max_size=12)


@given(judgements, later, st.integers(1, 6), st.booleans(), st.booleans())
def test_nothing_ends_without_a_witness(
    judged: Judged,
    following: list[Past | None],
    look_back: int,
    over_cap: bool,
    aged: bool,
) -> None:
    """A mismatch is never final; what is final has one; what is over the cap is not by the look-back."""
    found = outcome(judged, following, look_back, over_cap=over_cap, aged=aged)
    assert (found.state == "final") == (found.witness is not None)
    if judged.verdict == "mismatch":
        assert found.state == "withheld"
    if found.witness == "lookback":
        clean = all(past is not None and past.verdict != "mismatch" for past in following)
        assert passed(following, look_back) or (aged and clean and judged.verdict == "match")
        assert not (over_cap and judged.verdict in ("suspect", "unknown"))


@given(later, later, st.integers(1, 6))
def test_a_look_back_once_passed_stays_passed(one: list[Past | None], more: list[Past | None], look_back: int) -> None:
    """More periods never take a witness away."""
    if passed(one, look_back):
        assert passed([*one, *more], look_back)


@pytest.mark.parametrize(
    ("following", "ended"),
    [
        ("mmmm", True),
        ("mmm", False),
        ("msum", True),
        ("mmxmmmm", True),
        ("mmxmmm", False),
        ("mm.mmmm", False),
        ("xxxx", False),
    ],
)
def test_a_look_back_is_four_periods_in_a_row(following: str, ended: bool) -> None:
    """Without a mismatch (x), and none that still waits (.) among or before them; suspicion (s) is no mismatch."""
    names: dict[str, Verdict] = {"m": "match", "s": "suspect", "u": "unknown", "x": "mismatch"}
    found = [None if letter == "." else Past(0, names[letter], counts=True) for letter in following]
    assert passed(found, 4) is ended


@given(st.lists(pasts, max_size=20), st.integers(1, 4), st.integers(0, 4))
def test_only_comparable_mismatches_flag(periods: list[Past], mismatches: int, more: int) -> None:
    """Suspicion never does, nor what nothing is known of; the evidence names as many as the terms ask for."""
    terms = Terms(mismatches=mismatches, look_back=mismatches + more)
    found = guilt(periods, terms)
    if found is not None:
        wrong = [past.start for past in periods if past.counts and past.verdict == "mismatch"]
        assert len(found.evidence) >= mismatches
        assert set(found.evidence) <= set(wrong)
    innocent = [past for past in periods if past.verdict != "mismatch" or not past.counts]
    assert guilt(innocent, terms) is None


def test_a_flag_takes_two_of_any_four_in_a_row() -> None:
    """Two that lie further apart do not count together; suspects between them do not push them apart.

    Old ones count as new ones do: evidence may come late.
    """

    def flagged(letters: str) -> bool:
        names: dict[str, tuple[Verdict, bool]] = {
            "m": ("match", True),
            "x": ("mismatch", True),
            "s": ("suspect", False),
        }
        found = [Past(number, *names[letter]) for number, letter in enumerate(letters)]
        return guilt(found, Terms()) is not None

    assert flagged("xmmx")
    assert not flagged("xmmmx")
    assert flagged("xssssx")
    assert flagged("mmmmxx")
    assert not flagged("mmmmx")


def test_a_period_of_several_cables_is_as_grave_as_its_gravest() -> None:
    """None while one of them still waits."""
    match = ("match", "consumption", "none", None)
    assert together(0, [match, ("mismatch", "none", "scaled", None)]) == Past(0, "mismatch", counts=True)  # type: ignore[list-item]
    assert together(0, [match, ("unknown", "none", "unsigned", None)]) == Past(0, "unknown", counts=False)  # type: ignore[list-item]
    assert together(0, [match, ("unknown", "none", "waiting", None)]) is None  # type: ignore[list-item]


SECONDS = st.sampled_from([300, 600, 900, 1800])


@given(SECONDS, st.sampled_from([300, 900, 1800, 3600]), st.integers(1, 24), st.sets(st.integers(0, 23)))
def test_a_providers_word_covers_whole_spans_only(seconds: int, read: int, count: int, missing: set[int]) -> None:
    """Every period that is spoken for lies in a span that both fill; what is missing of either is never guessed."""
    looks = {
        number * seconds: Look(number * seconds, seconds, (claim("c", 100, 100),), 500, 400, None, overdue=True)
        for number in range(count)
    }
    readings = {number * read: (read, 500 * read // seconds) for number in range(24) if number not in missing}
    found = words_of(looks, readings, TOLERANCE)
    span = max(seconds, read) if max(seconds, read) % min(seconds, read) == 0 else 1800
    for start in looks:
        first = start - start % span
        filled = all(at in looks for at in range(first, first + span, seconds))
        told = all(at in readings for at in range(first, first + span, read))
        assert (start in found) == (filled and told)


def record(number: int, start: int, end: int, energy_wh: int, site: str | None = "here") -> Record:
    """Return a signed interval."""
    imported, exported = max(energy_wh, 0), max(-energy_wh, 0)
    place: dict[str, Any] = {"latitude": None, "longitude": None, "vehicle": None, "user": None}
    came: dict[str, Any] = {"delivered_community": "lane", "delivered_site": "here", "refused": None}
    return Record(
        cable="c",
        number=number,
        site=site,
        start=start,
        seconds=end - start,
        import_wh=imported,
        export_wh=exported,
        import_from_wh=0,
        export_from_wh=0,
        **place,
        **came,
        payload_hash="h",
    )


@given(st.lists(st.tuples(st.integers(1, 300), energies, st.sampled_from(["here", "there", None])), max_size=6))
def test_a_claim_gets_what_the_cable_signed_here_and_within_the_period(
    parts: list[tuple[int, int, str | None]],
) -> None:
    """Nothing of another site, nor of what only reaches into it, however many parts there are."""
    records, at, number = [], 1800 - 50, 1
    for seconds, energy_wh, site in parts:
        records.append(record(number, at, at + seconds, energy_wh, site))
        at, number = at + seconds, number + 1
    report = Report(1800, 1800, "c", 0, 1, 0, 0, None, 3600)
    found = claim_of("here", report, CableEvidence(records), overdue=True)
    here = [item for item in records if item.site == "here" and item.start >= 1800 and item.end <= 3600]
    signed = Signed(sum(item.energy_wh for item in here), len(here))
    assert (found.signed or Signed(0, 0)) == signed


@given(st.integers(0, 10_000))
def test_records_are_waited_for_two_periods_long(later: int) -> None:
    """From when the site's report was taken in."""
    report = Report(1800, 1800, "c", 500, 1, 0, 0, None, 3600)
    seen = look_of("here", [report], {}, 3600 + later)
    assert seen.waits == (later < 3600)


@given(judgements, words, later, st.integers(1, 6))
def test_the_same_evidence_comes_to_the_same(
    judged: Judged, word: Word | None, following: list[Past | None], look_back: int
) -> None:
    """So that whoever judges second changes nothing."""
    once = outcome(heard(judged, word), following, look_back, over_cap=False)
    assert outcome(heard(heard(judged, word), word), following, look_back, over_cap=False) == once
    assert isinstance(once, Outcome)
