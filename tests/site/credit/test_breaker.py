"""One breaker over time: cut, restored, switched by hand, silent, and through restarts at the worst instant."""

from dataclasses import dataclass, field

from hypothesis import given, strategies as st

from custom_components.commonwatt.credit import DWELL_SECONDS, Held, Step, step

NOON = 1_795_262_400


@dataclass
class House:
    """A breaker, what is remembered of it, and what was done to it."""

    now: int = NOON
    cut: bool = False
    closed: bool = True
    answers: bool = True
    works: bool = True
    held: Held = field(default_factory=Held)
    opened_at: list[int] = field(default_factory=list)
    told: list[Step] = field(default_factory=list)

    def turn(self) -> list[Step]:
        """Do one turn as the shell does; return its steps."""
        steps: list[Step] = []
        while True:
            closed = self.closed if self.answers else None
            self.held, act = step(self.held, self.now, cut=self.cut, closed=closed, dwell=DWELL_SECONDS)
            if act is None:
                break
            steps.append(act)
            assert len(steps) < 5, steps
            if act == "open" and self.works:
                self.closed = False
                self.opened_at.append(self.now)
            elif act == "close" and self.works:
                self.closed = True
            elif act in ("open", "close"):
                break
        self.told += steps
        return steps


def test_a_cut_opens_and_a_restore_closes_at_once() -> None:
    """Both are seen and told."""
    house = House(cut=True)
    assert house.turn() == ["open", "opened"]
    assert house.turn() == []
    house.cut = False
    house.now += 1
    assert house.turn() == ["close", "closed"]
    assert house.closed


def test_a_cut_right_after_a_restore_waits() -> None:
    """Dwell delays cutting again, and nothing delays restoring again."""
    house = House(cut=True)
    house.turn()
    house.cut = False
    house.turn()
    house.cut = True
    house.now += DWELL_SECONDS - 1
    assert house.turn() == []
    house.now += 1
    assert house.turn() == ["open", "opened"]
    house.cut = False
    assert house.turn() == ["close", "closed"]


def test_what_a_person_opened_stays_open() -> None:
    """Neither the cut nor the restore is about it."""
    house = House(cut=True, closed=False)
    assert house.turn() == []
    house.cut = False
    assert house.turn() == []
    assert not house.closed


def test_a_hand_on_a_cut_breaker_wins_for_the_dwell() -> None:
    """It is told, and the breaker is opened again once, after the dwell."""
    house = House(cut=True)
    house.turn()
    house.closed = True
    house.now += 1000
    assert house.turn() == ["by_hand"]
    house.now += DWELL_SECONDS - 1
    assert house.turn() == []
    house.now += 1
    assert house.turn() == ["open", "opened"]


def test_a_breaker_that_fails_is_tried_again_after_the_dwell() -> None:
    """And a restore tries at every turn."""
    house = House(cut=True, works=False)
    assert house.turn() == ["open"]
    house.now += DWELL_SECONDS - 1
    assert house.turn() == []
    house.now, house.works = house.now + 1, True
    assert house.turn() == ["open", "opened"]
    house.cut, house.works = False, False
    for _ in range(3):
        assert house.turn() == ["close"]
    house.works = True
    assert house.turn() == ["close", "closed"]


def test_a_silent_breaker_waits_until_it_answers() -> None:
    """Nothing is concluded from silence; a restore is done as soon as it is back."""
    house = House(cut=True)
    house.turn()
    house.cut, house.answers = False, False
    assert house.turn() == []
    house.answers = True
    assert house.turn() == ["close", "closed"]


def test_a_program_that_ended_between_remembering_and_opening_goes_on() -> None:
    """It was remembered first, so either way the restore knows what to close."""
    held, act = step(Held(), NOON, cut=True, closed=True, dwell=DWELL_SECONDS)
    assert act == "open"
    before, after = House(cut=True, held=held, closed=True), House(cut=True, held=held, closed=False)
    assert before.turn() == []
    assert after.turn() == ["opened"]
    before.cut = after.cut = False
    assert before.turn() == []
    assert after.turn() == ["close", "closed"]


def test_a_clock_set_back_holds_nothing_up() -> None:
    """The dwell counts forward only."""
    house = House(cut=True, held=Held("free", NOON + 10**6))
    assert house.turn() == ["open", "opened"]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 400), st.sampled_from(["cut", "supply", "hand", "silent", "answers", "fails", "works", ""])
        ),
        max_size=40,
    )
)
def test_whatever_happens_a_supplied_owner_is_left_dark_only_by_a_hand(events: list[tuple[int, str]]) -> None:
    """And no two openings lie closer than the dwell."""
    house, dark_by_hand = House(), False
    for seconds, event in events:
        house.now += seconds
        match event:
            case "cut" | "supply":
                house.cut = event == "cut"
            case "hand":
                house.closed = not house.closed
                dark_by_hand = not house.closed
            case "silent" | "answers":
                house.answers = event == "answers"
            case "fails" | "works":
                house.works = event == "works"
        steps = house.turn()
        if "opened" in steps and "open" in steps:
            dark_by_hand = False
        if not house.cut and house.answers and house.works:
            assert house.closed or dark_by_hand
    gaps = [later - earlier for earlier, later in zip(house.opened_at, house.opened_at[1:], strict=False)]
    assert all(gap >= DWELL_SECONDS for gap in gaps)
