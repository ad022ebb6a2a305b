"""Adopted entities and register profiles: units, silence, and files that say nonsense."""

import json
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.commonwatt.devices.absent import AbsentDevice
from custom_components.commonwatt.devices.adopted import AdoptedDevice
from custom_components.commonwatt.devices.profile import FOLDER, load_profiles, parse_profile
from custom_components.commonwatt.errors import DeviceError


def show(hass: HomeAssistant, entity_id: str, state: str, unit: str | None) -> None:
    """Set a sensor."""
    hass.states.async_set(entity_id, state, {} if unit is None else {"unit_of_measurement": unit})


@pytest.mark.parametrize(
    ("state", "unit", "expected_wh"),
    [("1.5", "kWh", 1500), ("7", "Wh", 7), ("0.002", "MWh", 2000), ("3.6", "MJ", 1000)],
)
async def test_every_unit_of_energy_becomes_wh(hass: HomeAssistant, state: str, unit: str, expected_wh: float) -> None:
    """Home Assistant's own converters know them."""
    show(hass, "sensor.energy", state, unit)
    reading = (await AdoptedDevice(hass, "sensor.energy", None, None).async_read()).raw
    assert reading.import_wh == pytest.approx(expected_wh)
    assert (reading.export_wh, reading.power_w) == (0, None)


async def test_power_in_kw_becomes_w_and_may_be_missing(hass: HomeAssistant) -> None:
    """Energy is what is settled: a power sensor that is away costs no reading."""
    show(hass, "sensor.energy", "1", "kWh")
    show(hass, "sensor.power", "-1.5", "kW")
    meter = AdoptedDevice(hass, None, "sensor.energy", "sensor.power")
    reading = (await meter.async_read()).raw
    assert (reading.import_wh, reading.export_wh, reading.power_w) == (0, 1000, -1500)
    show(hass, "sensor.power", "unavailable", "kW")
    assert (await meter.async_read()).raw.power_w is None


@pytest.mark.parametrize(
    ("state", "unit"),
    [("unavailable", "kWh"), ("unknown", "kWh"), ("", "kWh"), ("nan", "kWh"), ("inf", "kWh"), ("5", "m³"), ("5", None)],
)
async def test_what_is_no_energy_is_silence_and_never_zero(hass: HomeAssistant, state: str, unit: str | None) -> None:
    """A zero would be a reset meter."""
    show(hass, "sensor.energy", state, unit)
    with pytest.raises(DeviceError):
        await AdoptedDevice(hass, "sensor.energy", None, None).async_read()


async def test_an_entity_that_is_gone_is_silent(hass: HomeAssistant) -> None:
    """By entity id, or by the id of a registry entry that was deleted."""
    for reference in ("sensor.gone", "0123456789abcdef0123456789abcdef"):
        with pytest.raises(DeviceError, match="does not exist"):
            await AdoptedDevice(hass, reference, None, None).async_read()


async def test_an_absent_meter_says_why() -> None:
    """It stands in for one that cannot be linked."""
    with pytest.raises(DeviceError, match="no link"):
        await AbsentDevice("no link").async_read()


def profile(**changed: Any) -> dict[str, Any]:
    """Return a small sound profile but for what is changed."""
    return {
        "label": "Meter",
        "manufacturer": None,
        "model": None,
        "source": "none",
        "space": "input",
        "max_gap": 0,
        "identity": [],
        "fields": {"import_wh": {"address": 0, "type": "uint32"}},
    } | changed


def test_every_profile_names_its_source_and_has_an_energy_register() -> None:
    """Register maps are claims about devices; where each comes from stands beside it."""
    profiles = load_profiles()
    assert set(profiles) == {path.stem for path in FOLDER.glob("*.json")} == {"commonwatt_tap", "eastron_sdm630"}
    for read in profiles.values():
        assert read.source
        assert read.label


@pytest.mark.parametrize("kind", ["uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"])
def test_every_kind_of_number_can_be_a_register(kind: str) -> None:
    """A new meter needs a file and no code."""
    parse_profile("new", profile(fields={"export_wh": {"address": 0, "type": kind}}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"fields": {"import_wh": {"address": 0, "type": "uint24"}}},
        {"fields": {"import_wh": {"address": 0, "type": "uint32", "colour": "red"}}},
        {"fields": {"import_wh": {"type": "uint32"}}},
        {"fields": {"power_w": {"address": 0, "type": "uint32"}}},
        {"fields": {"import_wh": {"address": 0, "type": "uint32"}, "voltage": {"address": 2, "type": "uint16"}}},
        {"identity": [{"address": 0, "type": "float16", "equals": 1}]},
    ],
)
def test_a_profile_that_says_nonsense_is_named(wrong: dict[str, Any]) -> None:
    """The file's key is in the error, so that its author finds it."""
    with pytest.raises(ValueError, match="profile"):
        parse_profile("broken", json.loads(json.dumps(profile(**wrong))))


def test_a_profile_without_a_member_is_named() -> None:
    """Nothing is guessed."""
    data = profile()
    del data["source"]
    with pytest.raises(ValueError, match="profile broken: KeyError"):
        parse_profile("broken", data)
