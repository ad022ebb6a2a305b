"""Two of one cable are told from one that is moved, unplugged, late, or reported by clocks that are a little off."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings, strategies as st

from cloud.v2g.records.places import (
    SECONDS_AT_TWO,
    SET_BACK_SECONDS,
    Rehomed,
    merged,
    rehomed,
    said_at_two,
    signed_at_two,
)
from cloud.v2g.records.signed import Presence, Signed

HALF_HOUR = 1800
BLANK = Signed("C", 1, "here", 0, HALF_HOUR, 0, 0, 0, 0, None, None, None, None, "lane", "here", None, "")


def signed(site: str | None, start: int, end: int, number: int = 1, energy_wh: int = 0) -> Signed:
    """Return an interval a cable signed."""
    item = replace(BLANK, site=site, start=start, seconds=end - start, number=number)
    return replace(item, import_wh=max(energy_wh, 0), export_wh=max(-energy_wh, 0))


def reported(site: str, number: int, energy_wh: int = 0, seconds: int = HALF_HOUR) -> Presence:
    """Return a site's report of its interval number so and so."""
    return Presence("lane", site, number * seconds, seconds, energy_wh)


def plugged(site: str, at: int) -> Presence:
    """Return a site's word that a cable was plugged in."""
    return Presence("lane", site, at, 0, 0)


def test_what_was_signed_at_two_sites_overlaps_by_no_more_than_clocks_are_off() -> None:
    """To the second."""
    first = signed("here", 0, 1000)
    assert signed_at_two([first, signed("there", 1000 - SECONDS_AT_TWO, 2000, 7)]) is None
    both = signed_at_two([first, signed("there", 999 - SECONDS_AT_TWO, 2000, 7)])
    assert both is not None
    assert (both.sites, both.seconds, both.basis) == (("here", "there"), SECONDS_AT_TWO + 1, "signed")
    assert signed_at_two([first, signed("there", 0, 1000)]) is not None, "under one number, too"
    assert signed_at_two([first, signed(None, 0, 1000, 7)]) is None, "told no site, it may have been there"
    assert signed_at_two([first, replace(signed("there", 0, 1000, 7), refused="clock_unsure")]) is None


