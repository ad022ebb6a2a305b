"""Set-points: what is written in which order, what is read back, and how it ends when the site is gone."""

from typing import Any

import pytest

from custom_components.commonwatt.devices.patience import Bus
from custom_components.commonwatt.devices.port import Range
from custom_components.commonwatt.devices.sunspec import SunSpecDevice
from custom_components.commonwatt.errors import DeviceError

from .conftest import Link
from .definitions import common, image, model
from .server import Device

RATED = {"WMaxRtg": 6000, "WChaRteMaxRtg": 4000, "WDisChaRteMaxRtg": 5000, "WMax": 6000, "W_SF": 0}
CONTROLS = {"WSetEna": 0, "WSetMod": 0, "WSet": 0, "WSet_SF": 0, "WSetEnaRvrt": 1, "WSetRvrtTms": 0, "WSetRvrtRem": 0}
PERCENT = {"WSetEna": 0, "WSetMod": 0, "WSetPct": 0, "WSetPct_SF": -1}
INVERTER = model(701, W=0, W_SF=0, TotWhInj=1, TotWhAbs=1, TotWh_SF=0)
STORAGE = model(713, SoC=50, Pct_SF=0)
HEAD = 40000 + 2 + len(common()) + len(INVERTER) + len(model(702)) + len(STORAGE)
ENABLED, UNIT, WATTS, PCT, REVERT_ENABLED, REVERT_S, REVERT_LEFT_S = 22, 23, 24, 28, 30, 31, 33


def battery(controls: dict[str, Any], rated: dict[str, Any] | None = None, *others: list[int]) -> Device:
    """Return a battery's inverter with controls; its timer starts when it is enabled."""
    ratings = model(702, **(RATED if rated is None else rated))
    device = Device(image(common(), INVERTER, ratings, STORAGE, model(704, **controls), *others))

    def written(address: int, words: list[int]) -> None:
        if address == HEAD + ENABLED and words == [1]:
            device.set(HEAD + REVERT_LEFT_S, *device.words[HEAD + REVERT_S - 40000 :][:2])

    device.written = written
    return device


async def met(link: Link, device: Device, part: str = "701") -> SunSpecDevice:
    """Return a device that was read once."""
    read_by = SunSpecDevice(await link(device), part, None)
    await read_by.async_read()
    device.writes.clear()
    return read_by


async def test_a_battery_is_told_to_charge_and_says_so(link: Link) -> None:
    """Charging is positive here and negative there; what makes it hold is written last, and it holds for a while."""
    device = battery(CONTROLS)
    read_by = await met(link, device)
    assert read_by.commands["set_point_w"] == Range(-5000, 4000, 1)
    assert read_by.commands["mode"].options == ("auto", "set_point")
    assert (await read_by.async_read()).values["mode"] == "auto"
    await read_by.async_command("set_point_w", 2500)
    assert device.writes == [
        (HEAD + REVERT_S, [0, 900]),
        (HEAD + REVERT_ENABLED, [0]),
        (HEAD + UNIT, [1]),
        (HEAD + WATTS, [0xFFFF, 0x10000 - 2500]),
        (HEAD + ENABLED, [1]),
    ]
    values = (await read_by.async_read()).values
    assert (values["set_point_w"], values["mode"]) == (2500, "set_point")


async def test_a_battery_is_told_to_discharge_and_let_go_again(link: Link) -> None:
    """Let go of, it is its own master: it has no set-point, not one of zero."""
    device = battery(CONTROLS)
    read_by = await met(link, device)
    await read_by.async_command("set_point_w", -1000)
    assert device.writes[3] == (HEAD + WATTS, [0, 1000])
    device.writes.clear()
    await read_by.async_command("mode", "auto")
    assert device.writes == [(HEAD + ENABLED, [0])]
    values = (await read_by.async_read()).values
    assert values["mode"] == "auto"
    assert "set_point_w" not in values


async def test_the_mode_alone_holds_the_battery_still(link: Link) -> None:
    """A set-point without a number is none of charging and none of discharging."""
    device = battery(CONTROLS)
    read_by = await met(link, device)
    await read_by.async_command("mode", "set_point")
    assert (await read_by.async_read()).values["set_point_w"] == 0


