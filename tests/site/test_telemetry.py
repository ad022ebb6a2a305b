"""Telemetry: the poll nearest to a boundary, tap by tap, in whole numbers, and only where the owner wants it sent."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, strategies as st
import pytest

from custom_components.commonwatt.devices.port import Answer, Value
from custom_components.commonwatt.link import Outbox
from custom_components.commonwatt.link.chain import TELEMETRY_DROPPED
from custom_components.commonwatt.metering import RawReading, begin
from custom_components.commonwatt.telemetry import BOUNDARIES_MAX, Gauges, measured
from custom_components.commonwatt.watch import INCIDENT_TELEMETRY, MeterWatch
from custom_components.commonwatt.wire import (
    BODY_BYTES_MAX,
    GENESIS,
    READINGS_MAX,
    TELEMETRY_MAX,
    TELEMETRY_QUANTITIES,
    Batch,
    Head,
    Incident,
    Telemetry,
    parse_batch,
    to_bytes,
)

from .link.material import LENGTH, SITE, START, boundaries, columns, interval, key
from .test_watch import TAP

END = START + LENGTH
WANTED = {"send_telemetry": True}


def answer(at_s: float, power_w: float | None = 100.0, **values: Value) -> Answer:
    """Return what a device tells at a time."""
    return Answer(RawReading(round(at_s * 1000), 1000, 0, power_w), values)  # type: ignore[arg-type]


def gauges(*polls: float, tap: str = "T1") -> Gauges:
    """Return gauges that heard a tap so many seconds from the boundary; its voltage says when."""
    found = Gauges(LENGTH)
    for place, after in enumerate(polls):
        found.heard(tap, answer(END + after, voltage_v=float(place)))
    return found


@pytest.mark.parametrize(
    ("polls", "nearest"),
    [((-20, -10, -3, 7), 2), ((-8, 2, 12), 1), ((-5, 5), 0), ((-800, 899), 0), ((5,), 0), ((12, -3), 1)],
)
def test_the_poll_nearest_to_the_boundary_is_taken(polls: tuple[float, ...], nearest: int) -> None:
    """Before it or after it; of two at the same distance the earlier; it keeps its own time."""
    (told,), too_much = gauges(*polls).close(END, {"T1"})
    assert (told.at_ms, too_much) == (round((END + polls[nearest]) * 1000), 0)
    assert told.values == {"power": 100_000, "voltage": nearest * 1000}


def test_each_boundary_has_its_own_and_none_has_it_twice() -> None:
    """What belongs to the next boundary waits for it; a boundary nobody was near has nothing."""
    found = gauges(-5, LENGTH - 5, LENGTH + 3)
    assert [item.at_ms for item in found.close(END, {"T1"})[0]] == [(END - 5) * 1000]
    assert found.close(END, {"T1"}) == ((), 0)
    assert [item.at_ms for item in found.close(END + LENGTH, {"T1"})[0]] == [(END + LENGTH + 3) * 1000]
    assert found.close(END + 2 * LENGTH, {"T1"}) == ((), 0)


def test_only_taps_whose_energy_is_reported_are_told_of() -> None:
    """The others are forgotten, not kept for later."""
    found = gauges(-5)
    assert found.close(END, set()) == ((), 0)
    assert found.close(END, {"T1"}) == ((), 0)


def test_a_site_that_closes_no_boundary_remembers_little() -> None:
    """An outbox that fails for a day must not fill the memory."""
    found = Gauges(LENGTH)
    for number in range(100):
        found.heard("T1", answer(END + number * LENGTH))
    assert [len(known) for known in found._nearest.values()] == [BOUNDARIES_MAX]


def test_phases_are_points_and_every_quantity_has_its_small_unit() -> None:
    """Rounded half to even; what no device can mean, and what is no number, is left out."""
    told = measured(
        answer(
            0,
            -1234.5678,
            voltage_l1_v=230.1,
            current_l1_a=-4.35,
            power_l3_w=0.0005,
            power_factor=0.98,
            frequency_hz=49.987,
            soc_percent=55.5,
            reactive_power_var=float("nan"),
            voltage_v=float("inf"),
            current_a=True,
            mode="eco",
            plugged=True,
        )
    )
    assert told == {
        "": {"power": -1_234_568, "power_factor": 980, "frequency": 49_987, "soc": 55_500},
        "l1": {"voltage": 230_100, "current": -4350},
        "l3": {"power": 0},
    }
    assert measured(answer(0, None, power_factor=98.0, soc_percent=100.001)) == {}


@given(st.dictionaries(st.sampled_from(["voltage_v", "current_l2_a", "power_factor", "soc_percent"]), st.floats()))
def test_whatever_a_device_says_the_cloud_can_read(values: dict[str, Value]) -> None:
    """A batch that is refused for its telemetry would hold up what is settled."""
    found = Gauges(LENGTH)
    found.heard("T1", answer(END, 5e12, **values))
    told, _ = found.close(END, {"T1"})
    batch = Batch(SITE, 1, 1, GENESIS, END, None, telemetry=told)
    assert parse_batch(to_bytes(batch)) == batch
    assert all(item.values.keys() <= TELEMETRY_QUANTITIES for item in told)


def test_nothing_is_told_unless_somebody_wants_it() -> None:
    """The option is off by default; switched on, it holds from the boundary that is closed next."""
    watch = MeterWatch({"T1": TAP}, 1, interval_seconds=LENGTH)
    meter = begin(LENGTH, None, integrated=False)
    meter = watch.heard("T1", meter, answer(END - 1))
    assert watch.telemetry(END, {"T1"}, {}) == ()
    meter = watch.heard("T1", meter, answer(END + LENGTH - 1))
    assert watch.telemetry(END + LENGTH, {"T1"}, {"send_telemetry": False}) == ()
    watch.heard("T1", meter, answer(END + 2 * LENGTH - 1))
    assert len(watch.telemetry(END + 2 * LENGTH, {"T1"}, WANTED)) == 1


def test_what_no_batch_can_carry_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """A site of thousands of taps loses some telemetry, never energy."""
    taps = {f"T{number}": TAP for number in range(TELEMETRY_MAX + 2)}
    watch = MeterWatch(taps, 1, interval_seconds=LENGTH)
    for boundary in (END, END + LENGTH):
        for tap in taps:
            watch.heard(tap, begin(LENGTH, None, integrated=False), answer(boundary))
        assert len(watch.telemetry(boundary, taps, WANTED)) == TELEMETRY_MAX
    assert [(item.kind, item.detail) for item in watch.incidents] == [(INCIDENT_TELEMETRY, "2 items too many")]
    assert [record.getMessage() for record in caplog.records].count(
        "There is more telemetry than a batch carries: 2 items are left out"
    ) == 1
    caplog.clear()  # it was asked for


def sealed(path: Path, *telemetry: tuple[Telemetry, ...]) -> list[Batch]:
    """Keep an interval with each of these, and return the batches they come into, as a restarted site seals them."""
    outbox = Outbox.open(path)
    outbox.keep_tree({}, START)
    for number, told in enumerate(telemetry):
        outbox.keep_interval(replace(interval(number), telemetry=told), boundaries(number))
    outbox.close()
    outbox = Outbox.open(path)
    outbox.meet(Head(SITE, 0, 0, GENESIS))
    outbox.seal(SITE, END, key().sign)
    batches = drained(outbox)
    outbox.close()
    return batches


def drained(outbox: Outbox) -> list[Batch]:
    """Return every batch in the order of the chain."""
    found = []
    while (batch := outbox.next_batch()) is not None:
        found.append(parse_batch(batch.raw))
        outbox.set_aside(batch.epoch, batch.seq, "seen")
    return sorted(found, key=lambda batch: batch.seq)


def items(count: int, at_s: int = END) -> tuple[Telemetry, ...]:
    """Return so much telemetry."""
    return tuple(Telemetry(at_s * 1000, f"T{number}", {"power": number}) for number in range(count))


def test_telemetry_lies_with_its_interval_until_it_is_in_a_batch(tmp_path: Path) -> None:
    """Over a restart, and together with other intervals, as far as one batch carries it."""
    (batch,) = sealed(tmp_path / "one.db", items(2), (), items(1, END + 2 * LENGTH))
    assert batch.intervals is not None
    assert batch.intervals.count == 3
    assert batch.telemetry == (*items(2), *items(1, END + 2 * LENGTH))
    first, second = sealed(tmp_path / "two.db", items(TELEMETRY_MAX), items(1))
    assert (len(first.telemetry), len(second.telemetry)) == (TELEMETRY_MAX, 1)


def test_a_batch_that_is_too_large_leaves_its_telemetry_behind(tmp_path: Path) -> None:
    """Energy is evidence and telemetry is not; the next batch says so, once."""
    every = dict.fromkeys(TELEMETRY_QUANTITIES, 2**53 - 1)
    told = tuple(Telemetry(2**47, "T" * 64, every, "p" * 64) for _ in range(TELEMETRY_MAX))
    taps = {f"T{number}": columns("o" * 64, None, 1, 1) for number in range(READINGS_MAX)}
    outbox = Outbox.open(tmp_path / "outbox.db")
    outbox.meet(Head(SITE, 0, 0, GENESIS))
    outbox.keep_tree({}, START)
    outbox.keep_incidents([Incident(START, "long", None, "\U00020bb7" * 500) for _ in range(200)])
    outbox.keep_records("CWC-1", [f"OCMF|{number}{'x' * 4000}" for number in range(60)], 60, START)
    outbox.keep_interval(replace(interval(0), taps=taps, telemetry=told), boundaries(0))
    assert outbox.seal(SITE, END, key().sign) == 1
    outbox.keep_interval(replace(interval(1), telemetry=items(1)), boundaries(1))
    assert outbox.seal(SITE, END, key().sign) == 1
    large, after = drained(outbox)
    outbox.close()
    assert large.telemetry == ()
    assert large.intervals is not None
    assert large.intervals.taps.keys() == taps.keys()
    assert len(to_bytes(replace(large, telemetry=told))) > BODY_BYTES_MAX
    assert [incident.kind for incident in after.incidents] == [TELEMETRY_DROPPED]
    assert after.telemetry == items(1)
