"""Battery profiles against recordings of real inverters: what they show is what another program decoded."""

import json
from pathlib import Path

from homeassistant.components.modbus import async_get_temporary_unit
from homeassistant.core import HomeAssistant
import pytest

from custom_components.commonwatt.devices.line import TcpLine, line_params
from custom_components.commonwatt.devices.modbus import ModbusDevice
from custom_components.commonwatt.devices.profile import load_profiles

from ..register_device import RegisterServer, RegisterUnit

RECORDINGS = json.loads((Path(__file__).parents[2] / "data" / "goodwe_battery" / "recordings.json").read_bytes())
SERIAL = [0x3935] * 8  # "95" eight times: the recordings have it in another block


def recorded(name: str) -> RegisterUnit:
    """Return an inverter with the words of its recorded frames."""
    unit = RegisterUnit({})
    unit.put("holding", 35_003, *SERIAL)
    for block, address in (("running_data", 35_100), ("battery_info", 37_000)):
        if (text := RECORDINGS[name][block]) is not None:
            # two bytes before the frame of unit F7h, its function and length; a checksum after it
            frame = bytes.fromhex(text)
            assert frame[:4] == bytes.fromhex("aa55f703")
            words = frame[5 : 5 + frame[4]]
            unit.put("holding", address, *(int.from_bytes(words[at : at + 2]) for at in range(0, len(words), 2)))
    return unit


@pytest.mark.parametrize("name", RECORDINGS)
async def test_a_goodwe_battery_shows_what_its_recording_decodes_to(
    hass: HomeAssistant, socket_enabled: None, name: str
) -> None:
    """Charging is import and positive, as of any load; an inverter that hides its battery's charge still counts."""
    unit, decoded = recorded(name), RECORDINGS[name]["decoded"]
    server = RegisterServer({247: unit})
    await server.start()
    async with async_get_temporary_unit(hass, line_params(TcpLine("127.0.0.1", server.port)), 247) as link:
        device = ModbusDevice(link, load_profiles()["goodwe_et_battery"], None)
        await device.async_identify()
        unit.reads.clear()
        answer = await device.async_read()
    await server.stop()
    assert answer.raw.power_w == -decoded["pbattery1"]
    assert answer.raw.power_w is not None
    assert (answer.raw.power_w > 0) == (decoded["battery_mode_label"] == "Charge")
    assert answer.raw.import_wh == pytest.approx(decoded["e_bat_charge_total"] * 1000)
    assert answer.raw.export_wh == pytest.approx(decoded["e_bat_discharge_total"] * 1000)
    assert answer.values.get("soc_percent") == decoded.get("battery_soc")
    assert len(unit.reads) <= 2


def test_every_makers_battery_profile_is_proved_here() -> None:
    """A profile of a maker's battery without a recording is a claim without a proof."""
    makers = {key for key, profile in load_profiles().items() if "battery" in profile.kinds and profile.manufacturer}
    assert makers == {"goodwe_et_battery"}