async def test_a_device_that_knows_percent_only_is_told_in_percent(link: Link) -> None:
    """Of its greatest power; what a step of it is belongs to the range."""
    device = battery(PERCENT)
    read_by = await met(link, device)
    assert read_by.commands["set_point_w"] == Range(-5000, 4000, 60)
    await read_by.async_command("set_point_w", 3000)
    assert device.writes == [(HEAD + UNIT, [0]), (HEAD + PCT, [0x10000 - 500]), (HEAD + ENABLED, [1])]
    assert (await read_by.async_read()).values["set_point_w"] == 3000


async def test_a_set_point_in_hundreds_is_held_to_its_nearest_step(link: Link) -> None:
    """The device's scale is coarser than what was asked."""
    read_by = await met(link, battery(CONTROLS | {"WSet_SF": 2}))
    assert read_by.commands["set_point_w"].step == 100
    await read_by.async_command("set_point_w", 2540)
    assert (await read_by.async_read()).values["set_point_w"] == 2500


@pytest.mark.parametrize(
    ("controls", "asked_w", "held_w"),
    [
        (PERCENT, 4000, 3996),
        (PERCENT, -4999, -4998),
        (CONTROLS | {"WSet_SF": 2}, 2560, 2500),
        (CONTROLS | {"WSet_SF": 2}, -2560, -2500),
    ],
)
async def test_a_set_point_between_two_steps_is_the_lesser_one(
    link: Link, controls: dict[str, Any], asked_w: float, held_w: float
) -> None:
    """A battery is never told more than was asked for, so never more than it may."""
    read_by = await met(link, battery(controls))
    await read_by.async_command("set_point_w", asked_w)
    assert (await read_by.async_read()).values["set_point_w"] == pytest.approx(held_w)


async def test_a_set_point_is_renewed_before_it_runs_out(link: Link) -> None:
    """While this site runs it holds; nothing is written in between."""
    device = battery(CONTROLS)
    read_by = await met(link, device)
    await read_by.async_command("set_point_w", 2500)
    device.writes.clear()
    for _ in range(12):
        await read_by.async_read()
    assert device.writes == []
    device.set(HEAD + REVERT_LEFT_S, 0, 500)
    for _ in range(6):
        await read_by.async_read()
    assert device.writes[-1] == (HEAD + ENABLED, [1])
    assert len(device.writes) == 5


async def test_a_set_point_outlives_a_line_that_was_down(link: Link) -> None:
    """The device is met anew, and what it was told is still renewed."""
    device = battery(CONTROLS)
    read_by = await met(link, device)
    await read_by.async_command("set_point_w", 2500)
    sound = list(device.words)
    device.words[:] = [0] * len(sound)
    read_by.doubt()
    with pytest.raises(DeviceError, match="is no SunSpec device"):
        await read_by.async_read()
    device.words[:] = sound
    device.writes.clear()
    device.set(HEAD + REVERT_LEFT_S, 0, 500)
    await read_by.async_read()
    assert device.writes[-1] == (HEAD + ENABLED, [1])


async def test_a_timer_that_does_not_count_aloud_is_renewed_by_the_clock(link: Link) -> None:
    """The device has a timer and does not say how much of it is left."""
    now = [1000.0]
    device = battery(CONTROLS | {"WSetRvrtRem": None})
    device.written = None
    read_by = SunSpecDevice(await link(device), "701", None, Bus(lambda: now[0]))
    await read_by.async_read()
    await read_by.async_command("set_point_w", 2500)
    device.writes.clear()
    for later_s, renewed in ((250, 0), (250, 5)):
        now[0] += later_s
        for _ in range(6):
            await read_by.async_read()
        assert len(device.writes) == renewed


async def test_a_device_without_a_timer_is_told_once(link: Link) -> None:
    """It holds what it was told until it is told otherwise."""
    now = [1000.0]
    device = battery({"WSetEna": 0, "WSet": 0, "WSet_SF": 0})
    read_by = SunSpecDevice(await link(device), "701", None, Bus(lambda: now[0]))
    await read_by.async_read()
    device.writes.clear()
    await read_by.async_command("set_point_w", 2500)
    now[0] += 5000
    for _ in range(12):
        assert (await read_by.async_read()).values["set_point_w"] == 2500
    assert [address for address, _ in device.writes] == [HEAD + WATTS, HEAD + ENABLED]


async def test_controls_that_cannot_be_read_cost_no_reading(link: Link) -> None:
    """Energy is what is settled; what the battery was told is absent meanwhile."""
    device = battery(CONTROLS)
    read_by = await met(link, device)
    assert (await read_by.async_read()).values["mode"] == "auto"
    device.refuses = range(HEAD, HEAD + 60)
    for _ in range(6):
        answer = await read_by.async_read()
    assert (answer.raw.import_wh, answer.values) == (1, {"soc_percent": 50})


