"""Diagnostics help to find a fault and betray nobody: held by canaries in every secret and private word."""

from collections.abc import Callable
import json

from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest

from custom_components.commonwatt.const import DOMAIN
from custom_components.commonwatt.devices.port import QUANTITIES, DeviceIdentity, Kind, Range
from custom_components.commonwatt.diagnostics import (
    TOLD,
    WITHHELD,
    async_get_config_entry_diagnostics,
    async_get_device_diagnostics,
)

from .conftest import set_energy
from .fake_cloud import FakeCloud
from .house import MockConfigEntry, entities_source, key_files, modbus_source, site_of, subentry
from .told_device import ToldDevice, device_of, stand_in

CANARIES = {"client_id": "canary-client", "client_secret": "canary-secret", "community": "canary-community"}


async def test_diagnostics_hold_no_secret_and_no_private_word(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Callable[..., MockConfigEntry], clock: object
) -> None:
    """No key, credential, address, serial number, name, entity or place is in them."""
    cloud.owners = {"anna": "Anna Canary", "canary-owner": "Canary Owner"}
    set_energy(hass, {"sensor.canary_entity": 1000})
    entry = make_paired(
        subentry("T1", "meter", source=entities_source("sensor.canary_entity")),
        subentry("T2", owner="canary-owner", source=modbus_source(1, "canary-serial") | {"host": "127.0.0.1"}),
        **CANARIES,
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    text = json.dumps(await async_get_config_entry_diagnostics(hass, entry))
    [line, _] = [file.read_text() for file in key_files(hass, entry)]
    secrets = [
        *line.split()[1:],
        entry.data["cloud_key"],
        cloud.url,
        cloud.site,
        entry.title,
        "127.0.0.1",
        "Main meter",
    ]
    for secret in [*CANARIES.values(), *secrets, str(hass.config.latitude), "anna"]:
        assert secret not in text
    assert "canary" not in text.lower()


async def test_diagnostics_tell_how_the_site_is_built_and_fares(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """The tree, the registers and what was closed last are there."""
    told = await async_get_config_entry_diagnostics(hass, local)
    assert told["has_cloud"] is False
    assert told["cloud"] is None
    assert (told["interval_seconds"], told["poll_seconds"]) == (60, 5)
    assert told["owners"] == {"owner_1": {"last_wh": None, "total_wh": 0}, "owner_2": {"last_wh": None, "total_wh": 0}}
    assert told["taps"]["T2"]["parent"] == "T1"
    assert told["taps"]["T2"]["owner"] == "owner_2"
    assert told["taps"]["T1"]["reading"]["import_wh"] == 1000
    assert set(told["taps"]) == set(site_of(local).taps)


PRIVATE = {"site_id", "latitude", "longitude", "vehicle_id", "user_id"}


def tap_device(hass: HomeAssistant, entry: MockConfigEntry, tap: str) -> dr.AnyDeviceEntry:
    """Return the device of a tap, or of whatever else is named like one."""
    identifier = (DOMAIN, f"{entry.data['key_id']}_{tap}" if tap else entry.data["key_id"])
    device = dr.async_get(hass).async_get_device_by_identifier(identifier, entry.entry_id)
    assert device is not None
    return device


def test_every_quantity_is_either_told_or_private() -> None:
    """A new one is withheld until somebody has thought about it."""
    assert QUANTITIES - TOLD == PRIVATE


@pytest.mark.parametrize("kind", ["tap", "meter", "charger", "cable", "battery"])
async def test_diagnostics_of_a_device_betray_nobody(
    hass: HomeAssistant,
    make_local: Callable[..., MockConfigEntry],
    monkeypatch: pytest.MonkeyPatch,
    clock: object,
    kind: Kind,
) -> None:
    """Everything it tells is listed; places, people, names, serial numbers and words a person made are not."""
    device = device_of(kind)
    device.identity = DeviceIdentity("canary-serial", 7000, "Maker", "Model", "1.0", "canary-key")
    words = {"site_id": "canary-site", "vehicle_id": "canary-car", "user_id": "canary-user", "mode": "canary-mode"}
    device.values |= {name: word for name, word in words.items() if name in device.values}
    device.commands |= {"mode": Range(options=("canary-mode", "canary-other"))}
    device.registers = {"holding": {40: 230, 41: 65535}}
    stand_in(monkeypatch, {"T1": device})
    source = entities_source("sensor.canary_entity")
    entry = make_local(subentry("T1", kind, source=source, owner="canary-owner", owner_name="Canary Owner"))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    told = await async_get_device_diagnostics(hass, entry, tap_device(hass, entry, "T1"))
    text = json.dumps(told)
    assert "canary" not in text.lower()
    for place in (35.6586, 139.7454):
        assert str(place) not in text
    assert told["values"].keys() == device.values.keys()
    assert {name for name, value in told["values"].items() if value == WITHHELD} <= PRIVATE | {"mode"}
    assert told["values"]["voltage_v"] == 230.4
    assert told["commands"]["mode"]["options"] == 2
    assert told["registers"] == {"holding": {"40": 230, "41": 65535}}
    whole = await async_get_config_entry_diagnostics(hass, entry)
    assert whole["taps"]["T1"]["values"] == told["values"]


async def test_diagnostics_of_a_silent_device_say_that_it_is_silent(
    hass: HomeAssistant, make_local: Callable[..., MockConfigEntry], monkeypatch: pytest.MonkeyPatch, clock: object
) -> None:
    """Its reason may hold an address, so it stays in the log."""
    stand_in(monkeypatch, {"T1": ToldDevice(silent=True)})
    entry = make_local(subentry("T1", source=entities_source("sensor.any")))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    told = await async_get_device_diagnostics(hass, entry, tap_device(hass, entry, "T1"))
    assert told["registers"] == {"error": "no answer"}
    assert "192.0.2.7" not in json.dumps(told)


async def test_diagnostics_of_owner_and_site_tell_theirs(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """An owner's energy without the name; at the site's own device all there is; registers where a device has some."""
    owner = await async_get_device_diagnostics(hass, local, tap_device(hass, local, "owner_ben"))
    assert owner == {"owner": "owner_2", "last_wh": None, "total_wh": 0}
    site = await async_get_device_diagnostics(hass, local, tap_device(hass, local, ""))
    assert site == await async_get_config_entry_diagnostics(hass, local)
    tap = await async_get_device_diagnostics(hass, local, tap_device(hass, local, "T2"))
    assert tap["registers"] is None
