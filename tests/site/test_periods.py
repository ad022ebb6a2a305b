"""What the pump makes of what cables tell: whose car, where, below which tap, and how long a silent one is missed."""

from collections.abc import Mapping
from typing import Any

import pytest

from custom_components.commonwatt.devices.line import TcpLine
from custom_components.commonwatt.devices.port import Answer, Kind, Quantity, Value
from custom_components.commonwatt.errors import DeviceError
from custom_components.commonwatt.metering import RawReading, TapInterval
from custom_components.commonwatt.periods import CablePeriods, Closed
from custom_components.commonwatt.site import TapConfig
from custom_components.commonwatt.sources import EntitiesSource, ModbusSource
from custom_components.commonwatt.wire import CablePeriod, Quality, TreeTap

from .fake_cloud import standing

LENGTH = 1800
START = 1_795_237_200
LINE = TcpLine("127.0.0.1", 502)
TREE = {"T1": TreeTap("anna", None), "T2": TreeTap("anna", "T1")}


def config(tap: str, kind: Kind, parent: str | None, serial: str | None = None) -> TapConfig:
    """Return a tap as its subentry describes it; without a serial number, of entities."""
    source = EntitiesSource("sensor.a", None, None) if serial is None else ModbusSource(LINE, 1, "any", serial)
    return TapConfig(tap, f"sub{tap}", kind, tap, "anna", None, parent, None, source)


TAPS = {
    "T1": config("T1", "meter", None),
    "T2": config("T2", "tap", "T1"),
    "T3": config("T3", "tap", "T2"),  # not read yet: it stands in no tree
    "T4": config("T4", "cable", "T3", "CWC-1"),
    "T5": config("T5", "cable", "T1"),
}
CAR: dict[Quantity, Value] = {
    "plugged": True,
    "user_id": "dora",
    "vehicle_id": "JN1",
    "latitude": 35.681236,
    "longitude": 139.767125,
}


def cables(**changes: Any) -> CablePeriods:
    """Follow the cables of these taps."""
    return CablePeriods(TAPS | changes, LENGTH, {})


def answer(at: int, values: Mapping[Quantity, Value]) -> Answer:
    """Return what a cable told at a second of the interval."""
    return Answer(RawReading((START + at) * 1000, 0, 0), values)


def measured(import_wh: int = 0, export_wh: int = 0, quality: Quality = "ok") -> TapInterval:
    """Return what was measured in the interval."""
    return TapInterval(START, LENGTH, import_wh, export_wh, (0, 0), quality)


def closed(followed: CablePeriods, intervals: Mapping[str, TapInterval], number: int = 0) -> Closed:
    """Close the n-th interval, and keep it."""
    done = followed.close(START + (number + 1) * LENGTH, TREE, intervals)
    followed.kept(done)
    return done


def told(values: Mapping[Quantity, Value]) -> CablePeriod:
    """Return what is reported of a car that is plugged in, with these values beside."""
    followed = cables()
    followed.heard("T4", answer(5, {**CAR, **values}))
    [period] = closed(followed, {"T4": measured()}).periods.cables
    return period


def test_a_cable_below_a_tap_that_stands_in_no_tree_counts_below_the_next_one_above() -> None:
    """What an unread tap carries stays with the tap upstream; so does the cable that hangs below it."""
    assert told({}).tap == "T2"
    followed = cables(T4=config("T4", "cable", "island", "CWC-1"))
    followed.heard("T4", answer(5, CAR))
    assert [period.tap for period in closed(followed, {"T4": measured()}).periods.cables] == ["island"]


def test_who_and_where_are_told_as_the_wire_takes_them() -> None:
    """What cannot be printed, is too long or nowhere on earth is left out, and the report goes on without it."""
    assert (told({}).user, told({}).vehicle, told({}).place) == ("dora", "JN1", (35_681_236, 139_767_125))
    assert told({"user_id": "  ", "vehicle_id": "a\nb"}).user is None
    assert told({"vehicle_id": "a\nb"}).vehicle is None
    assert told({"user_id": "d" * 65}).user is None
    for latitude in (float("nan"), 90.1, -91, "35"):
        assert told({"latitude": latitude}).place is None
    assert told({"latitude": -90, "longitude": 180}).place == (-90_000_000, 180_000_000)


def test_what_was_said_while_the_car_was_there_stands() -> None:
    """After it has gone the cable tells nobody, or somebody else."""
    followed = cables()
    followed.heard("T4", answer(5, {"plugged": False, "user_id": "eve"}))
    followed.heard("T4", answer(15, CAR))
    followed.heard("T4", answer(25, {"plugged": True}))
    followed.heard("T4", answer(35, {"plugged": False, "user_id": "eve"}))
    [period] = closed(followed, {"T4": measured()}).periods.cables
    assert (period.user, period.vehicle, period.connected) == ("dora", "JN1", True)


