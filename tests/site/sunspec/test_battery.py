"""Batteries: where their power and energy come from, and which sign is charging."""

from typing import Any

import pytest

from custom_components.commonwatt.devices.keeping import Keeping
from custom_components.commonwatt.devices.port import Answer
from custom_components.commonwatt.devices.sunspec import sunspec_device
from custom_components.commonwatt.errors import DeviceError

from .conftest import Link
from .definitions import common, image, model
from .server import Device

BASE = {"WHRtg": 100, "WHRtg_SF": 2, "SoC": 553, "SoC_SF": -1, "W_SF": 0, "WChaRteMax": 50, "WChaDisChaMax_SF": 2}


async def read(link: Link, words: list[int], part: str) -> Answer:
    """Return the first answer of a part of a device."""
    return await sunspec_device(await link(Device(words)), part, None).async_read()


async def test_the_inverter_of_a_battery_counts_what_it_takes_and_gives(link: Link) -> None:
    """Absorbed energy is charged, which is import; its state comes from the model of the storage."""
    inverter = model(701, ACType=0, W=-2100, W_SF=0, TotWhInj=3000, TotWhAbs=4000, TotWh_SF=1, A=91, A_SF=-1)
    words = image(common(), inverter, model(713, WHRtg=98, WH_SF=2, SoC=640, Pct_SF=-1))
    answer = await read(link, words, "701")
    assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.power_w) == (40000, 30000, 2100)
    assert answer.values == {"current_a": -9.1, "soc_percent": 64.0, "capacity_wh": 9800}


@pytest.mark.parametrize(
    ("told_w", "state", "power_w"),
    [(1200, 3, -1200), (-1200, 3, -1200), (1200, 4, 1200), (-1200, 4, 1200), (1200, None, -1200), (-900, 6, 900)],
)
async def test_the_sign_of_a_base_model_is_what_the_battery_says_it_does(
    link: Link, told_w: int, state: int | None, power_w: int
) -> None:
    """The definition names none: the state says whether it charges, else positive is what it gives off."""
    battery = model(802, W=told_w, ChaSt=state, **BASE)
    answer = await read(link, image(common(), model(103), battery), "802")
    assert answer.raw.power_w == power_w
    assert answer.values == {"soc_percent": 55.3, "capacity_wh": 10000}


async def test_the_energy_of_a_base_model_is_made_from_its_power(link: Link) -> None:
    """It counts none, says so, and goes on with what an earlier run made."""
    battery = sunspec_device(await link(Device(image(common(), model(802, W=-5, **BASE)))), "802", None)
    assert battery.integrated
    assert isinstance(battery, Keeping)
    battery.go_on_with(None, (700, 500))
    raw = (await battery.async_read()).raw
    assert (raw.import_wh, raw.export_wh, raw.power_w) == (700, 500, 5)
    kept = battery.kept()
    assert kept is not None
    again = sunspec_device(await link(Device(image(common(), model(802, W=-5, **BASE)))), "802", None)
    assert isinstance(again, Keeping)
    again.go_on_with(kept, (600, 500))
    assert (await again.async_read()).raw.import_wh == 700


async def test_a_device_that_counts_keeps_nothing(link: Link) -> None:
    """Its registers are its own."""
    meter = sunspec_device(await link(Device(image(common(), model(203, W=1, W_SF=0)))), "203", None)
    assert not isinstance(meter, Keeping)
    assert not meter.integrated


async def test_each_of_several_batteries_tells_of_itself(link: Link) -> None:
    """The second is as full as it says, not as the first."""
    batteries = [model(802, W=1, **(BASE | {"SoC": soc})) for soc in (100, 900)]
    words = image(common(), *batteries)
    assert (await read(link, words, "802")).values["soc_percent"] == 10
    assert (await read(link, words, "802.2")).values["soc_percent"] == 90


async def test_a_battery_at_a_port_of_its_inverter_has_the_registers_of_the_port(link: Link) -> None:
    """What the panels give at another port is none of the battery's."""
    panels = {"PrtTyp": 0, "DCW": 3000, "DCWhInj": 999_999, "DCWhAbs": 0}
    battery = {"PrtTyp": 1, "DCW": -1500, "DCWhInj": 70, "DCWhAbs": 90}
    ports = model(714, panels, battery, DCW_SF=0, DCWH_SF=3)
    words = image(common(), model(701, W=1400, W_SF=0), model(713, SoC=50, Pct_SF=0), ports)
    answer = await read(link, words, "713")
    assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.power_w) == (90_000, 70_000, 1500)
    assert answer.values == {"soc_percent": 50}


async def test_a_battery_among_the_inputs_of_a_hybrid_has_their_registers(link: Link) -> None:
    """Two of the inputs are the battery's, one for each direction; their power makes one number."""
    inputs: list[dict[str, Any]] = [
        {"IDStr": "MPPT 1", "DCW": 300, "DCWH": 99},
        {"IDStr": "StCha 3", "DCW": 120, "DCWH": 4_000_000},
        {"IDStr": "StDisCha 4", "DCW": 0, "DCWH": 3_000_000},
    ]
    storage = model(124, ChaState=4420, ChaState_SF=-2)
    nameplate = model(120, WHRtg=980, WHRtg_SF=1)
    words = image(common(), model(103), nameplate, storage, model(160, *inputs, DCW_SF=1, DCWH_SF=0))
    answer = await read(link, words, "124")
    assert (answer.raw.import_wh, answer.raw.export_wh, answer.raw.power_w) == (4_000_000, 3_000_000, 1200)
    assert answer.raw.wraps_wh == 2**32
    assert answer.values == {"soc_percent": 44.2, "capacity_wh": 9800}


async def test_an_input_without_a_value_makes_no_power_of_half_a_battery(link: Link) -> None:
    """If one direction is not known, neither is the sum."""
    inputs: list[dict[str, Any]] = [
        {"IDStr": "StCha 3", "DCW": 120, "DCWH": 4},
        {"IDStr": "StDisCha 4", "DCW": None, "DCWH": 3},
    ]
    words = image(common(), model(103), model(124), model(160, *inputs, DCW_SF=0, DCWH_SF=0))
    answer = await read(link, words, "124")
    assert (answer.raw.power_w, answer.raw.import_wh, answer.raw.export_wh) == (None, 4, 3)


@pytest.mark.parametrize(
    ("told", "scale", "soc_percent"), [(1001, -1, None), (100, 0, 100), (0, 0, 0), (64, None, None)]
)
async def test_a_state_of_charge_beyond_full_is_no_value(
    link: Link, told: int, scale: int | None, soc_percent: float | None
) -> None:
    """A device that starts answers with anything."""
    words = image(common(), model(802, W=1, **(BASE | {"SoC": told, "SoC_SF": scale})))
    assert (await read(link, words, "802")).values.get("soc_percent") == soc_percent


async def test_a_battery_that_tells_no_power_is_silent(link: Link) -> None:
    """Its state of charge alone makes no reading, and no energy is counted."""
    battery = sunspec_device(await link(Device(image(common(), model(802, W=None, **BASE)))), "802", None)
    with pytest.raises(DeviceError, match="tells neither power nor energy"):
        await battery.async_read()


async def test_a_battery_knows_what_it_is_built_for(link: Link) -> None:
    """The greater of both directions is its rating."""
    words = image(common(), model(802, W=1, **BASE, WDisChaRteMax=60))
    identity = await sunspec_device(await link(Device(words)), "802", None).async_identify()
    assert identity.rated_power_w == 6000
