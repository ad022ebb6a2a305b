"""System health: what a person asks first when something seems wrong, without an address or a name."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import get_system_health_info

from custom_components.commonwatt.const import DOMAIN, GRACE_POLLS

from .conftest import set_energy
from .fake_cloud import FakeCloud
from .house import MockConfigEntry, entities_source, site_of, subentry
from .test_translations import EN


@pytest.fixture(autouse=True)
async def page(hass: HomeAssistant, expected_logs: list[str]) -> None:
    """Set the page up."""
    expected_logs.append("zlib_ng and isal are not available")
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()


async def health(hass: HomeAssistant) -> dict[str, Any]:
    """Return what stands on the page, answers from the network awaited; each line has words."""
    found: dict[str, Any] = await get_system_health_info(hass, DOMAIN)
    assert found.keys() <= EN["system_health"]["info"].keys()
    if "cloud_reachable" in found:
        found["cloud_reachable"] = await found["cloud_reachable"]
    return found


async def test_a_site_without_a_cloud_tells_of_its_devices_alone(
    hass: HomeAssistant, local: MockConfigEntry, expected_logs: list[str]
) -> None:
    """Nothing is said of a cloud that is not there; a device that falls silent is counted."""
    expected_logs.append("is silent")
    assert await health(hass) == {"sites": 1, "sites_running": 1, "devices": 2, "silent_devices": 0}
    hass.states.async_set("sensor.flat", "unavailable")
    for _ in range(GRACE_POLLS):
        await site_of(local).async_refresh()
    assert (await health(hass))["silent_devices"] == 1
    assert await hass.config_entries.async_unload(local.entry_id)
    assert await health(hass) == {"sites": 1, "sites_running": 0, "devices": 0, "silent_devices": 0}


async def test_a_paired_site_tells_how_it_stands_with_its_cloud(
    hass: HomeAssistant, cloud: FakeCloud, make_paired: Callable[..., MockConfigEntry], expected_logs: list[str]
) -> None:
    """Whether the cloud answers is asked anew; a cloud that does not is named so, and by no address."""
    expected_logs.append("Out of step with the cloud")
    set_energy(hass, {"sensor.grid_in": 1000})
    entry = make_paired(subentry("T1", "meter", source=entities_source("sensor.grid_in")))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    found = await health(hass)
    assert found["cloud_reachable"] == "ok"
    assert (found["sites"], found["sites_running"], found["devices"]) == (1, 1, 1)
    assert found.keys() == EN["system_health"]["info"].keys()
    hass.config_entries.async_update_entry(entry, data={**entry.data, "url": "http://127.0.0.1:9"})
    await hass.async_block_till_done()
    told = await health(hass)
    assert told["cloud_reachable"] == {"type": "failed", "error": "unreachable"}
    assert "127.0.0.1" not in str(told)