def test_energy_without_a_car_seen_is_a_connection_too() -> None:
    """It came and went between two polls."""
    followed = cables()
    followed.heard("T4", answer(5, {"plugged": False}))
    [period] = closed(followed, {"T4": measured(7, 3)}).periods.cables
    assert (period.connected, period.energy_wh) == (True, 4)


def test_a_read_at_the_boundary_belongs_to_the_next_interval() -> None:
    """Intervals are half open."""
    followed = cables()
    followed.heard("T4", answer(5, {"plugged": False}))
    followed.heard("T4", answer(LENGTH, CAR))
    assert closed(followed, {"T4": measured()}).periods.cables == ()
    assert len(closed(followed, {"T4": measured()}, 1).periods.cables) == 1


@pytest.mark.parametrize(("time_scale", "seconds"), [(1, 3600), (2, 1800), (180, 60)])
def test_a_silent_cable_is_missed_for_an_hour_and_then_has_gone(time_scale: int, seconds: int) -> None:
    """With a car plugged in when it was last heard, it may still move energy: until then nothing is compared."""
    followed = CablePeriods(TAPS, LENGTH, {}, time_scale)
    followed.heard("T4", answer(5, CAR))
    followed.heard("T4", DeviceError("no answer"))
    house = {"T1": measured(100), "T2": measured(100)}
    closed(followed, {"T4": measured(), **house})
    last = seconds // LENGTH
    for number in range(1, last + 1):
        done = closed(followed, house, number)
        assert (done.periods.cables, done.memory.before_wh) == ((), {}), number
    assert closed(followed, house, last + 1).memory.before_wh == {"T1": 100}


def test_a_cable_that_went_without_a_car_is_not_missed() -> None:
    """It was unplugged when it was heard last."""
    followed = cables()
    followed.heard("T4", answer(5, {"plugged": False}))
    closed(followed, {"T4": measured()})
    assert closed(followed, {"T1": measured(100)}, 1).memory.before_wh == {"T1": 100}


def test_a_cable_removed_with_a_car_at_it_accuses_nobody_and_teaches_nothing() -> None:
    """What it moved until then is in the meter and in no sum: the cables that stay are not to blame."""
    guest = {"T6": config("T6", "cable", "T1", "CWC-6")}
    before = cables(**guest)
    closed(before, {"T1": measured(100), "T2": measured(100)})
    for tap in ("T4", "T6"):
        before.heard(tap, answer(LENGTH + 5, CAR))
    house = {"T1": measured(3_600), "T2": measured(100), "T4": measured(500)}
    after = CablePeriods(TAPS, LENGTH, before.heard_of)
    after.go_on_with(before.close(START + LENGTH, TREE, {}).memory_text)
    again = CablePeriods(TAPS, LENGTH, after.heard_of)  # a second reload in the same interval
    again.go_on_with(before.close(START + LENGTH, TREE, {}).memory_text)
    done = closed(again, house, 1)
    [period] = done.periods.cables
    assert (period.cable, period.energy_wh, period.agreement) == ("CWC-1", 500, "unknown")
    assert done.memory.learnt == before.close(START + LENGTH, TREE, {}).memory.learnt
    again.heard("T4", answer(2 * LENGTH + 5, CAR))
    assert closed(again, house, 2).periods.agreement.verdict != "unknown"
    assert "T6" not in again.heard_of


def test_nothing_is_forgotten_before_it_is_kept() -> None:
    """The outbox fails: the same boundary is closed again later, with the same outcome."""
    followed = cables()
    followed.heard("T4", answer(5, CAR))
    first = followed.close(START + LENGTH, TREE, {"T4": measured()})
    assert followed.close(START + LENGTH, TREE, {"T4": measured()}) == first
    assert followed.last_of("T4") is None
    followed.kept(first)
    assert followed.last_of("T4") == first.periods.cables[0]
    assert followed.close(START + LENGTH, TREE, {"T4": measured()}).periods.cables == ()


def test_the_tolerance_is_the_host_communitys() -> None:
    """As the cloud told it of a cable here; until then the usual one."""
    followed = cables()
    closed(followed, {"T1": measured(2000), "T2": measured(0)})
    followed.heard("T4", answer(LENGTH + 5, CAR))
    told_of = {"T4": measured(0, 1500), "T1": measured(700), "T2": measured(0)}
    followed_end = START + 2 * LENGTH
    usual = followed.close(followed_end, TREE, told_of).periods.agreement
    followed.standing = lambda cable: standing(cable, tolerance_wh=300, tolerance_percent=5)
    wide = followed.close(followed_end, TREE, told_of).periods.agreement
    assert [(one.verdict, one.tolerance_wh) for one in (usual, wide)] == [("suspect", 150), ("match", 300)]


def test_a_cable_without_a_serial_number_is_not_named() -> None:
    """An adopted one is measured and compared; there is no id to report it by."""
    followed = cables()
    followed.heard("T5", answer(5, {"charger_state": "charging"}))
    done = closed(followed, {"T5": measured(50)})
    assert done.periods.cables == ()
    assert followed.named == {"T4": "CWC-1"}
    assert followed.cables == {"T4", "T5"}
