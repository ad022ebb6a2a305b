"""Inverters: real ones word by word, and every way in which one has nothing to say."""

import json

import pytest

from custom_components.commonwatt.devices.port import Answer
from custom_components.commonwatt.devices.sunspec import SunSpecDevice
from custom_components.commonwatt.errors import DeviceError

from .conftest import Link
from .definitions import DATA, common, image, kaco, model, pysunspec2
from .server import Device

PRODUCING = {"W": 1500, "W_SF": 0, "WH": 12345, "WH_SF": 0}


async def read(link: Link, words: list[int], part: str) -> Answer:
    """Return the first answer of a part of a device."""
    return await SunSpecDevice(await link(Device(words)), part, None).async_read()


def export_wh(answer: Answer) -> float | None:
    """Return the register of what a device gave off."""
    return answer.raw.export_wh


async def test_a_real_inverter_says_what_its_words_say(link: Link) -> None:
    """Reckoned by hand from the words of the dump: what it produces is export, and its power negative."""
    answer = await read(link, kaco(), "103")
    raw = answer.raw
    assert (raw.import_wh, raw.export_wh) == (0, 185 * 65536 + 63009)  # words 185, 63009, scale 10^0
    assert raw.power_w == -100 * 10  # word 100, scale 10^1
    assert raw.wraps_wh == 2**32
    assert answer.values == {
        "current_a": -4.84,  # word 484, scale 10^-2 (65534)
        "current_l1_a": -1.64,
        "current_l2_a": -1.62,
        "current_l3_a": -1.57,
        "voltage_l1_v": 226.5,  # word 2265, scale 10^-1 (65535)
        "voltage_l2_v": 228.2,
        "voltage_l3_v": 227.8,
        "frequency_hz": 49.944,  # word 49944, scale 10^-3 (65533)
        "apparent_power_va": 990,  # word 99, scale 10^1
        "reactive_power_var": 0,
        "power_factor": 1.0,  # word 1000, scale 10^-3: this maker tells a ratio where the definition has percent
        "dc_power_w": 1020,  # word 102, scale 10^1
        "dc_power_1_w": 360,  # of the inputs: words 36 and 65, scale 10^1
        "dc_power_2_w": 650,
    }


async def test_the_same_real_inverter_says_the_same_in_floats(link: Link) -> None:
    """Its floats 0x449CA0B5..., read by hand with IEEE 754, agree with its integers to their last digit."""
    answer = await read(link, kaco(), "113")
    assert (
        answer.raw.export_wh == 0xB9F621
    )  # 0x4B39F621: exponent 23, so the mantissa with its hidden one is the number
    assert answer.raw.wraps_wh is None
    assert answer.raw.power_w == pytest.approx(-1000, abs=5)
    whole = await read(link, kaco(), "103")
    assert answer.values == pytest.approx(whole.values, rel=0.02, abs=10)


async def test_another_real_inverter_of_one_phase_says_what_its_words_say(link: Link) -> None:
    """Reckoned by hand; its identity block is one word shorter, its power factor in percent, its scales its own."""
    kept = json.loads((DATA / "solaredge_se5000h_model_101.json").read_text())
    words = [int(word, 16) for word in kept["words"].split()]
    identity = [1, 65, *common("7FFFFFFF", "SolarEdge ", "SE5000H")[2:67]]
    answer = await read(link, image(identity, [kept["model"], len(words), *words]), "101")
    assert (answer.raw.import_wh, answer.raw.export_wh) == (0, 0xDF * 65536 + 0xF1DA)  # words 00df, f1da, scale 10^0
    assert answer.raw.power_w == -1395.0  # word 367e = 13950, scale 10^-1
    assert answer.values == {
        "current_a": -5.92,  # word 0250 = 592, scale 10^-2
        "voltage_v": 235.7,  # word 0935 = 2357, scale 10^-1
        "frequency_hz": 49.987,  # word c343 = 49987, scale 10^-3
        "apparent_power_va": 1398.2,  # word 369e = 13982, scale 10^-1
        "reactive_power_var": 94.42,  # word db1e = -9442, scale 10^-2
        "power_factor": 0.9977,  # word d907 = -9977, scale 10^-2, in percent
        "dc_power_w": 1416.3,  # word 3753 = 14163, scale 10^-1
    }


async def test_a_device_model_of_another_library_is_read(link: Link) -> None:
    """The 1547 device of pysunspec2: 150 kWh given off, nothing taken, 9800 W, scales of its own for each."""
    answer = await read(link, pysunspec2("device_1547"), "701")
    assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.power_w) == (0, 150 * 1000, -9800)
    assert answer.raw.wraps_wh is None
    expected = {"frequency_hz": 60.01, "current_a": -41.1, "voltage_v": 240.0, "power_factor": 0.985}
    expected |= {"apparent_power_va": 10000, "reactive_power_var": -200, "voltage_l1_v": 12.0, "power_l2_w": -3300}
    assert {name: answer.values[name] for name in expected} == expected  # type: ignore[index]


