"""Diagnostics help to find a fault and betray nobody: held by canaries in every secret and private word."""

from collections.abc import Callable
import json

from homeassistant.core import HomeAssistant

from custom_components.commonwatt.diagnostics import async_get_config_entry_diagnostics

from .conftest import set_energy
from .fake_cloud import FakeCloud
from .house import MockConfigEntry, entities_source, key_files, modbus_source, site_of, subentry

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
