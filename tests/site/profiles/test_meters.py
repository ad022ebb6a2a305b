"""Every meter's profile against its maker's table or a recording of a real one, read from a real server."""

from collections.abc import Mapping
from pathlib import Path

from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.core import HomeAssistant
import pytest

from custom_components.commonwatt.devices.line import TcpLine, line_params
from custom_components.commonwatt.devices.modbus import ModbusDevice
from custom_components.commonwatt.devices.port import Answer, DeviceIdentity
from custom_components.commonwatt.devices.profile import load_profiles
from custom_components.commonwatt.devices.register import shortest_float32

from ..register_device import RegisterServer, RegisterUnit
from .meters import METERS, goodwe

TESTS = Path(__file__).parents[1]


async def read(
    hass: HomeAssistant, key: str, unit: RegisterUnit, then: Mapping[int, list[int]] | None = None
) -> tuple[Answer, DeviceIdentity]:
    """Read a unit by a profile twice, as whichever device answers; the second time is a plain poll.

    Between the two, holding registers may change to what stands in `then`.
    """
    server = RegisterServer({1: unit})
    await server.start()
    async with async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", server.port)), 1) as link:
        device = ModbusDevice(link, load_profiles()[key], None)
        identity = await device.async_identify()
        unit.reads.clear()
        for address, words in (then or {}).items():
            unit.put("holding", address, *words)
        answer = await device.async_read()
    await server.stop()
    return answer, identity


def test_every_profile_is_proved_by_a_test() -> None:
    """A profile whose name stands in no test is a claim without a proof."""
    tested = "".join(path.read_text() for path in TESTS.rglob("*.py"))
    assert [key for key in load_profiles() if f'"{key}"' not in tested] == []


def test_a_meter_whose_words_are_made_up_here_is_not_called_a_dump() -> None:
    """What is proved by the maker's table alone says so where it is chosen."""
    dumps = {key for key, profile in load_profiles().items() if profile.checked == "dump"}
    assert {"goodwe_et_meter", "goodwe_et_plus_meter"} <= dumps
    assert not dumps & METERS.keys()


@pytest.mark.parametrize("key", METERS)
async def test_a_meter_shows_what_its_maker_says(hass: HomeAssistant, socket_enabled: None, key: str) -> None:
    """Every value of the profile, in our units and signs, in as few requests as the meter allows."""
    meter = METERS[key]
    unit = meter.unit()
    answer, identity = await read(hass, key, unit)
    expected = meter.shown() | dict(meter.tells)
    registers = expected.pop("import_wh"), expected.pop("export_wh", 0), expected.pop("power_w")
    assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.power_w) == pytest.approx(registers, rel=1e-7)
    assert answer.values.keys() == load_profiles()[key].quantities
    assert dict(answer.values) == pytest.approx({name: expected[name] for name in answer.values}, rel=1e-6)
    assert len(unit.reads) == meter.requests
    assert (identity.serial, identity.firmware) == (meter.serial, meter.firmware)


@pytest.mark.parametrize("table", ["sdm220", "sdm230"])
async def test_its_larger_brothers_have_the_map_of_an_sdm120(
    hass: HomeAssistant, socket_enabled: None, table: str
) -> None:
    """One profile for the three of them, because the table says the same of each."""
    own = METERS["eastron_sdm120"]
    brother = type(own)(table, own.space, own.forms, own.requests, own.limit)
    assert brother.shown() == own.shown()
    answer, _ = await read(hass, "eastron_sdm120", brother.unit())
    assert answer.raw.import_wh == pytest.approx(12_345_600, rel=1e-7)


@pytest.mark.parametrize(
    ("key", "words", "import_wh"),
    [
        ("abb_b2x", {0x5000: [0, 1, 0, 0]}, 2**32 * 10),
        ("abb_b2x", {0x5000: [0xFFFF] * 4}, None),
        ("carlo_gavazzi_em340", {0x34: [0xFFFF, 0x7FFF]}, None),
        ("schneider_iem3000", {3203: [0x8000, 0, 0, 0]}, None),
    ],
)
async def test_a_value_that_is_not_there_is_none(
    hass: HomeAssistant, socket_enabled: None, key: str, words: dict[int, list[int]], import_wh: int | None
) -> None:
    """Each maker has a content that means so; a large number is a large number."""
    answer, _ = await read(hass, key, METERS[key].unit(), words)
    assert answer.raw.import_wh == import_wh


async def test_an_old_goodwe_shows_what_its_recording_decodes_to(hass: HomeAssistant, socket_enabled: None) -> None:
    """A GW10K-ET: its meter's energies are floats in Wh; it counts power out of the house, we count it in."""
    unit, decoded = goodwe("gw10k_et")
    answer, identity = await read(hass, "goodwe_et_meter", unit)
    assert answer.raw.import_wh == pytest.approx(decoded["meter_e_total_imp"] * 1000, abs=1)
    assert answer.raw.export_wh == pytest.approx(decoded["meter_e_total_exp"] * 1000, abs=1)
    assert answer.raw.power_w == -decoded["meter_active_power_total"]
    assert dict(answer.values) == {
        "power_l1_w": -decoded["meter_active_power1"],
        "power_l2_w": -decoded["meter_active_power2"],
        "power_l3_w": -decoded["meter_active_power3"],
        "frequency_hz": decoded["meter_freq"],
    }
    assert identity.serial == "9010KETU000W0000"
    assert len(unit.reads) == 1


async def test_a_new_goodwe_shows_what_its_recording_decodes_to(hass: HomeAssistant, socket_enabled: None) -> None:
    """A GW20K-ET has its energies in other registers: those of the older one stand at zero."""
    unit, decoded = goodwe("gw20k_et")
    answer, identity = await read(hass, "goodwe_et_plus_meter", unit)
    assert answer.raw.import_wh == pytest.approx(decoded["meter_e_total_imp"] * 1000)
    assert answer.raw.export_wh == pytest.approx(decoded["meter_e_total_exp"] * 1000)
    assert answer.raw.power_w == -decoded["meter_active_power_total"]
    expected = {f"voltage_l{n}_v": decoded[f"meter_voltage{n}"] for n in (1, 2, 3)}
    expected |= {f"current_l{n}_a": decoded[f"meter_current{n}"] for n in (1, 2, 3)}
    expected |= {f"power_l{n}_w": -decoded[f"meter_active_power{n}"] for n in (1, 2, 3)}
    assert dict(answer.values) == expected | {"frequency_hz": decoded["meter_freq"]}
    assert identity.serial == "9020KETT232W0000"
    assert len(unit.reads) == 1


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ((0x4366, 0x3333), 230.2),
        ((0x4366, 0x3334), 230.20001),  # the next one up
        ((0x3F33, 0x3333), 0.7),  # 0.699999988…, which would be floored to 699 Wh
        ((0x4B7F, 0xFFFF), 16_777_215),
        ((0x0000, 0x0000), 0),
        ((0xC2C8, 0x0000), -100),
        ((0x7F7F, 0xFFFF), 3.4028235e38),
    ],
)
def test_a_float_is_the_shortest_number_that_means_it(words: tuple[int, int], value: float) -> None:
    """What the meter's display shows, not what binary fractions make of it."""
    assert shortest_float32(words) == pytest.approx(value, rel=1e-12 if value < 1e30 else 1e-7)
