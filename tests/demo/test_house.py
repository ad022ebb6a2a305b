"""The measured house: nothing is invented, nothing is lost, nothing runs backward."""

import csv
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from demo.house import (
    COLUMN_PREFIX,
    DATA_FILE,
    DEVICES,
    HALF_HOUR_MS,
    Device,
    Register,
    Registers,
    Snapshot,
    half_hours,
    hourly_wh,
    load_house,
    registers_at,
)

HOUSE = load_house()
HALF_HOURS = 2 * 14 * 24


def published_wh(column: str) -> list[int]:
    """Return a column of the data file in Wh, read independently of the house."""
    with DATA_FILE.open(newline="") as file:
        return [int(Decimal(row[COLUMN_PREFIX + column]) * 1000) for row in csv.DictReader(file)]


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.key)
def test_every_day_of_every_device_adds_up_to_the_file(device: Device) -> None:
    """The 48 half hours of a day are the difference of the published registers, to the Wh."""
    registers = HOUSE[device.key]
    columns = ((device.import_column, registers.import_wh), (device.export_column, registers.export_wh))
    for column, register in columns:
        published = [0] * 337 if column is None else published_wh(column)
        assert register.boundaries_wh[0] == published[0]
        assert len(register.half_hours_wh) == HALF_HOURS
        for day in range(14):
            passed = sum(register.half_hours_wh[48 * day : 48 * day + 48])
            assert passed == published[24 * day + 24] - published[24 * day]


def test_registers_begin_where_the_published_ones_stand() -> None:
    """Before the house begins its registers are the file's first row, and nothing flows."""
    assert registers_at(HOUSE["main_meter"], -1) == Snapshot(3_015_751, 3_179_887, 0)
    assert registers_at(HOUSE["ev"], 0) == Snapshot(585_238, 0, 2 * 555)


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=50), st.integers(0, 10**7))
def test_an_odd_wh_goes_to_the_first_half_hour(hours: list[int], start: int) -> None:
    """An hour is halved without loss; the first half is never smaller, and at most 1 Wh larger."""
    standing = [start]
    for hour in hours:
        standing.append(standing[-1] + hour)
    halves = half_hours(standing).half_hours_wh
    assert [first + second for first, second in zip(halves[::2], halves[1::2], strict=True)] == hours
    assert all(0 <= first - second <= 1 for first, second in zip(halves[::2], halves[1::2], strict=True))


def test_a_gap_lands_in_the_hour_in_which_the_register_is_read_again() -> None:
    """Nothing is spread over hours that nobody measured."""
    assert hourly_wh(["", "1.000", "", "", "1.500"]) == [1000, 1000, 1000, 1000, 1500]
    assert hourly_wh(["", ""]) == [0, 0]


def test_a_register_that_runs_back_in_the_file_is_held() -> None:
    """A published register that steps back adds nothing until it has passed its old height."""
    assert hourly_wh(["2.0", "1.9", "2.1"]) == [2000, 2000, 2100]


@given(st.data(), st.sampled_from(DEVICES))
def test_registers_never_go_backward_even_when_the_data_begin_again(data: st.DataObject, device: Device) -> None:
    """At any two instants, over several rounds of the data, the later register is not smaller."""
    instants = data.draw(st.lists(st.integers(-HALF_HOUR_MS, 3 * HALF_HOURS * HALF_HOUR_MS), min_size=2, max_size=20))
    shown = [registers_at(HOUSE[device.key], instant) for instant in sorted(instants)]
    for before, after in pairwise(shown):
        assert before.import_wh <= after.import_wh
        assert before.export_wh <= after.export_wh


def test_a_second_round_of_the_data_goes_on_from_the_registers_of_the_first() -> None:
    """After the last row the same energy passes again, on top."""
    weeks_ms = HALF_HOURS * HALF_HOUR_MS
    first, second, third = (registers_at(HOUSE["ev"], rounds * weeks_ms).import_wh for rounds in range(3))
    assert second == 605_538
    assert third - second == second - first


@pytest.mark.parametrize(("part_ms", "passed"), [(0, 0), (1, 0), (600_000, 1), (1_199_999, 1), (1_799_999, 2)])
def test_registers_grow_evenly_within_a_half_hour_and_are_floored(part_ms: int, passed: int) -> None:
    """Three Wh in half an hour: a whole one after each third of it."""
    registers = Registers(Register((10, 13, 13)), Register((0, 0, 0)))
    assert registers_at(registers, part_ms).import_wh == 10 + passed


def test_power_is_the_true_power_of_the_half_hour_and_signed() -> None:
    """Import is positive; what the sun gives is negative; a meter that did both shows the difference."""
    third_hour_ms = 2 * 2 * HALF_HOUR_MS
    assert registers_at(HOUSE["pv"], third_hour_ms).power_w == -850
    assert registers_at(HOUSE["ev"], third_hour_ms).power_w == 2 * 924
    assert registers_at(HOUSE["main_meter"], 0).power_w == 2 * (585 - 97)


def test_no_device_ever_carries_more_than_it_is_rated_for() -> None:
    """Rated power is a promise that the site's plausibility check relies on."""
    for device in DEVICES:
        for register in (HOUSE[device.key].import_wh, HOUSE[device.key].export_wh):
            assert 2 * max(register.half_hours_wh) <= device.rated_power_w


def test_the_first_three_half_hours_show_sun_car_and_appliances() -> None:
    """Whoever looks at the demo sees every owner's energy move at once."""
    for key in ("pv", "ev", "dishwasher", "washing_machine", "freezer", "refrigerator", "heat_pump"):
        registers = HOUSE[key]
        passed = [*registers.import_wh.half_hours_wh[:3], *registers.export_wh.half_hours_wh[:3]]
        assert sum(passed) > 0, key
