"""The watch: what each meter said is judged, shown, told to the cloud, and asked about where only a person knows."""

from dataclasses import replace

from custom_components.commonwatt.devices.port import Answer
from custom_components.commonwatt.errors import DeviceError
from custom_components.commonwatt.metering import RawReading, TapMeter, begin
from custom_components.commonwatt.metering.standing import STUCK_MS
from custom_components.commonwatt.site import TapConfig
from custom_components.commonwatt.sources import EntitiesSource
from custom_components.commonwatt.watch import SILENT_MS_MAX, MeterWatch

POLL_MS = 10_000
TAP = TapConfig("T1", "sub", "tap", "Flat", "ben", None, None, 10_000, EntitiesSource(None, None, None))


class Watched:
    """A watch over one tap, and its meter."""

    def __init__(self, *, announced: bool = False, integrated: bool = False) -> None:
        self.watch = MeterWatch({"T1": TAP}, 1, announced={"T1"} if announced else frozenset())
        self.meter: TapMeter = begin(60, None, integrated=integrated)

    def hear(self, poll: int, import_wh: float, power_w: float | None = None, wraps_wh: int | None = None) -> None:
        """Let the device answer at a poll."""
        raw = RawReading(poll * POLL_MS, import_wh, 0, power_w, wraps_wh)
        self.meter = self.watch.heard("T1", self.meter, Answer(raw, {"voltage_v": 230.0}))

    def is_silent(self) -> bool:
        """Whether its entities would be unavailable."""
        return self.watch.states["T1"].silent

    @property
    def kinds(self) -> list[str]:
        """What the cloud would hear of."""
        return [incident.kind for incident in self.watch.incidents]


def test_a_state_in_which_nothing_changed_is_the_very_same() -> None:
    """So thousands of entities can see at a glance that there is nothing to write."""
    watched = Watched()
    watched.hear(0, 1000, 5)
    before = watched.watch.states["T1"]
    watched.hear(1, 1000, 5)
    assert watched.watch.states["T1"] is before
    watched.hear(2, 1001, 5)
    after = watched.watch.states["T1"]
    assert after is not before
    assert after.reading is not None
    assert after.reading.import_wh == 1001


def test_a_state_follows_what_is_no_register_too() -> None:
    """The same registers with another voltage are another state."""
    watched = Watched()
    watched.hear(0, 1000, 5)
    before = watched.watch.states["T1"]
    raw = RawReading(POLL_MS, 1000, 0, 5)
    watched.watch.heard("T1", watched.meter, Answer(raw, {"voltage_v": 231.0}))
    assert watched.watch.states["T1"].values == {"voltage_v": 231.0}
    assert watched.watch.states["T1"].reading is before.reading


def test_a_rollover_is_a_record_of_its_own_and_no_question() -> None:
    """The cloud hears of it with the register that goes on; nobody has to do anything."""
    watched = Watched()
    for poll, register in enumerate((65_530, 65_534, 2, 6)):
        watched.hear(poll, register, wraps_wh=65_536)
    assert watched.kinds == ["register-rollover"]
    assert watched.watch.incidents[0].detail == "goes on at 65538 Wh in, 0 Wh out"
    assert watched.watch.exchanged == {}
    reading = watched.watch.states["T1"].reading
    assert reading is not None
    assert reading.import_wh == 65_542


def test_an_exchange_that_nobody_announced_is_asked_about(expected_logs: list[str]) -> None:
    """Its registers before and after are what a person can compare with the two meters."""
    expected_logs += ["is silent", "was exchanged or reset"]
    watched = Watched()
    for poll, register in enumerate((1000, 5, 6, 7)):
        watched.hear(poll, register)
    assert watched.watch.exchanged["T1"].before_wh == (1000, 0)
    assert watched.watch.exchanged["T1"].after_wh == (7, 0)
    assert watched.kinds == ["reading-refused", "meter-reset"]


