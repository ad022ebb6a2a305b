"""An entry cannot be made unless it sums to zero, and a chain cannot be changed without showing it."""

from dataclasses import replace

from hypothesis import given, strategies as st
import pytest

from cloud.ledger.chain import START, Broken, Head, Link, link, verify
from cloud.ledger.posting import AMOUNT_MICRO_MAX, Entry, LedgerInvariantError, Posting, fault_of, postings_of
from cloud.wire import GENESIS

names = st.text("abc:", min_size=1, max_size=4)
amounts = st.integers(-AMOUNT_MICRO_MAX // 10, AMOUNT_MICRO_MAX // 10)


@st.composite
def balanced(draw: st.DrawFn) -> tuple[Posting, ...]:
    """Draw the legs of an entry that may be posted."""
    moved = draw(st.dictionaries(names, amounts.filter(bool), min_size=1, max_size=6))
    rest = -sum(moved.values())
    return postings_of(moved | {"~rest": rest}) if rest else postings_of({"x": 1, "y": -1})


def entry(postings: tuple[Posting, ...], cause: str = "energy:1") -> Entry:
    return Entry("lane", cause, 1800, 3600, GENESIS, postings)


def chain_of(many: list[tuple[Posting, ...]]) -> list[Link]:
    """Link entries one after another."""
    head, links = START, []
    for number, postings in enumerate(many):
        links.append(link(entry(postings, f"energy:{number}"), head))
        head = Head(links[-1].number, links[-1].hash)
    return links


@given(st.dictionaries(names, amounts.filter(bool), min_size=1, max_size=6))
def test_an_entry_whose_postings_do_not_sum_to_zero_cannot_be_made(moved: dict[str, int]) -> None:
    """Whatever the amounts, the value exists exactly when they balance."""
    if sum(moved.values()) == 0:
        entry(postings_of(moved))
    else:
        with pytest.raises(LedgerInvariantError, match="sum to"):
            entry(postings_of(moved))


@pytest.mark.parametrize(
    ("postings", "fault"),
    [
        ((), "no postings"),
        ((Posting("a", 1), Posting("a", -1)), "ascending"),
        ((Posting("b", 1), Posting("a", -1)), "ascending"),
        ((Posting("a", 0), Posting("b", 0)), "whole number other than zero"),
        ((Posting("a", True), Posting("b", -1)), "whole number"),
        ((Posting("a", AMOUNT_MICRO_MAX + 1), Posting("b", -AMOUNT_MICRO_MAX - 1)), "beyond"),
    ],
)
def test_what_no_ledger_may_hold_is_named(postings: tuple[Posting, ...], fault: str) -> None:
    """Order, doubles, zeros, truth values and amounts out of bounds are refused even where the sum is zero."""
    assert fault in (fault_of(postings) or "")
    with pytest.raises(LedgerInvariantError):
        entry(postings)


def test_legs_stand_in_one_order_and_zeros_are_no_legs() -> None:
    """Two ways to write the same movement are the same movement."""
    assert postings_of({"b": -2, "z": 0, "a": 2}) == (Posting("a", 2), Posting("b", -2))


@given(st.lists(balanced(), max_size=6))
def test_a_chain_that_nobody_touched_holds(many: list[tuple[Posting, ...]]) -> None:
    """Verified whole or from any link on, it ends at its head."""
    links = chain_of(many)
    head = Head(links[-1].number, links[-1].hash) if links else START
    assert verify(links) == head
    for place, item in enumerate(links):
        assert verify(links[place + 1 :], Head(item.number, item.hash)) == head


@given(st.lists(balanced(), min_size=1, max_size=4), st.data())
def test_any_change_of_any_member_of_any_entry_is_found_where_it_is(
    many: list[tuple[Posting, ...]], data: st.DataObject
) -> None:
    """Cause, times, evidence, place, hashes, accounts and amounts are all under the hash."""
    links = chain_of(many)
    place = data.draw(st.integers(0, len(links) - 1))
    leg = data.draw(st.integers(0, len(links[place].postings) - 1))
    changed = data.draw(st.sampled_from(sorted(_changes(links[place], leg).items(), key=lambda item: item[0])))[1]
    broken = verify([*links[:place], changed, *links[place + 1 :]])
    assert isinstance(broken, Broken)
    assert broken.number == changed.number


def _changes(item: Link, leg: int) -> dict[str, Link]:
    """Return the link with each of its members changed in turn."""
    touched = list(item.postings)
    touched[leg] = replace(touched[leg], amount_micro=touched[leg].amount_micro + 1)
    renamed = list(item.postings)
    renamed[leg] = replace(renamed[leg], account=renamed[leg].account + "x")
    return {
        "number": replace(item, number=item.number + 1),
        "prev_hash": replace(item, prev_hash="f" * 64),
        "hash": replace(item, hash="f" * 64),
        "community": replace(item, community="road"),
        "cause": replace(item, cause=item.cause + "0"),
        "valued_at": replace(item, valued_at=item.valued_at + 1),
        "made_at": replace(item, made_at=item.made_at + 1),
        "evidence": replace(item, evidence="1" * 64),
        "amount": replace(item, postings=tuple(touched)),
        "account": replace(item, postings=tuple(renamed)),
        "leg lost": replace(item, postings=item.postings[1:]),
    }


def test_an_entry_taken_out_or_put_elsewhere_is_found() -> None:
    """The chain knows how many there are and in which order."""
    one, two, three = chain_of([postings_of({"a": n, "b": -n}) for n in (1, 2, 3)])
    assert verify([one, three]) == Broken(3, "number")
    assert verify([two, one, three]) == Broken(2, "number")
    assert verify([one, replace(three, number=2)]) == Broken(2, "prev_hash")


def test_an_entry_that_never_balanced_is_found_even_where_it_is_hashed_well() -> None:
    """Somebody who can hash still cannot make points."""
    one_sided = link(_unchecked((Posting("a", 5),)), START)
    assert verify([one_sided]) == Broken(1, "postings")


def _unchecked(postings: tuple[Posting, ...]) -> Entry:
    made = entry(postings_of({"a": 1, "b": -1}))
    object.__setattr__(made, "postings", postings)
    return made
