"""Pairing as a person does it, with the real cloud: wrong codes, a cloud that is not there, and pairing again."""

import time
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from demo.community import MAIN_OWNER

from .conftest import Cloud, add_devices, boundary_after, free_port, pair, settled, until


async def open_dialogue(hass: HomeAssistant) -> str:
    """Open the pairing dialogue; return its id."""
    flow = await hass.config_entries.flow.async_init("commonwatt", context={"source": "user"})
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"next_step_id": "pair"})
    return flow["flow_id"]


async def test_wrong_inputs_are_told_and_the_right_one_still_works(hass: HomeAssistant, cloud: Cloud) -> None:
    """No cloud at the address, a code nobody issued, a good code, and the same code a second time."""
    dialogue = await open_dialogue(hass)
    code = await cloud.operator.pairing_code(MAIN_OWNER, 1)

    async def submit(**changes: Any) -> Any:
        form = {"url": cloud.url, "code": code, "name": "Home", "send_place": False} | changes
        return await hass.config_entries.flow.async_configure(dialogue, form)

    assert (await submit(url=f"http://127.0.0.1:{free_port()}"))["errors"] == {"base": "cannot_connect"}
    assert (await submit(url="ftp://example"))["errors"] == {"url": "invalid_url"}
    assert (await submit(code="ABCD-EFGH-JKMN-PQRS"))["errors"] == {"base": "code_refused"}
    # typed as people type: lower case, spaces for dashes
    assert (await submit(code=code.lower().replace("-", " ")))["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()

    dialogue = await open_dialogue(hass)
    assert (await submit())["errors"] == {"base": "code_refused"}, "a code works once"
    assert len(hass.config_entries.async_entries("commonwatt")) == 1
    hass.config_entries.flow.async_abort(dialogue)


async def test_guessing_codes_is_slowed_down(hass: HomeAssistant, cloud: Cloud) -> None:
    """After ten wrong codes the dialogue says how long to wait, and a right code does not help before."""
    dialogue = await open_dialogue(hass)
    code = await cloud.operator.pairing_code(MAIN_OWNER, 1)
    form = {"url": cloud.url, "name": "Home", "send_place": False}
    for _ in range(10):
        flow = await hass.config_entries.flow.async_configure(dialogue, form | {"code": "ABCD-EFGH-JKMN-PQRS"})
        assert flow["errors"] == {"base": "code_refused"}
    flow = await hass.config_entries.flow.async_configure(dialogue, form | {"code": code})
    assert flow["errors"] == {"base": "too_many_tries"}
    hass.config_entries.flow.async_abort(dialogue)


async def test_a_site_whose_credentials_ended_pairs_again_as_the_same_site(
    hass: HomeAssistant, cloud: Cloud, house: Any
) -> None:
    """The dialogue opens by itself; one new code, and the same key goes on with the same chain."""
    entry = await pair(hass, cloud)
    await add_devices(hass, entry, house)
    await settled(cloud, boundary_after(time.time()))
    site = entry.data["site"]
    hass.config_entries.async_update_entry(entry, data={**entry.data, "client_secret": "x" * 43})
    await hass.config_entries.async_reload(entry.entry_id)

    async def asked() -> str | None:
        flows = hass.config_entries.flow.async_progress_by_handler("commonwatt")
        return next((flow["flow_id"] for flow in flows if flow["context"]["source"] == "reauth"), None)

    dialogue = await until(asked, "nobody asked to pair again")
    code = await cloud.operator.pairing_code(MAIN_OWNER, 1)
    flow = await hass.config_entries.flow.async_configure(dialogue, {"code": code})
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["site"] == site
    await settled(cloud, boundary_after(time.time()))
    assert (await cloud.operator.proof())["energy_sum_wh"] == 0
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_home_without_a_cloud_measures_and_nets(hass: HomeAssistant, house: Any) -> None:
    """Nothing is sent anywhere; owners are names typed in, and every interval is netted on the spot."""
    flow = await hass.config_entries.flow.async_init("commonwatt", context={"source": "user"})
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"next_step_id": "local"})
    form = {"name": "Cabin", "main_owner": "Anna", "interval_seconds": "60"}
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], form)
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    entry: ConfigEntry[Any] = flow["result"]
    await hass.async_block_till_done()
    await add_devices(hass, entry, house)
    power = hass.states.get("sensor.main_meter_power")
    assert power is not None
    assert power.state not in ("unknown", "unavailable")
    assert {"anna", "ben", "sun"} <= set(entry.runtime_data.coordinator.owners)
    await hass.config_entries.async_unload(entry.entry_id)
