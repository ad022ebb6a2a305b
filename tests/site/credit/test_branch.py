"""Which taps a cut may open: never one that feeds somebody else, or something essential."""

from hypothesis import given, strategies as st

from custom_components.commonwatt.credit import Place, cuttable

HOUSE = {
    "T1": Place("anna", None, essential=False, has_breaker=True),
    "T2": Place("ben", "T1", essential=False, has_breaker=True),
    "T3": Place("ben", "T2", essential=False, has_breaker=True),
    "T4": Place("anna", "T1", essential=False, has_breaker=True),
    "T5": Place("anna", "T4", essential=True, has_breaker=True),
    "T6": Place("sun", "island", essential=False, has_breaker=False),
}


def test_a_flat_is_opened_and_the_house_that_feeds_it_is_not() -> None:
    """Anna's main switch feeds Ben, her other tap something essential, and Sun has no breaker."""
    assert cuttable(HOUSE) == {"T2", "T3"}


def test_a_house_of_one_owner_is_opened_at_its_main_switch() -> None:
    """Nobody else hangs below it."""
    alone = {tap: place for tap, place in HOUSE.items() if place.owner == "ben"}
    assert cuttable(alone) == {"T2", "T3"}


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Place]:
    """Make a tree of up to a dozen taps of three owners."""
    taps: dict[str, Place] = {}
    for number in range(draw(st.integers(1, 12))):
        parent = draw(st.sampled_from([None, "island", *taps]))
        owner = draw(st.sampled_from(["anna", "ben", "sun"]))
        taps[f"T{number}"] = Place(owner, parent, draw(st.booleans()), draw(st.booleans()))
    return taps


def below(tap: str, taps: dict[str, Place]) -> set[str]:
    """Return a tap and all that it feeds."""
    return {tap}.union(*(below(child, taps) for child, place in taps.items() if place.parent == tap))


@given(trees())
def test_a_cut_takes_energy_from_its_own_owner_only(taps: dict[str, Place]) -> None:
    """Whatever hangs below an opened breaker is of the same owner and not essential; every other breaker may open."""
    opened = cuttable(taps)
    for tap, place in taps.items():
        fed = [taps[each] for each in below(tap, taps)]
        alone = all(each.owner == place.owner and not each.essential for each in fed)
        assert (tap in opened) == (place.has_breaker and alone)


def test_a_tree_that_is_a_loop_by_mistake_ends() -> None:
    """Two taps that hang below each other are each other's own."""
    taps = {"A": Place("anna", "B", False, True), "B": Place("ben", "A", False, True)}
    assert cuttable(taps) == set()
