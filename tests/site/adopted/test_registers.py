"""Registers over restarts and crashes: never behind what was closed, never more than there was, and exact in order."""

import json
from typing import Any, Literal

from hypothesis import example, given, settings, strategies as st

from custom_components.commonwatt.devices.adopted.counter import Look
from custom_components.commonwatt.devices.adopted.registers import GAP_MS_MAX, Registers
from custom_components.commonwatt.metering import Limits

type Happening = Literal["used", "new day", "closed", "restart", "crash"]

HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("used"), st.integers(1, 300)),
        st.tuples(st.sampled_from(["new day", "closed", "restart", "crash"]), st.just(0)),
    ),
    max_size=40,
)
# the run since midnight is in the boundary already, and the file is from the day before
OVER_MIDNIGHT: list[tuple[Happening, int]] = [
    ("used", 2),
    ("restart", 0),
    ("new day", 0),
    ("used", 1),
    ("closed", 0),
    ("crash", 0),
]
# a whole day is in the boundary, of which the file knows nothing
OVER_TWO_NIGHTS: list[tuple[Happening, int]] = [*OVER_MIDNIGHT[:4], ("new day", 0), *OVER_MIDNIGHT[4:]]
MINUTE_MS = 60_000


class House:
    """A tap whose true energy is known, the file its register is kept in, and the outbox that keeps boundaries."""

    def __init__(self, *, counts: bool) -> None:
        """Begin on a morning; `counts` is a counter of the day, otherwise there is only power."""
        self.counts = counts
        self.now_ms = 1_795_262_400_000
        self.true_wh = 0
        self.shown_wh = 0
        self.boundary_wh: tuple[int, int] | None = None
        self.file: Any = None
        self.register_wh = 0.0
        self.begin()

    def begin(self) -> None:
        """Start, with what lies on the disk."""
        side = {"import": "sensor.today"} if self.counts else {}
        made = frozenset[Literal["import", "export"]]() if self.counts else frozenset({"import"})
        self.registers = Registers(side, "sensor.power", made, Limits(20_000))  # type: ignore[arg-type]
        self.registers.go_on_with(self.file, self.boundary_wh)
        self.look(0)

    def look(self, used_wh: int) -> None:
        """Let a minute pass in which so much is used, and look."""
        if not self.counts:
            self.registers.sample(self.now_ms, used_wh * 60)
        self.now_ms += MINUTE_MS
        self.true_wh += used_wh
        self.shown_wh += used_wh
        if self.counts:
            self.registers.look("import", Look(self.now_ms, self.shown_wh, anew=True))
        else:
            self.registers.sample(self.now_ms, used_wh * 60)
        self.register_wh = self.registers.wh()[0]

    def happens(self, what: Happening, used_wh: int) -> None:
        """Let something happen, and look on."""
        match what:
            case "new day":
                self.shown_wh = 0
                self.look(0)  # the fall is seen, and believed at the next look
            case "closed":
                self.boundary_wh = (int(self.register_wh), 0)
            case "restart":
                self.write()
                self.begin()
            case "crash":
                self.begin()
            case "used":
                self.look(used_wh)
        self.look(0)

    def write(self) -> None:
        """Keep the registers as the disk does."""
        self.file = json.loads(json.dumps(self.registers.kept()))


@settings(deadline=None)
@example(happenings=OVER_MIDNIGHT, counts=True)
@example(happenings=OVER_TWO_NIGHTS, counts=True)
@given(happenings=HAPPENINGS, counts=st.booleans())
def test_no_restart_and_no_crash_turns_a_register_back(happenings: list[tuple[Happening, int]], counts: bool) -> None:
    """What was closed stands, and there is never more than was used."""
    house = House(counts=counts)
    for what, used_wh in happenings:
        house.happens(what, used_wh)
        assert house.register_wh <= house.true_wh
        if house.boundary_wh is not None:
            assert house.register_wh >= house.boundary_wh[0]


@settings(deadline=None)
@given(happenings=HAPPENINGS, counts=st.booleans())
def test_without_a_crash_the_register_is_what_was_used(happenings: list[tuple[Happening, int]], counts: bool) -> None:
    """However often it is started and however many days begin."""
    house = House(counts=counts)
    for what, used_wh in happenings:
        if what != "crash":
            house.happens(what, used_wh)
    house.look(0)
    assert house.register_wh == house.true_wh


def test_the_longest_poll_is_no_gap() -> None:
    """Nor are two polls that were missed."""
    assert GAP_MS_MAX >= 3 * 10_000
