"""Contact: devices that fall silent, are exchanged, move their models, or fail in the middle of a poll."""

import asyncio
import time

from modbus_connection import ModbusTcpParams
from modbus_connection.mock import MockModbusConnection
from modbus_connection.tmodbus import ModbusConnection
import pytest

from custom_components.commonwatt.devices.faults import SilentUnit, WrongDevice
from custom_components.commonwatt.devices.patience import Bus
from custom_components.commonwatt.devices.port import Dumps, Identified
from custom_components.commonwatt.devices.sunspec import NotSunSpec, SunSpecDevice
from custom_components.commonwatt.errors import DeviceError

from ..conftest import EXPECTED_LOGS
from ..meter_device import RawServer
from .conftest import Link
from .definitions import common, image, kaco, model
from .server import Device


@pytest.fixture
def expected_logs() -> list[str]:
    """Expect the lines that are cut here on purpose."""
    return [*EXPECTED_LOGS, "connection lost due to error"]


def meter(import_wh: int = 9, power_w: int = 1) -> list[int]:
    """Return the words of a meter."""
    return model(203, W=power_w, W_SF=0, TotWhImp=import_wh, TotWh_SF=0)


async def test_a_device_that_was_away_is_found_again(link: Link) -> None:
    """It is met anew, and read on."""
    device = Device(image(common(), meter()))
    read_by = SunSpecDevice(await link(device), "203", "SN-1")
    assert (await read_by.async_read()).raw.import_wh == 9
    await device.stop()
    with pytest.raises(DeviceError, match="line is down"):
        await read_by.async_read()
    await device.start()
    assert (await read_by.async_read()).raw.import_wh == 9


async def test_a_line_that_was_cut_costs_one_read_more(link: Link) -> None:
    """Devices that hang up after every answer are not asked for their whole chain each time."""
    device = Device(kaco())
    read_by = SunSpecDevice(await link(device), "103", "8.6TL00000000")
    await read_by.async_read()
    read_by.doubt()
    device.reads.clear()
    await read_by.async_read()
    assert device.reads == [(40002, 66), (40070, 33)]


async def test_a_device_whose_identity_moved_is_scanned_again(link: Link) -> None:
    """Another chain stands there after the line was cut: nothing of the old one is believed."""
    device = Device([*image(common(), meter()), 0, 0])
    read_by = SunSpecDevice(await link(device), "203", "SN-1")
    await read_by.async_read()
    read_by.doubt()
    device.words[:] = image([7, 0], common(), meter(10))
    assert (await read_by.async_read()).raw.import_wh == 10


async def test_a_device_without_an_identity_block_is_scanned_again(link: Link) -> None:
    """Nothing but its chain says that it is the one from before."""
    device = Device(image(meter()))
    read_by = SunSpecDevice(await link(device), "203", None)
    assert (await read_by.async_read()).raw.import_wh == 9
    read_by.doubt()
    device.reads.clear()
    assert (await read_by.async_read()).raw.import_wh == 9
    assert device.reads[0] == (40000, 2)


async def test_another_device_at_the_same_address_is_never_believed(link: Link) -> None:
    """It took the place of the first while the line was down; the first is taken back."""
    device = Device(image(common("SN-1"), meter(9)))
    read_by = SunSpecDevice(await link(device), "203", "SN-1")
    await read_by.async_read()
    for serial, expected in (("SN-2", False), ("", False), ("SN-1", True)):
        await device.stop()
        device.words[:] = image(common(serial), meter(5))
        await device.start()
        if expected:
            assert (await read_by.async_read()).raw.import_wh == 5
        else:
            with pytest.raises(WrongDevice, match="another serial number"):
                await read_by.async_read()