async def test_a_device_that_refuses_what_is_written_is_an_error(link: Link) -> None:
    """It says so itself."""
    device = battery(CONTROLS)
    read_by = await met(link, device)
    device.read_only = True
    with pytest.raises(DeviceError, match="does not take the set-point"):
        await read_by.async_command("set_point_w", 2500)


@pytest.mark.parametrize("change", [(ENABLED, 0), (WATTS + 1, 77)])
async def test_what_somebody_else_changed_is_left_alone(link: Link, change: tuple[int, int]) -> None:
    """Whoever told the battery last is obeyed; no two controllers fight."""
    device = battery(CONTROLS)
    read_by = await met(link, device)
    await read_by.async_command("set_point_w", 2500)
    told = device.words[HEAD + change[0] - 40000]
    device.set(HEAD + change[0], change[1])
    device.set(HEAD + REVERT_LEFT_S, 0, 1)
    device.writes.clear()
    for _ in range(12):
        values = (await read_by.async_read()).values
    assert values.get("set_point_w") != 2500
    device.set(HEAD + change[0], told)  # and what they set is theirs, were it the same
    for _ in range(12):
        values = (await read_by.async_read()).values
    assert (values["set_point_w"], device.writes) == (2500, [])


async def test_a_device_that_does_not_take_it_is_an_error(link: Link) -> None:
    """Nothing is told that does not hold; letting go is checked as well."""
    device = battery(CONTROLS)
    read_by = await met(link, device)
    device.deaf = True
    with pytest.raises(DeviceError, match="does not hold the set-point of 2500 W"):
        await read_by.async_command("set_point_w", 2500)
    device.deaf = False
    await read_by.async_command("set_point_w", 2500)
    device.deaf = True
    with pytest.raises(DeviceError, match="does not let go"):
        await read_by.async_command("mode", "auto")


@pytest.mark.parametrize(
    ("command", "value"),
    [
        *[("set_point_w", value) for value in (4001, -5001, float("nan"), float("inf"), True, "2500")],
        *[("mode", value) for value in ("grid", 1, "")],
    ],
)
async def test_what_is_out_of_range_is_not_written(link: Link, command: Any, value: Any) -> None:
    """It is refused before the device hears of it."""
    device = battery(CONTROLS)
    read_by = await met(link, device)
    with pytest.raises(ValueError, match=f"{command} must be"):
        await read_by.async_command(command, value)
    assert device.writes == []


@pytest.mark.parametrize(
    ("controls", "rated"),
    [
        pytest.param({}, RATED, id="nothing implemented"),
        pytest.param(PERCENT, {}, id="percent of nobody knows what"),
        pytest.param(CONTROLS, {}, id="limits that are not known"),
    ],
)
async def test_controls_that_cannot_be_used_are_not_offered(
    link: Link, controls: dict[str, Any], rated: dict[str, Any]
) -> None:
    """A device without commands refuses each."""
    read_by = await met(link, battery(controls, rated))
    assert read_by.commands == {}
    with pytest.raises(DeviceError, match="cannot be told set_point_w"):
        await read_by.async_command("set_point_w", 1)


async def test_a_scale_that_is_missing_makes_no_set_point(link: Link) -> None:
    """What its number would mean nobody knows."""
    read_by = await met(link, battery(CONTROLS | {"WSet_SF": None}))
    assert read_by.commands == {}


async def test_a_device_that_may_not_enter_service_is_not_told(link: Link) -> None:
    """The error says what to do; letting go is always allowed."""
    device = battery(CONTROLS, None, model(703, ES=0))
    read_by = await met(link, device)
    with pytest.raises(DeviceError, match="not permitted to enter service"):
        await read_by.async_command("set_point_w", 100)
    assert device.writes == []
    await read_by.async_command("mode", "auto")
    device.set(HEAD + len(model(704, **CONTROLS)) + 2, 1)
    await read_by.async_command("set_point_w", 100)
    assert (await read_by.async_read()).values["set_point_w"] == 100


async def test_a_meter_and_an_inverter_obey_nothing(link: Link) -> None:
    """Controls beside an inverter that has no battery limit its feed-in, which is nobody's set-point."""
    device = Device(image(common(), INVERTER, model(704, **CONTROLS), model(702, **RATED)))
    read_by = await met(link, device)
    assert read_by.commands == {}
    with pytest.raises(DeviceError, match="cannot be told mode"):
        await read_by.async_command("mode", "auto")


