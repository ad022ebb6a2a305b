"""Meters: which sign is import, which register is which, and which meter of several it is."""

import pytest

from custom_components.commonwatt.devices.port import Answer
from custom_components.commonwatt.devices.sunspec import SunSpecDevice
from custom_components.commonwatt.errors import DeviceError

from .conftest import Link
from .definitions import common, image, model
from .server import Device

SCALES = {"A_SF": -2, "V_SF": -1, "Hz_SF": -2, "W_SF": 1, "VA_SF": 1, "VAR_SF": 1, "PF_SF": -2, "TotWh_SF": 0}
MEASURED = {
    "A": 1250,
    "AphA": 500,
    "AphB": 450,
    "AphC": 300,
    "PhV": 2310,
    "PhVphA": 2300,
    "PhVphB": 2310,
    "PhVphC": 2320,
    "Hz": 5001,
    "W": 250,
    "WphA": 100,
    "WphB": 90,
    "WphC": 60,
    "VA": 288,
    "VAR": -30,
    "PF": 87,
    "TotWhExp": 700_001,
    "TotWhImp": 4_000_000_002,
}


async def read(link: Link, words: list[int], part: str) -> Answer:
    """Return the first answer of a part of a device."""
    return await SunSpecDevice(await link(Device(words)), part, None).async_read()


async def test_a_meter_that_imports_says_so_in_sign_and_register(link: Link) -> None:
    """Positive power flows from the grid into the house and counts in the import register."""
    answer = await read(link, image(common(), model(203, **MEASURED, **SCALES)), "203")
    raw = answer.raw
    assert (raw.import_wh, raw.export_wh, raw.power_w, raw.wraps_wh) == (4_000_000_002, 700_001, 2500, 2**32)
    assert answer.values == {
        "current_a": 12.5,
        "current_l1_a": 5.0,
        "current_l2_a": 4.5,
        "current_l3_a": 3.0,
        "voltage_v": 231.0,
        "voltage_l1_v": 230.0,
        "voltage_l2_v": 231.0,
        "voltage_l3_v": 232.0,
        "frequency_hz": 50.01,
        "power_l1_w": 1000,
        "power_l2_w": 900,
        "power_l3_w": 600,
        "apparent_power_va": 2880,
        "reactive_power_var": -300,
        "power_factor": 0.87,
    }


async def test_a_meter_that_exports_has_a_negative_power(link: Link) -> None:
    """The sign is the grid's point of view, as the quadrants of the definition have it."""
    words = image(common(), model(203, **(MEASURED | {"W": -250, "WphA": -100}), **SCALES))
    answer = await read(link, words, "203")
    assert (answer.raw.power_w, answer.values["power_l1_w"]) == (-2500, -1000)


async def test_meters_of_a_maker_who_counts_outwards_are_turned_round(link: Link) -> None:
    """Behind a SolarEdge inverter positive power flows to the grid, while its registers are as everywhere."""
    words = image(common("INV", "SolarEdge"), model(103), common("MTR", "WND"), model(203, **MEASURED, **SCALES))
    answer = await read(link, words, "203")
    assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.power_w) == (4_000_000_002, 700_001, -2500)
    assert (answer.values["power_l2_w"], answer.values["current_a"]) == (-900, -12.5)
    assert (answer.values["voltage_v"], answer.values["apparent_power_va"]) == (231.0, 2880)


@pytest.mark.parametrize("model_id", [211, 212, 213])
async def test_a_meter_in_floats_says_the_same(link: Link, model_id: int) -> None:
    """Its floats have no scales, and its energies no fractions."""
    told = {"W": 2500.0, "A": 12.5, "AphA": 5.0, "PhV": 231.1, "PhVphA": 230.2, "Hz": 50.01, "PF": -0.87}
    words = image(common(), model(model_id, **told, TotWhExp=700_001.0, TotWhImp=16_777_215.0))
    answer = await read(link, words, str(model_id))
    raw = answer.raw
    assert (raw.import_wh, raw.export_wh, raw.power_w, raw.wraps_wh) == (16_777_215, 700_001, 2500, None)
    assert (answer.values["voltage_v"], answer.values["frequency_hz"]) == (231.1, 50.01)
    assert answer.values["power_factor"] == 0.87


