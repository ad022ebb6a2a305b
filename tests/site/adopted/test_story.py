"""A plug of another integration as a tap: measured, renamed, read in another unit, switched, and away for a while."""

from collections.abc import Callable
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import UnitOfEnergy
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component

from custom_components.commonwatt.flows import adopt
from custom_components.commonwatt.flows.pairing import FormErrors

from ..house import MockConfigEntry, site_of, subentry
from .plug import Reading, plugged_in, socket

type Maker = Callable[..., MockConfigEntry]


async def site_with_plug(hass: HomeAssistant, make_local: Maker, plug: MockConfigEntry, **more: Any) -> MockConfigEntry:
    """Run a site whose tap T1 is what the dialogue makes of the plug."""
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), plug.entry_id)
    found = FormErrors()
    source = adopt.check(hass, "tap", dict(adopt.picked(hass, "tap", device.id).form) | more, found)
    assert not found
    site = make_local(subentry("T1", source=source, rated_power_w=3680))
    assert await hass.config_entries.async_setup(site.entry_id)
    await hass.async_block_till_done()
    return site


async def poll(hass: HomeAssistant, site: MockConfigEntry, clock: FrozenDateTimeFactory, times: int = 1) -> Any:
    """Poll every five seconds; return the tap's state."""
    for _ in range(times):
        clock.tick(5)
        await site_of(site).async_refresh()
    await hass.async_block_till_done()
    return site_of(site).data.taps["T1"]


def import_of(entities: dict[str, list[Any]]) -> Reading:
    """Return the sensor that counts what is taken."""
    found = next(item for item in entities["sensor"] if item.unique_id == "total_energy_import_kwh")
    assert isinstance(found, Reading)
    return found


async def test_a_plug_measures_through_every_change_of_its_entities(
    hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory
) -> None:
    """A new name and another unit, chosen by a person in the middle of a day, are no energy."""
    entities = socket()
    plug = await plugged_in(hass, entities)
    site = await site_with_plug(hass, make_local, plug)
    tap = await poll(hass, site, clock)
    assert (tap.reading.import_wh, tap.reading.export_wh, tap.power_w) == (10_830_511, 2_948_827, 123)
    assert tap.values == {"voltage_v": 231.5}

    registry = er.async_get(hass)
    registry.async_update_entity("sensor.solar_pump_energy_import", new_entity_id="sensor.taken")
    registry.async_update_entity_options("sensor.taken", "sensor", {"unit_of_measurement": UnitOfEnergy.WATT_HOUR})
    await hass.async_block_till_done()
    state = hass.states.get("sensor.taken")
    assert state is not None
    assert state.attributes["unit_of_measurement"] == "Wh"
    tap = await poll(hass, site, clock)
    assert tap.reading.import_wh == 10_830_511
    import_of(entities).say(10830.512)
    tap = await poll(hass, site, clock)
    assert tap.reading.import_wh == 10_830_512
    assert tap.reset_at_ms == 0


async def test_a_plug_that_is_away_is_silent_and_never_at_zero(
    hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory, expected_logs: list[str]
) -> None:
    """Its integration is unloaded and loaded again; what it counted meanwhile counts."""
    expected_logs.append("is silent")
    entities = socket()
    plug = await plugged_in(hass, entities)
    site = await site_with_plug(hass, make_local, plug)
    await poll(hass, site, clock)
    assert await hass.config_entries.async_unload(plug.entry_id)
    tap = await poll(hass, site, clock, 3)
    assert tap.silent
    assert tap.reading.import_wh == 10_830_511
    entities |= socket()
    import_of(entities)._attr_native_value = 10830.513
    assert await hass.config_entries.async_setup(plug.entry_id)
    tap = await poll(hass, site, clock)
    assert not tap.silent
    assert tap.reading.import_wh == 10_830_513


async def test_a_plug_that_is_exchanged_goes_on_where_the_first_one_stood(
    hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory, expected_logs: list[str]
) -> None:
    """The new one shows what it was tested with: more than this tap carries in the time, so it is not counted."""
    expected_logs.append("sensor.solar_pump_energy_import is another counter now: nothing is counted up to 1.204")
    entities = socket()
    plug = await plugged_in(hass, entities)
    site = await site_with_plug(hass, make_local, plug)
    await poll(hass, site, clock)
    import_of(entities).say(1.204)
    await poll(hass, site, clock, 4)
    import_of(entities).say(1.207)
    tap = await poll(hass, site, clock)
    assert tap.reading.import_wh == 10_830_514


async def test_a_utility_meter_of_the_day_is_a_register_for_ever(
    hass: HomeAssistant, make_local: Maker, clock: FrozenDateTimeFactory
) -> None:
    """Home Assistant's own utility meter, calibrated to zero as its day ends."""
    counting = {
        "device_class": SensorDeviceClass.ENERGY,
        "state_class": SensorStateClass.TOTAL_INCREASING,
        "native_unit_of_measurement": UnitOfEnergy.KILO_WATT_HOUR,
    }
    total = Reading("total", "Total", 100, **counting)
    plug = await plugged_in(hass, {"sensor": [total]})
    meter = {"utility_meter": {"today": {"source": "sensor.solar_pump_total", "periodically_resetting": False}}}
    assert await async_setup_component(hass, "utility_meter", meter)
    await hass.async_block_till_done()
    total.say(102)
    await hass.async_block_till_done()
    site = await site_with_plug(hass, make_local, plug, import_entity="sensor.today")
    registers = [(await poll(hass, site, clock)).reading.import_wh]
    await hass.services.async_call(
        "utility_meter", "calibrate", {"entity_id": "sensor.today", "value": "0"}, blocking=True
    )
    for shown in (102, 102, 102, 102.003):
        total.say(shown)
        await hass.async_block_till_done()
        registers.append((await poll(hass, site, clock)).reading.import_wh)
    assert registers == [2000, 2000, 2000, 2000, 2003]
