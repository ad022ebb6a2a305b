"""Which numbers are still to come follows from which have, in whatever order they came."""

from hypothesis import given, strategies as st

from cloud.v2g.records.awaited import Awaited, without

NOTHING = Awaited(6, 5)  # of a cable whose key was proved by record 5


@given(numbers=st.lists(st.integers(1, 40)))
def test_what_has_not_come_between_the_lowest_and_the_highest_is_awaited(numbers: list[int]) -> None:
    """Behind the record that proved the key, or a lower one that came; each span ends before one that has come."""
    awaited = NOTHING
    for number in numbers:
        awaited = awaited.came(number)
    missing = [number for first, last in awaited.missing for number in range(first, last + 1)]
    through = range(min([*numbers, 6]), max(numbers, default=0) + 1)
    assert missing == [number for number in through if number not in numbers]
    assert all(last + 1 in numbers for _, last in awaited.missing)


def test_the_proof_itself_is_awaited_only_behind_an_earlier_one() -> None:
    """It was shown when the cable was registered, and may never be delivered."""
    assert NOTHING.missing == ()
    assert NOTHING.came(7).missing == ((6, 6),)
    assert NOTHING.came(7).came(5).came(6) == Awaited(5, 7)
    assert NOTHING.came(4) == Awaited(4, 4)
    assert NOTHING.came(4).came(6).missing == ((5, 5),)
    assert NOTHING.came(8).came(3).missing == ((4, 7),)


def test_a_number_leaves_its_span() -> None:
    """At either end, in the middle, or as the only one."""
    spans = ((2, 4), (6, 6))
    assert without(spans, 3) == ((2, 2), (4, 4), (6, 6))
    assert without(spans, 2) == ((3, 4), (6, 6))
    assert without(spans, 6) == ((2, 4),)
    assert without(spans, 5) == spans


@given(numbers=st.lists(st.integers(1, 40), min_size=1), more=st.integers(1, 40))
def test_what_is_awaited_can_be_taken_up_again_from_what_is_kept(numbers: list[int], more: int) -> None:
    """The lowest and the highest number kept, and what is missing: nothing else needs to be remembered."""
    awaited = NOTHING
    for number in numbers:
        awaited = awaited.came(number)
    again = Awaited(min(*numbers, 6), max(numbers), awaited.missing)
    assert again.came(more) == awaited.came(more)