async def test_model_214_has_the_points_of_213_and_a_voltage_between_lines(link: Link) -> None:
    """It is the same meter without a neutral."""
    words = model(213, W=5.0, PPV=400.5, PhV=None, TotWhImp=9.0)
    words[0] = 214
    answer = await read(link, image(common(), words), "214")
    assert (answer.raw.import_wh, answer.raw.power_w, answer.values) == (9, 5, {"voltage_v": 400.5})


async def test_a_delta_meter_tells_the_voltage_between_lines(link: Link) -> None:
    """It has no neutral to measure against."""
    answer = await read(link, image(common(), model(204, **MEASURED, PPV=4001, **SCALES)), "204")
    assert answer.values["voltage_v"] == 400.1


async def test_a_single_phase_meter_tells_its_phase_once(link: Link) -> None:
    """Where it names no average, the voltage of its phase is the voltage."""
    told = {"A": 1250, "AphA": 1250, "PhVphA": 2300, "W": 250, "WphA": 250, "TotWhImp": 4}
    answer = await read(link, image(common(), model(201, **told, **SCALES)), "201")
    assert (answer.raw.import_wh, answer.raw.export_wh) == (4, 0)
    assert answer.values == {"voltage_v": 230.0, "current_a": 12.5}


@pytest.mark.parametrize(
    ("exported", "imported", "registers"),
    [(0, 5, (5, 0)), (5, 0, (0, 5)), (0, 0, (None, None)), (6, 5, (5, 6))],
)
async def test_a_direction_in_which_nothing_flowed_is_zero_beside_one_that_counts(
    link: Link, exported: int, imported: int, registers: tuple[int | None, int | None]
) -> None:
    """A house without panels never exports; a meter that counts neither has no registers."""
    words = model(203, W=1, W_SF=0, TotWhExp=exported, TotWhImp=imported, TotWh_SF=0)
    raw = (await read(link, image(common(), words), "203")).raw
    assert (raw.import_wh, raw.export_wh) == registers
    words = model(213, W=1.0, TotWhExp=float(exported), TotWhImp=float(imported))
    raw = (await read(link, image(common(), words), "213")).raw
    assert (raw.import_wh, raw.export_wh) == registers


async def test_a_register_that_falls_to_zero_is_missing(link: Link) -> None:
    """A meter that starts up never turns a register back."""
    device = Device(image(common(), model(203, W=1, W_SF=0, TotWhExp=3, TotWhImp=9, TotWh_SF=0)))
    meter = SunSpecDevice(await link(device), "203", None)
    await meter.async_read()
    device.words[:] = image(common(), model(203, W=1, W_SF=0, TotWhExp=0, TotWhImp=9, TotWh_SF=0))
    raw = (await meter.async_read()).raw
    assert (raw.import_wh, raw.export_wh) == (9, None)


async def test_the_second_meter_is_another_one_than_the_first(link: Link) -> None:
    """A part's number says which of the models of a kind it is."""
    meters = [model(203, W=power_w, W_SF=0, TotWhImp=9, TotWh_SF=0) for power_w in (11, 22)]
    words = image(common("INV"), model(103), common("M1"), meters[0], common("M2"), meters[1])
    assert (await read(link, words, "203")).raw.power_w == 11
    assert (await read(link, words, "203.2")).raw.power_w == 22
    second = SunSpecDevice(await link(Device(words)), "203.2", "M2")
    assert (await second.async_identify()).serial == "M2"


async def test_a_meter_that_was_exchanged_behind_its_inverter_is_not_believed(link: Link) -> None:
    """Its own serial number is what counts, wherever it hangs."""
    meter = model(203, W=11, W_SF=0, TotWhImp=9, TotWh_SF=0)
    device = Device(image(common("INV"), model(103), common("M2"), meter))
    with pytest.raises(DeviceError, match="another serial number"):
        await SunSpecDevice(await link(device), "203", "M1").async_read()
    assert (await SunSpecDevice(await link(Device(device.words)), "203", "INV").async_read()).raw.power_w == 11


async def test_the_ratings_of_an_inverter_are_not_its_meters(link: Link) -> None:
    """A meter behind an inverter carries more than the inverter can."""
    words = image(common(), model(103), model(120, WRtg=500, WRtg_SF=1), model(203, W=1, W_SF=0))
    identity = await SunSpecDevice(await link(Device(words)), "203", None).async_identify()
    assert identity.rated_power_w is None