FRONIUS = {"WChaMax": 5000, "WChaMax_SF": 0, "StorCtl_Mod": 0, "OutWRte": 10000, "InWRte": 10000, "InOutWRte_SF": -2}
FRONIUS |= {"InOutWRte_RvrtTms": 0, "ChaState": 5000, "ChaState_SF": -2}
INPUTS = ({"IDStr": "StCha 1", "DCW": 5, "DCWH": 1}, {"IDStr": "StDisCha 1", "DCW": 0, "DCWH": 1})


def hybrid(maker: str) -> tuple[Device, int]:
    """Return a hybrid inverter with a battery among its inputs, and where its controls stand."""
    before = [common("F-1", maker), model(103), model(160, *INPUTS, DCW_SF=0, DCWH_SF=0)]
    return Device(image(*before, model(124, **FRONIUS))), 40002 + sum(map(len, before))


async def test_a_hybrid_is_held_between_two_limits(link: Link) -> None:
    """Charging at least and at most 2000 W of 5000 W is a set-point; without limits it is its own master."""
    device, head = hybrid("Fronius")
    now = [1000.0]
    read_by = SunSpecDevice(await link(device), "124", None, Bus(lambda: now[0]))
    await read_by.async_read()
    assert read_by.commands["set_point_w"] == Range(-5000, 5000, 50)
    await read_by.async_command("set_point_w", 2000)
    assert device.writes == [(head + 15, [900]), (head + 13, [4000]), (head + 12, [0x10000 - 4000]), (head + 5, [3])]
    values = (await read_by.async_read()).values
    assert (values["set_point_w"], values["mode"]) == (2000, "set_point")
    device.writes.clear()
    for later_s, renewed in ((200, 0), (200, 4), (200, 4), (200, 8)):  # how much is left it does not say
        now[0] += later_s
        for _ in range(6):
            await read_by.async_read()
        assert len(device.writes) == renewed
    await read_by.async_command("mode", "auto")
    assert device.writes[-1] == (head + 5, [0])


async def test_limits_that_leave_room_are_no_set_point(link: Link) -> None:
    """The battery then does what it wants between them."""
    device, head = hybrid("Fronius")
    device.set(head + 5, 3)
    read_by = await met(link, device, "124")
    values = (await read_by.async_read()).values
    assert values["mode"] == "auto"
    assert "set_point_w" not in values


async def test_a_hybrid_whose_maker_does_not_say_so_is_not_forced(link: Link) -> None:
    """What a limit below zero does there nobody has promised."""
    read_by = await met(link, hybrid("Somebody")[0], "124")
    assert read_by.commands == {}


async def test_a_hybrid_without_a_timer_is_told_once(link: Link) -> None:
    """It holds what it was told until it is told otherwise."""
    device, head = hybrid("Fronius")
    device.set(head + 15, 0xFFFF)
    read_by = await met(link, device, "124")
    await read_by.async_command("set_point_w", -2000)
    assert device.writes == [(head + 13, [0x10000 - 4000]), (head + 12, [4000]), (head + 5, [3])]
    for _ in range(12):
        assert (await read_by.async_read()).values["set_point_w"] == -2000
    assert len(device.writes) == 3


async def test_a_battery_takes_no_command_of_a_charger(link: Link) -> None:
    """What it does not know it does not do; what it tells is known before and after it was met."""
    read_by = SunSpecDevice(await link(battery(CONTROLS)), "701", None)
    assert {"soc_percent", "set_point_w", "dc_power_w"} <= read_by.quantities
    await read_by.async_read()
    assert {"soc_percent", "set_point_w", "mode", "capacity_wh"} <= read_by.quantities
    assert "dc_power_w" not in read_by.quantities
    with pytest.raises(DeviceError, match="cannot be told current_limit_a"):
        await read_by.async_command("current_limit_a", 6)


async def test_a_battery_that_refuses_its_controls_is_read_all_the_same(link: Link) -> None:
    """It obeys nothing, and its energy counts."""
    device = battery(CONTROLS)
    device.refuses = range(HEAD + 10, HEAD + 60)
    read_by = SunSpecDevice(await link(device), "701", None)
    assert (await read_by.async_read()).raw.import_wh == 1
    assert read_by.commands == {}