def test_a_clock_that_is_set_back_on_the_way_does_not_make_two_of_a_cable() -> None:
    """While numbers and registers go on; not where time comes twice again and again, nor with other registers."""
    first = signed("here", 0, HALF_HOUR, 1, -700)
    after = replace(signed("there", HALF_HOUR - SET_BACK_SECONDS, 3600, 2), export_from_wh=700)
    assert signed_at_two([first, after]) is None
    assert signed_at_two([first, replace(after, start=after.start - 1)]) is not None
    assert signed_at_two([first, replace(after, number=3)]) is not None
    assert signed_at_two([first, replace(after, export_from_wh=699)]) is not None
    one_chain = [signed(("here", "there")[n % 2], n // 2 * 300, n // 2 * 300 + 300, n) for n in range(8)]
    assert signed_at_two(one_chain) is not None, "two that sign in turns"


def test_what_sites_say_is_never_proof() -> None:
    """Whatever they say, and how often: the cable's own word alone is."""
    here = [signed("here", number * HALF_HOUR, (number + 1) * HALF_HOUR, number) for number in range(4)]
    there = [plugged("there", 10), *(reported("there", number, -500) for number in range(4))]
    assert signed_at_two(here) is None
    said = said_at_two(here, there)
    assert said is not None
    assert said.basis == "reported"


def test_an_interval_that_two_sites_report_proves_nothing_by_itself() -> None:
    """It was moved within it, perhaps there and back."""
    assert (
        said_at_two([], [reported("here", 0), reported("here", 1), reported("there", 1), reported("there", 2)]) is None
    )
    there_and_back = [reported("here", 0), reported("here", 1), reported("there", 0), reported("there", 1)]
    assert said_at_two([], there_and_back) is None
    three = [reported(site, number) for site in ("here", "there") for number in range(3)]
    assert said_at_two([], three) is not None
    carried = [plugged("here", 600), plugged("there", 1900), plugged("here", 4000)]
    assert said_at_two([], [*three, *carried]) is None
    assert said_at_two([], [*three, *carried[1:]]) is not None


def test_a_report_of_the_time_it_signed_to_be_elsewhere_is_of_another_cable() -> None:
    """An interval that reaches beyond what it signed is not: it may have come in the rest of it."""
    there = [signed("there", 0, HALF_HOUR), signed("there", HALF_HOUR, 3500, 2)]
    assert said_at_two(there, [reported("here", 0)]) is not None
    assert said_at_two(there, [reported("here", 1)]) is None
    short = [reported("here", number, seconds=20) for number in range(3)]
    assert said_at_two(there, short) is None, "a minute may be the clocks'"
    assert said_at_two(there, [*short, reported("here", 3, seconds=20)]) is not None


def test_who_was_plugged_in_and_is_reported_since_has_stayed() -> None:
    """Until the last report begins; plugged in again meanwhile, it may have been away."""
    stayed = [plugged("there", 100), reported("there", 0), reported("there", 1), reported("there", 2)]
    assert said_at_two([], [*stayed, reported("here", 1)]) is not None
    assert said_at_two([], [*stayed, reported("here", 0)]) is None
    assert said_at_two([], [*stayed, plugged("there", 3700), reported("here", 1)]) is None
    left = [plugged("there", 100), reported("there", 0), reported("there", 2)]
    assert said_at_two([], [*left, reported("here", 1)]) is None


@settings(deadline=None)
@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(60, 9000), st.integers(0, 3000)), max_size=8
    ),
    seconds=st.sampled_from([10, 300, 900, HALF_HOUR]),
    signs=st.booleans(),
    visits=st.booleans(),
    data=st.data(),
)
def test_one_honest_cable_is_never_at_two_places(
    moves: list[tuple[str, int, int]], seconds: int, data: st.DataObject, *, signs: bool, visits: bool
) -> None:
    """Wherever it goes and however long it stays or travels, and whatever part of what is said of it has come.

    Where no site tells of pluggings in, it is not carried to and fro in every interval.
    """
    now, number = 0, 0
    records: list[Signed] = []
    reports: set[Presence] = set()
    for site, stay, travel in moves:
        start, end = now, now + (stay if visits else max(stay, 2 * seconds))
        for begin in range(start - start % HALF_HOUR, end, HALF_HOUR):
            number += 1
            records.append(signed(site, max(begin, start), min(begin + HALF_HOUR, end), number))
        reports |= {
            reported(site, at // seconds, seconds=seconds) for at in range(start - start % seconds, end, seconds)
        }
        if visits:
            reports.add(plugged(site, start))
        now = end + travel
    came = sorted(reports, key=str)
    if came and not visits:
        came = data.draw(st.lists(st.sampled_from(came), unique=True))
    assert said_at_two(records if signs else [], came) is None
    assert signed_at_two(records) is None


@given(spans=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda span: (span[0], sum(span)))))
def test_spans_made_one_cover_the_same(spans: list[tuple[int, int]]) -> None:
    """In order, apart from one another, not a second more or less."""
    made = merged(spans)
    assert {second for start, end in made for second in range(start, end)} == {
        second for start, end in spans for second in range(start, end)
    }
    assert all(before[1] < after[0] for before, after in pairwise(made))


def test_a_claim_to_what_was_signed_for_another_site_is_found_when_all_is_here() -> None:
    """Not while a number is missing or time is open, and not where the energy is another one."""
    records = [signed("here", 0, HALF_HOUR, 1, -700), signed("here", HALF_HOUR, 2 * HALF_HOUR, 2, -5)]
    claim = reported("there", 0, -700)
    (found,) = rehomed(records, [claim], [])
    assert found == Rehomed("lane", "there", 0, (1,), -700, "here")
    assert rehomed(records, [claim], [(2, 2)]) == []
    assert rehomed(records, [reported("there", 0, -900)], []) == []
    assert rehomed(records, [reported("here", 0, -700)], []) == []
    assert rehomed([signed("here", 0, 900, 1, -700)], [claim], []) == []
    assert rehomed([signed(None, 0, HALF_HOUR, 1, -700)], [claim], []) == []