def test_an_announced_exchange_is_told_to_the_cloud_and_asks_nobody(expected_logs: list[str]) -> None:
    """Whoever just chose another device knows; the next exchange is asked about again."""
    expected_logs += ["is silent", "was exchanged or reset"]
    watched = Watched(announced=True)
    watched.meter = begin(60, None)
    watched.watch.heard("T1", watched.meter, DeviceError("away"))
    watched.meter = MeterFrom(1000).meter
    for poll, register in enumerate((5, 6, 7), 1):
        watched.hear(poll, register)
    assert watched.kinds == ["reading-refused", "meter-reset"]
    assert watched.watch.exchanged == {}
    for poll, register in enumerate((1, 2, 3), 4):
        watched.hear(poll, register)
    assert list(watched.watch.exchanged) == ["T1"]


class MeterFrom:
    """A meter that was read once, before the watch began."""

    def __init__(self, register: int) -> None:
        watched = Watched()
        watched.hear(0, register)
        self.meter = watched.meter


def test_a_register_that_stands_still_under_power_is_stuck_until_it_moves() -> None:
    """For longer than the slowest vendor takes, and by more than a register of whole kWh shows."""
    watched = Watched()
    polls = STUCK_MS // POLL_MS
    for poll in range(polls):
        watched.hear(poll, 1000, 2000)
    assert watched.watch.stuck() == []
    watched.hear(polls, 1000, 2000)
    assert watched.watch.stuck() == ["Flat"]
    watched.hear(polls + 1, 1001, 2000)
    assert watched.watch.stuck() == []


def test_an_idle_tap_is_not_stuck_nor_one_of_a_coarse_register_nor_one_made_from_power() -> None:
    """Standing by at 3 W moves nothing for hours; 500 W need two hours for a kWh; an integral is its own power."""
    for power_w, integrated in ((3.0, False), (500.0, False), (-2000.0, True), (None, False)):
        watched = Watched(integrated=integrated)
        for poll in range(2 * STUCK_MS // POLL_MS - 10):
            watched.hear(poll, 1000, power_w)
        assert watched.watch.stuck() == []


def test_what_power_did_while_nobody_looked_accuses_no_register() -> None:
    """Two reads hours apart say nothing about the time between."""
    watched = Watched()
    for poll in (0, 1000, 2000, 3000):
        watched.hear(poll, 1000, 5000)
    assert watched.watch.stuck() == []


def test_a_device_is_unheard_after_a_day_and_heard_again_at_once() -> None:
    """One never heard counts from the start, one that was from its last reading."""
    watched = Watched()
    assert watched.watch.unheard(0) == {}
    assert watched.watch.unheard(SILENT_MS_MAX) == {}
    assert watched.watch.unheard(SILENT_MS_MAX + 1) == {"Flat": None}
    watched.hear(10_000, 1000)
    at_ms = 10_000 * POLL_MS
    assert watched.watch.unheard(at_ms + SILENT_MS_MAX) == {}
    assert watched.watch.unheard(at_ms + SILENT_MS_MAX + 1) == {"Flat": at_ms}


def test_a_cable_that_is_away_with_its_car_is_not_missed() -> None:
    """It is at home when it is plugged in, here or elsewhere."""
    watch = MeterWatch({"T1": replace(TAP, kind="cable")}, 1)
    assert watch.unheard(0) == {}
    assert watch.unheard(10 * SILENT_MS_MAX) == {}


def test_a_reload_does_not_forget_since_when_a_device_is_silent() -> None:
    """Or a site that is changed every day would never be told."""
    watch = MeterWatch({"T1": TAP}, 1, heard_ms={"T1": 5, "T9": 7})
    assert watch.unheard(SILENT_MS_MAX + 6) == {"Flat": 5}
    assert watch.heard_ms == {"T1": 5}


def test_a_clock_set_far_back_leaves_no_old_power_standing(expected_logs: list[str]) -> None:
    """What is shown would be hours old: the tap is silent until the clock has caught up, and its register is kept."""
    expected_logs.append("is silent: a register is refused (out_of_order)")
    watched = Watched()
    watched.hear(1000, 1000, 5)
    for poll in (999, 998, 1000):  # as NTP does it
        watched.hear(poll, 1000, 5)
    assert not watched.is_silent()
    assert watched.kinds == []
    for poll in (500, 501):
        watched.hear(poll, 1000, 5)
    assert watched.is_silent()
    assert watched.watch.states["T1"].power_w is None
    assert watched.kinds == ["reading-refused"]
    watched.hear(1001, 1001, 5)
    assert not watched.is_silent()