@pytest.mark.parametrize("model_id", [101, 102, 103])
@pytest.mark.parametrize(
    ("raw", "scale", "whole_wh"),
    [
        pytest.param(4_294_967_295, 0, 4_294_967_295, id="the greatest"),
        pytest.param(4_294_967_295, 1, 42_949_672_950, id="in tens"),
        pytest.param(123_456_789, -1, 12_345_678, id="in tenths, floored"),
        pytest.param(299, -2, 2, id="in hundredths, floored"),
        pytest.param(7, 10, 70_000_000_000, id="the greatest scale"),
        pytest.param(9, -10, 0, id="the least scale"),
    ],
)
async def test_energy_is_exact(link: Link, model_id: int, raw: int, scale: int, whole_wh: int) -> None:
    """Integers only: the register never moves back by a rounding."""
    answer = await read(link, image(common(), model(model_id, W=1, W_SF=0, WH=raw, WH_SF=scale)), str(model_id))
    wraps_wh = 2**32 * 10**scale if scale >= 0 else 2**32 // 10**-scale
    assert (answer.raw.export_wh, answer.raw.wraps_wh) == (whole_wh or None, wraps_wh)
    assert isinstance(answer.raw.export_wh, int | None)


async def test_energy_of_64_bits_is_exact(link: Link) -> None:
    """Beyond 2^53 a float would lose watt-hours."""
    answer = await read(
        link, image(common(), model(701, W=1, W_SF=0, TotWhInj=2**53 + 1, TotWhAbs=3, TotWh_SF=0)), "701"
    )
    assert (answer.raw.import_wh, answer.raw.export_wh) == (3, 2**53 + 1)
    words = model(701, W=1, W_SF=0, TotWhInj=10 * (2**55 + 1) + 9, TotWhAbs=3, TotWh_SF=-1)
    assert export_wh(await read(link, image(common(), words), "701")) == 2**55 + 1


@pytest.mark.parametrize(("model_id", "phases"), [(101, 1), (102, 2), (103, 3), (111, 1), (112, 2), (113, 3)])
async def test_phases_are_told_that_a_device_has(link: Link, model_id: int, phases: int) -> None:
    """A device of one phase says its voltage and current once; registers of the others are not believed."""
    scales = {"A_SF": 0, "V_SF": 0, "W_SF": 0, "WH_SF": 0} if model_id < 110 else {}
    told = {"A": 9, "AphA": 2, "AphB": 3, "AphC": 4, "PhVphA": 231, "PhVphB": 232, "PhVphC": 233, "W": 5, "WH": 7}
    answer = await read(link, image(common(), model(model_id, **told, **scales)), str(model_id))
    by_phases = {
        1: {"voltage_v": 231, "current_a": -9},
        2: {"voltage_l1_v": 231, "voltage_l2_v": 232, "current_l1_a": -2, "current_l2_a": -3, "current_a": -9},
    }
    three = {"voltage_l3_v": 233, "current_l3_a": -4}
    assert answer.values == by_phases.get(phases, by_phases[2] | three)


@pytest.mark.parametrize(
    ("told", "scale", "ratio"),
    [(-9978, -2, 0.9978), (985, -3, 0.985), (100, 0, 1.0), (-100, -2, 1.0), (50, 0, 0.5), (0, 0, 0), (32767, 0, None)],
)
async def test_a_power_factor_is_a_ratio_whether_told_so_or_in_percent(
    link: Link, told: int, scale: int, ratio: float | None
) -> None:
    """The definition has percent, half of the devices a ratio, and the sign has two meanings."""
    answer = await read(link, image(common(), model(103, **PRODUCING, PF=told, PF_SF=scale)), "103")
    assert answer.values.get("power_factor") == ratio


async def test_a_point_without_its_scale_is_absent(link: Link) -> None:
    """A scale that is not implemented, or out of its range, makes no number; the other points stay."""
    words = model(103, W=100, W_SF=None, Hz=5000, Hz_SF=-11, A=484, A_SF=-2, WH=12345, WH_SF=0)
    answer = await read(link, image(common(), words), "103")
    assert (answer.raw.power_w, answer.raw.export_wh) == (None, 12345)
    assert answer.values == {"current_a": -4.84}
    without = model(103, W=100, W_SF=0, WH=12345, WH_SF=None)
    answer = await read(link, image(common(), without), "103")
    assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.wraps_wh) == (None, None, None)


@pytest.mark.parametrize("model_id", [103, 113])
async def test_a_counter_at_zero_is_not_a_register_of_zero(link: Link, model_id: int) -> None:
    """Zero means that nothing is accumulated: the register is missing, in both directions."""
    scales = {"W_SF": 0, "WH_SF": 0} if model_id == 103 else {}
    answer = await read(link, image(common(), model(model_id, W=20, WH=0, **scales)), str(model_id))
    assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.power_w) == (None, None, -20)


