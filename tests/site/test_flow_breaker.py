"""Choosing a tap's breaker, and what is never cut off."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest

from .house import MockConfigEntry, entity_id, modbus_source, site_of, subentry
from .meter_device import MeterDevice
from .test_flow_tap import Make, begin, change, subentry_of, submit

DETAILS = {"name": "Flat", "owner": "anna", "upstream": "grid"}


async def test_a_tap_gets_a_breaker_and_loses_it(hass: HomeAssistant, local: MockConfigEntry) -> None:
    """The switch is kept by its registry id, so that a new name costs nothing; an empty field is none."""
    registry = er.async_get(hass)
    plug = registry.async_get_or_create("switch", "demo", "1", suggested_object_id="plug")
    flow_id = await change(hass, local, "T2", "details")
    await submit(hass, flow_id, **DETAILS, more_options={"breaker_entity": plug.entity_id, "essential": True})
    await hass.async_block_till_done()
    assert subentry_of(local, "T2").data["breaker_entity"] == plug.id
    tap = site_of(local).taps["T2"]
    assert (tap.breaker_entity, tap.essential) == (plug.id, True)
    assert local.runtime_data.breakers.keys() == {"T2"}
    assert local.runtime_data.supply is None, "without a cloud nobody's credit is known"

    await submit(hass, await change(hass, local, "T2", "details"), **DETAILS)
    await hass.async_block_till_done()
    assert site_of(local).taps["T2"].essential is True, "what is not sent stays"
    flow_id = await change(hass, local, "T2", "details")
    await submit(hass, flow_id, **DETAILS, more_options={"essential": False})
    await hass.async_block_till_done()
    tap = site_of(local).taps["T2"]
    assert (tap.breaker_entity, tap.essential) == (None, False)
    assert local.runtime_data.breakers == {}


async def test_a_switch_that_cannot_be_a_breaker_is_refused(
    hass: HomeAssistant, make_local: Make, device: MeterDevice
) -> None:
    """One that does not exist, and our own, which the tap has anyway."""
    entry = make_local(subentry("T1", "tap", source=modbus_source(device.port)))
    assert await hass.config_entries.async_setup(entry.entry_id)
    own = entity_id(hass, "switch", entry, "T1_breaker")
    flow_id = await change(hass, entry, "T1", "details")
    for chosen, error in (("switch.gone", "breaker_gone"), (own, "breaker_own")):
        result = await submit(hass, flow_id, **DETAILS, more_options={"breaker_entity": chosen})
        assert result["errors"] == {"base": error}


@pytest.mark.parametrize(("kind", "offered"), [("tap", True), ("meter", False)])
async def test_a_meter_has_no_breaker(hass: HomeAssistant, local: MockConfigEntry, kind: str, offered: bool) -> None:
    """It feeds the whole site."""
    hass.states.async_set("sensor.new", "1", {"unit_of_measurement": "Wh", "device_class": "energy"})
    form = await submit(hass, await begin(hass, local, kind, "entities"), import_entity="sensor.new")
    schema = form["data_schema"]
    assert schema is not None
    assert ("more_options" in schema.schema) is offered
