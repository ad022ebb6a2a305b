"""Finding: which devices are SunSpec, where their chain begins, and what they are made of."""

import asyncio

from modbus_connection import ModbusTcpParams
from modbus_connection.tmodbus import ModbusConnection
import pytest

from custom_components.commonwatt.devices.faults import SilentUnit
from custom_components.commonwatt.devices.sunspec import NotSunSpec, SunSpecFound, SunSpecPart, async_find
from custom_components.commonwatt.errors import DeviceError

from ..meter_device import MeterDevice, RawServer
from .conftest import Link
from .definitions import END, MARKER, common, image, kaco, model, pysunspec2
from .server import Device

HYBRID = (common("INV-1", "Maker"), model(103, W=0), model(160, {"IDStr": "StCha 1"}, {"IDStr": "StDisCha 1"}))


async def found_in(link: Link, *models: list[int]) -> SunSpecFound:
    """Serve a chain and return what is found."""
    return await async_find(await link(Device(image(*models))))


def summary(found: SunSpecFound) -> list[tuple[str, tuple[str, ...], str]]:
    """Return the parts in short."""
    return [(part.key, part.kinds, part.label) for part in found.parts]


async def test_a_real_inverter_is_found_with_its_name_and_its_rating(link: Link) -> None:
    """The KACO tells of itself in integers and in floats: it is one inverter, and 860 times ten watts strong."""
    found = await async_find(await link(Device(kaco())))
    assert found.base == 40000
    assert (found.identity.serial, found.identity.manufacturer) == ("8.6TL00000000", "KACO new energy")
    assert (found.identity.model, found.identity.firmware) == ("blueplanet 8.6 TL3 INT", "V5.53")
    assert found.identity.rated_power_w == 8600
    assert found.parts == (SunSpecPart("103", 103, 1, ("tap",), "Inverter", found.identity),)


@pytest.mark.parametrize("base", [0, 40000, 50000])
async def test_the_chain_is_found_at_every_place_where_devices_have_it(link: Link, base: int) -> None:
    """A device refuses the other places, and the next one is tried."""
    found = await async_find(await link(Device(image(common(), model(203, W=1)), base=base)))
    assert (found.base, found.parts[0].key) == (base, "203")


async def test_meters_behind_an_inverter_are_parts_of_their_own(link: Link) -> None:
    """Each has the serial number of the identity block before it; one without a number has the inverter's."""
    found = await found_in(
        link,
        *(common("INV-1", "SolarEdge"), model(103)),
        *(common("MTR-1", "WattNode"), model(203)),
        *(common("", "WattNode"), model(203)),
    )
    assert summary(found) == [
        ("103", ("tap",), "Inverter"),
        ("203", ("meter", "tap"), "Meter"),
        ("203.2", ("meter", "tap"), "Meter 2"),
    ]
    assert [part.identity.serial for part in found.parts] == ["INV-1", "MTR-1", "INV-1"]
    assert found.identity.serial == "INV-1"


@pytest.mark.parametrize(
    ("models", "keys"),
    [
        pytest.param([model(113)], ["113"], id="floats alone"),
        pytest.param([model(113), model(103)], ["103"], id="integers count exactly"),
        pytest.param([model(103), model(701)], ["701"], id="64 bits, and both directions"),
        pytest.param([model(213), model(203)], ["203"], id="a meter in integers"),
        pytest.param([model(701), model(713)], ["701"], id="the inverter of a battery is the battery"),
        pytest.param([model(701), model(713), model(714, {"PrtTyp": 0}, {"PrtTyp": 1})], ["701", "713"], id="ports"),
        pytest.param([model(103), model(802)], ["103", "802"], id="a hybrid with a battery's base model"),
        pytest.param([*HYBRID[1:], model(124)], ["103", "124"], id="a hybrid that has its battery among its inputs"),
        pytest.param([model(103), model(124)], ["103"], id="a battery that tells no power"),
        pytest.param([model(103), model(160, {"IDStr": "MPPT 1"}), model(124)], ["103"], id="no battery connected"),
        pytest.param([model(701), model(714, {"PrtTyp": 0}), model(713)], ["701"], id="no port with a battery"),
    ],
)
async def test_what_several_models_tell_of_is_offered_once(
    link: Link, models: list[list[int]], keys: list[str]
) -> None:
    """The part offered is the one whose model tells best."""
    assert [part.key for part in (await found_in(link, common(), *models)).parts] == keys


async def test_a_battery_inverter_is_a_battery(link: Link) -> None:
    """All power of an inverter with nothing but a battery behind it is the battery's."""
    found = await found_in(link, common(), model(701), model(702, WChaRteMaxRtg=50, W_SF=2), model(704), model(713))
    assert summary(found) == [("701", ("battery",), "Battery")]
    assert found.identity.rated_power_w == 5000