async def test_a_read_given_up_while_the_device_is_asked_its_name_believes_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A poll has its time; the next one asks again, before another device's registers are taken for this one's."""
    unit = MockModbusConnection().for_unit(1)
    unit.holding[40000] = image(common(), meter())
    read_by = SunSpecDevice(unit, "203", "SN-1")
    assert (await read_by.async_read()).raw.import_wh == 9
    unit.holding[40000] = image(common(serial="SN-2"), meter(10))
    read_by.doubt()
    read, asked = unit.read_holding_registers, asyncio.Event()

    async def hang(address: int, count: int) -> list[int]:
        asked.set()
        await asyncio.Event().wait()
        return await read(address, count)

    monkeypatch.setattr(unit, "read_holding_registers", hang)
    given_up = asyncio.create_task(read_by.async_read())
    await asked.wait()
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    monkeypatch.undo()
    with pytest.raises(WrongDevice):
        await read_by.async_read()


@pytest.mark.parametrize(
    "other", [common("", "Maker", "Model 2"), common("", "Other", "Model 1"), common("SN-9", "Maker", "Model 1")]
)
async def test_a_device_without_a_serial_number_is_known_by_its_name(link: Link, other: list[int]) -> None:
    """Another make in its place is refused as long as this site runs."""
    device = Device(image(common("", "Maker", "Model 1"), meter()))
    read_by = SunSpecDevice(await link(device), "203", None)
    await read_by.async_read()
    read_by.doubt()
    device.words[:] = image(other, meter())
    with pytest.raises(WrongDevice, match="another device than the one that answered before"):
        await read_by.async_read()


async def test_models_that_moved_are_looked_for_at_once(link: Link) -> None:
    """New firmware adds a model before the one that is read: no value of the wrong place is taken."""
    device = Device([*image(common(), meter(9)), *[0] * 100])
    read_by = SunSpecDevice(await link(device), "203", "SN-1")
    await read_by.async_read()
    device.words[:] = [*image(common(), model(120), meter(10)), *[0] * 70]
    assert (await read_by.async_read()).raw.import_wh == 10


async def test_what_is_read_seldom_is_read_at_once_from_a_device_met_anew(link: Link) -> None:
    """What the inputs gave before is not repeated."""
    inverter = model(103, W=1, W_SF=0, WH=9, WH_SF=0)
    device = Device([*image(common(), inverter, model(160, {"DCW": 5}, DCW_SF=0)), *[0] * 100])
    read_by = SunSpecDevice(await link(device), "103", "SN-1")
    assert (await read_by.async_read()).values["dc_power_1_w"] == 5
    device.words[:] = [*image(common(), model(120), inverter, model(160, {"DCW": 7}, DCW_SF=0)), *[0] * 72]
    assert (await read_by.async_read()).values["dc_power_1_w"] == 7


async def test_a_part_that_is_gone_is_named(link: Link) -> None:
    """Whoever looks after the site reads what is there instead."""
    device = Device(image(common(), meter(), model(103)))
    with pytest.raises(DeviceError, match=r"no longer has the SunSpec model 203\.2; it has 203, 103"):
        await SunSpecDevice(await link(device), "203.2", "SN-1").async_read()


@pytest.mark.parametrize("part", ["", "nonsense", "0.1", "-1"])
async def test_a_part_that_never_was_is_named_as_well(link: Link, part: str) -> None:
    """A setting that was edited by hand breaks nothing but itself."""
    read_by = SunSpecDevice(await link(Device(image(common(), meter()))), part, "SN-1")
    assert read_by.quantities == frozenset()
    with pytest.raises(DeviceError, match="no longer has the SunSpec model"):
        await read_by.async_read()


async def test_a_block_that_fails_half_way_gives_nothing(link: Link) -> None:
    """Of a battery whose second model is refused, the first is not told either."""
    head = 40002 + len(common()) + len(model(701))
    device = Device(image(common(), model(701, W=5, W_SF=0), model(713, SoC=50, Pct_SF=0)))
    read_by = SunSpecDevice(await link(device), "701", "SN-1")
    await read_by.async_read()
    device.refuses = range(head + 2, head + 9)
    with pytest.raises(DeviceError, match="refuses a block of its own SunSpec models"):
        await read_by.async_read()
    device.refuses = range(0)
    assert (await read_by.async_read()).values == {"soc_percent": 50}


async def test_a_chain_that_became_garbage_is_no_device(link: Link) -> None:
    """A device that starts answers with anything at the place of its models."""
    device = Device(kaco())
    read_by = SunSpecDevice(await link(device), "103", None)
    await read_by.async_read()
    device.words[2:] = [0x1234] * (len(device.words) - 2)
    with pytest.raises(NotSunSpec):
        await read_by.async_read()
    device.words[:] = kaco()
    assert (await read_by.async_read()).raw.power_w == -1000


async def test_a_silent_unit_is_asked_ever_less_often(socket_enabled: None) -> None:
    """It must not take the time of the others on its line, and only one of the places is asked in vain."""
    server = RawServer(b"")
    await server.start()
    connection = ModbusConnection(ModbusTcpParams(host="127.0.0.1", port=server.port))
    now = [100.0]
    read_by = SunSpecDevice(connection.for_unit(9), "203", None, Bus(lambda: now[0]))
    connection.for_unit(9).require_timeout(0.05)
    asked = []
    for _ in range(4):
        started = time.monotonic()
        with pytest.raises(SilentUnit, match="nothing answers to this unit id"):
            await read_by.async_read()
        asked.append(time.monotonic() - started > 0.04)
    assert asked == [True, True, False, False]
    await connection.close()
    await server.stop()


async def test_it_tells_which_device_it_is_and_what_it_holds(link: Link) -> None:
    """The words it gives away do not name it: its identity block is not among them."""
    read_by = SunSpecDevice(await link(Device(kaco())), "103", None)
    assert isinstance(read_by, Identified)
    before = read_by.identity
    identity = await read_by.async_identify()
    assert (before, read_by.identity) == (None, identity)
    assert (identity.serial, identity.rated_power_w) == ("8.6TL00000000", 8600)
    assert isinstance(read_by, Dumps)
    words = (await read_by.async_dump())["holding"]
    assert words == dict(enumerate(kaco()[70:103], 40070))