async def test_an_inverter_that_sleeps_is_silent_and_read_again_in_the_morning(link: Link) -> None:
    """All its points are not implemented at night; nothing is scanned anew for it."""
    device = Device(image(common(), model(103, **PRODUCING)))
    read_by = SunSpecDevice(await link(device), "103", "SN-1")
    assert export_wh(await read_by.async_read()) == 12345
    awake = list(device.words)
    device.words[:] = image(common(), model(103))
    device.reads.clear()
    for _ in range(3):
        with pytest.raises(DeviceError, match="neither power nor energy: it sleeps"):
            await read_by.async_read()
    assert len(device.reads) == 3
    device.words[:] = awake
    assert export_wh(await read_by.async_read()) == 12345


async def test_a_counter_that_fell_to_zero_is_missing_and_never_a_jump(link: Link) -> None:
    """An inverter that wakes up answers with zero before it has read its own memory."""
    device = Device(image(common(), model(701, W=1, W_SF=0, TotWhInj=500, TotWhAbs=0, TotWh_SF=0)))
    read_by = SunSpecDevice(await link(device), "701", None)
    assert (await read_by.async_read()).raw.import_wh == 0  # of 64 bits, zero is a number
    device.words[:] = image(common(), model(701, W=1, W_SF=0, TotWhInj=0, TotWhAbs=0, TotWh_SF=0))
    raw = (await read_by.async_read()).raw
    assert (raw.import_wh, raw.export_wh) == (0, None)


async def test_an_inverter_that_consumes_imports(link: Link) -> None:
    """A negative power of a generator is what it draws at night."""
    words = model(103, W=-8, W_SF=0, WH=5, WH_SF=0, A=7, A_SF=-2, VAr=-40, VAr_SF=0)
    answer = await read(link, image(common(), words), "103")
    assert answer.raw.power_w == 8
    assert answer.values["reactive_power_var"] == 40


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
async def test_a_float_that_is_no_number_is_absent(link: Link, value: float) -> None:
    """Infinity is no value either."""
    words = image(common(), model(113, W=250.0, WH=value, Hz=50.0, A=value))
    found = await read(link, words, "113")
    assert (found.raw.power_w, found.raw.export_wh) == (-250, None)
    assert found.values == {"frequency_hz": 50.0}


async def test_a_poll_is_one_read_and_the_identity_is_read_on_contact_alone(link: Link) -> None:
    """The whole chain is walked once; afterwards a poll asks for the one block of its model."""
    device = Device(kaco())
    read_by = SunSpecDevice(await link(device), "103", "8.6TL00000000")
    await read_by.async_read()
    device.reads.clear()
    for _ in range(6):
        await read_by.async_read()
    block, inputs = (40070, 33), (40858, 44)
    assert device.reads == [block] * 5 + [block, inputs]


async def test_quantities_are_those_of_the_model(link: Link) -> None:
    """They are known before the first contact, and no smaller after it."""
    read_by = SunSpecDevice(await link(Device(kaco())), "103", None)
    before = read_by.quantities
    assert set((await read_by.async_read()).values) <= before == read_by.quantities
    assert read_by.commands == {}
    assert not read_by.integrated


async def test_inputs_that_cannot_be_read_cost_no_reading(link: Link) -> None:
    """Energy is what is settled; what the panels give is absent meanwhile."""
    device = Device(kaco(), refuses=range(40860, 40900))
    answer = await SunSpecDevice(await link(device), "103", None).async_read()
    assert (export_wh(answer), "dc_power_1_w" in answer.values) == (12187169, False)


async def test_the_battery_among_the_inputs_is_no_panel(link: Link) -> None:
    """Its power is told by the battery; the sum is that of the panels, where the inverter names none itself."""
    inputs = [
        {"IDStr": name, "DCW": power_w} for name, power_w in (("1", 100), ("StCha", 7), ("2", 50), ("StDisCha", 9))
    ]
    inputs += [{"IDStr": "3", "DCW": None}]
    answer = await read(link, image(common(), model(103, **PRODUCING), model(160, *inputs[:4], DCW_SF=0)), "103")
    powers = {name: value for name, value in answer.values.items() if name.startswith("dc_")}
    assert powers == {"dc_power_w": 150, "dc_power_1_w": 100, "dc_power_2_w": 50}
    answer = await read(link, image(common(), model(103, **PRODUCING), model(160, *inputs, DCW_SF=0)), "103")
    assert "dc_power_w" not in answer.values


async def test_panels_at_ports_are_told_port_by_port(link: Link) -> None:
    """A battery's port and one without a kind are none."""
    ports = [{"PrtTyp": kind, "DCW": power_w} for kind, power_w in ((1, -500), (0, 800), (None, 3), (0, 40))]
    words = image(common(), model(701, W=1, W_SF=0), model(714, *ports, DCW_SF=0))
    answer = await read(link, words, "701")
    assert answer.values == {"dc_power_w": 840, "dc_power_1_w": 800, "dc_power_2_w": 40}


async def test_the_inputs_are_those_of_the_first_inverter_of_their_device(link: Link) -> None:
    """Of a second one nobody says which are its own."""
    words = image(common(), model(103, **PRODUCING), model(103, **PRODUCING), model(160, {"DCW": 5}, DCW_SF=0))
    assert "dc_power_1_w" in (await read(link, words, "103")).values
    assert "dc_power_1_w" not in (await read(link, words, "103.2")).values