async def test_a_device_model_of_another_library_is_found(link: Link) -> None:
    """The 1547 device of pysunspec2 tells of itself in the newer models."""
    found = await async_find(await link(Device(pysunspec2("device_1547"))))
    assert (found.identity.serial, found.identity.model) == ("sn-123456789", "Test-1547-1")
    assert found.identity.rated_power_w == 10000
    assert [part.key for part in found.parts] == ["701"]


async def test_models_that_tell_of_no_power_are_no_device_for_a_tap(link: Link) -> None:
    """The error names what was found."""
    with pytest.raises(NotSunSpec, match=r"\(1, 120\), but no inverter, meter or battery"):
        await found_in(link, common(), model(120))


async def test_a_model_shorter_than_its_definition_is_not_used(link: Link) -> None:
    """Its points would be those of the model behind it."""
    short = [103, 20, *[1] * 20]
    with pytest.raises(NotSunSpec, match="among them that is whole"):
        await found_in(link, common(), short)


@pytest.mark.parametrize("length", [47, 48 + 20 * 400])
async def test_inputs_that_do_not_fit_their_model_are_left_out(link: Link, length: int) -> None:
    """The inverter beside them is still of use."""
    inputs = [160, length, *[0] * length]
    found = await found_in(link, common(), model(103, W=1), inputs, model(124))
    assert [part.key for part in found.parts] == ["103"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param([0] * 200, "No SunSpec marker", id="another map"),
        pytest.param([0xFFFF] * 200, "No SunSpec marker", id="all ones"),
        pytest.param([*MARKER, *common()], "registers 40070", id="the chain ends without an end"),
        pytest.param([*MARKER, *([7, 0] * 120)], "not terminated", id="a chain without end"),
        pytest.param([*MARKER, 1, 0xFFF0, *[9] * 66], "is no SunSpec", id="a length that leads out of the registers"),
        pytest.param([*MARKER, *END], "no inverter", id="an empty chain"),
        pytest.param(MARKER, "is no SunSpec", id="a marker and nothing else"),
    ],
)
async def test_what_is_no_whole_chain_is_refused_with_the_reason(link: Link, words: list[int], reason: str) -> None:
    """Whoever sets it up reads what was found at which register."""
    with pytest.raises(NotSunSpec, match=reason if reason != "registers 40070" else "40070"):
        await async_find(await link(Device(words)))


async def test_another_modbus_device_is_no_sunspec_device(socket_enabled: None) -> None:
    """A device of our own map answers, and is refused for what it is not."""
    device = MeterDevice()
    await device.start()
    connection = ModbusConnection(ModbusTcpParams(host="127.0.0.1", port=device.port))
    with pytest.raises(NotSunSpec, match="is no SunSpec device, or not at this unit id"):
        await async_find(connection.for_unit(1))
    await connection.close()
    await device.stop()


async def test_a_unit_id_that_nobody_has_is_silence_and_not_another_device(socket_enabled: None) -> None:
    """Nothing is said against what does not answer; and no other place is asked in vain."""
    server = RawServer(b"")
    await server.start()
    connection = ModbusConnection(ModbusTcpParams(host="127.0.0.1", port=server.port))
    unit = connection.for_unit(9)
    unit.require_timeout(0.2)
    with pytest.raises(SilentUnit, match="nothing answers to this unit id"):
        await asyncio.wait_for(async_find(unit), 3)
    await connection.close()
    await server.stop()


async def test_nobody_at_the_address_is_a_line_that_is_down(socket_enabled: None) -> None:
    """A wrong host or port is named as such."""
    server = RawServer(b"")
    await server.start()
    port = server.port
    await server.stop()
    connection = ModbusConnection(ModbusTcpParams(host="127.0.0.1", port=port))
    with pytest.raises(DeviceError, match="line is down") as raised:
        await async_find(connection.for_unit(1))
    assert not isinstance(raised.value, NotSunSpec)
    await connection.close()


async def test_a_device_that_keeps_its_ratings_to_itself_is_found_without_them(link: Link) -> None:
    """What it is built for is told beside; refused, it is not known."""
    words = image(common(), model(103), model(120, WRtg=5, WRtg_SF=3))
    place = 40002 + len(common()) + len(model(103))
    found = await async_find(await link(Device(words, refuses=range(place + 3, place + 20))))
    assert (found.parts[0].key, found.identity.rated_power_w) == ("103", None)


async def test_a_device_that_refuses_its_own_name_is_an_error_in_words(link: Link) -> None:
    """Without an identity it could be any."""
    with pytest.raises(DeviceError, match="refuses a block of its own SunSpec models"):
        await async_find(await link(Device(image(common(), model(103)), refuses=range(40010, 40020))))
