"""What is measured behind the meter is known by learning, and what hangs above a cable is never counted beside it."""

from hypothesis import given, strategies as st

from custom_components.commonwatt.v2g import Learnt, Memory
from custom_components.commonwatt.v2g.coverage import (
    LEARNT_MAX,
    LEARNT_MIN,
    consumption,
    is_known,
    learn,
    residuals,
    way,
)

from .houses import House, energies, houses, learnt, loads

NESTED = House({"T1": None, "T2": "T1", "T3": "T2", "T4": "T2", "T5": "T1", "L1": "island"}, {"C1": "T3"})


def test_the_way_of_a_cable_goes_up_to_the_meter() -> None:
    """Nested taps are all on it; an island, a tap that is gone and a loop lead to no meter."""
    assert way("T3", NESTED.parents) == ("T3", "T2", "T1")
    assert way("T1", NESTED.parents) == ("T1",)
    assert way("L1", NESTED.parents) == ()
    assert way("T9", NESTED.parents) == ()
    assert way(None, NESTED.parents) == ()
    assert way("A", {"A": "B", "B": "A"}) == ()


@given(data=st.data())
def test_consumption_is_what_the_leaves_take_wherever_the_cables_hang(data: st.DataObject) -> None:
    """Every load counts once, a roof with what it gives, and no cable's energy counts at all."""
    house = data.draw(houses())
    flows, moved = data.draw(loads(house)), data.draw(energies(house))
    along = frozenset(tap for socket in house.sockets.values() for tap in way(socket, house.parents))
    net_wh = house.net_wh(flows, moved)
    assert consumption(along, house.parents, net_wh) == sum(flows.values())
    assert net_wh["T1"] == sum(flows.values()) + sum(moved.values())


@given(data=st.data())
def test_a_tap_above_a_cable_explains_nothing_away(data: st.DataObject) -> None:
    """Whatever the taps between cable and meter show, what is expected of the meter stays the same."""
    house = data.draw(houses())
    along = frozenset(tap for socket in house.sockets.values() for tap in way(socket, house.parents))
    net_wh = house.net_wh(data.draw(loads(house)), data.draw(energies(house)))
    lied = net_wh | {tap: data.draw(st.integers(-9000, 9000)) for tap in along}
    assert consumption(along, house.parents, lied) == consumption(along, house.parents, net_wh)


def test_without_one_of_the_taps_beside_it_the_consumption_is_not_known() -> None:
    """A tap that was not surely measured may have taken anything."""
    assert consumption(frozenset({"T1", "T2", "T3"}), NESTED.parents, {"T1": 5, "T4": 2, "T5": 3}) == 5
    assert consumption(frozenset({"T1", "T2", "T3"}), NESTED.parents, {"T1": 5, "T4": 2}) is None


@given(data=st.data())
def test_a_house_that_measures_everything_is_known_after_a_day_of_intervals_at_rest(data: st.DataObject) -> None:
    """And not one interval sooner."""
    house = data.draw(houses())
    flows = data.draw(loads(house))
    along = frozenset(tap for socket in house.sockets.values() for tap in way(socket, house.parents))
    assert is_known(learnt(house, flows).learnt, along, 100)
    assert not is_known(learnt(house, flows, LEARNT_MIN - 1).learnt, along, 100)


def test_a_load_that_nobody_measures_keeps_the_coverage_partial() -> None:
    """An oven on a wire of its own: the site must not say that it knows what the house takes."""
    along = frozenset({"T1", "T2", "T3"})
    assert not is_known(learnt(House(NESTED.parents, NESTED.sockets, hidden_wh=101), {}).learnt, along, 100)
    assert is_known(learnt(House(NESTED.parents, NESTED.sockets, hidden_wh=-100), {}).learnt, along, 100)


def test_one_look_of_a_day_may_be_off_and_two_may_not() -> None:
    """A meter that was late once is no unmeasured load."""
    along = frozenset({"T1"})
    items = [Learnt(end, {"T1": 500 if end == 3 else 0}) for end in range(LEARNT_MAX)]
    assert is_known(items, along, 100)
    items[7] = Learnt(7, {"T1": -500})
    assert not is_known(items, along, 100)
    items += [Learnt(end, {"T1": 0}) for end in range(LEARNT_MAX, LEARNT_MAX + 4)]
    assert is_known(items, along, 100), "what is older than a day of looks is past"


def test_an_interval_that_says_nothing_of_a_tap_is_not_counted() -> None:
    """A residual needs the tap and all that hangs right below it."""
    assert residuals(NESTED.parents, {"T1": 10, "T2": 7, "T3": 2, "T4": 5, "T5": 2}) == {
        "T1": 1, "T2": 0, "T3": 2, "T4": 5, "T5": 2,
    }  # fmt: skip
    assert residuals(NESTED.parents, {"T1": 10, "T2": 7, "T4": 5}) == {"T4": 5}
    items = [Learnt(end, {"T2": 0}) for end in range(LEARNT_MAX)]
    assert not is_known(items, frozenset({"T1", "T2"}), 100)


def test_what_was_learnt_long_ago_is_forgotten() -> None:
    """A house changes; an interval in which nothing was measured teaches nothing."""
    memory = Memory()
    kept = learn(memory.learnt, Learnt(100, {"T1": 0}), 0, 0)
    assert learn(kept, Learnt(900, {"T1": 0}), 101, 0) == (Learnt(900, {"T1": 0}),)
    assert learn(kept, Learnt(900, {}), 0, 0) == kept


def test_short_intervals_are_remembered_so_that_they_span_a_day() -> None:
    """Forty-eight intervals of five minutes are four hours of one night."""
    kept: tuple[Learnt, ...] = ()
    for end in range(300, 86_400 + 1, 300):
        kept = learn(kept, Learnt(end, {"T1": 0}), 0, 86_400)
    assert len(kept) == LEARNT_MAX
    assert (kept[0].end, kept[-1].end) == (300, 300 + 47 * 1800)
    assert learn(kept, Learnt(100, {"T1": 0}), 0, 86_400)[-1].end == 100, "a clock that was set back learns on"
