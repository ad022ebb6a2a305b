"""An integration like those of smart plugs and chargers: real entities of one device, on platforms of its own."""

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.components.switch import SwitchEntity
from homeassistant.components.switch.const import SwitchDeviceClass
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EntityCategory, UnitOfElectricPotential, UnitOfEnergy, UnitOfPower
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    MockPlatform,
    mock_integration,
    mock_platform,
)

PLUG = "plug"
TOLD = Path(__file__).parents[2] / "data" / "energy_socket" / "data.json"


class Reading(SensorEntity):
    """A sensor whose value a test sets."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, key: str, name: str | None, value: float, **attributes: Any) -> None:
        """Take what its integration says of it."""
        self._attr_unique_id = self._attr_translation_key = key
        self._attr_name = name
        self._attr_native_value = value
        for attribute, said in attributes.items():
            setattr(self, f"_attr_{attribute}", said)

    def say(self, value: float) -> None:
        """Show another value."""
        self._attr_native_value = value
        self.async_write_ha_state()


class Outlet(SwitchEntity):
    """A switch that does what it is told."""

    _attr_has_entity_name = True
    _attr_should_poll = False
    _attr_is_on = True

    def __init__(self, key: str, name: str | None, category: EntityCategory | None = None) -> None:
        """Take what its integration says of it."""
        self._attr_unique_id = self._attr_translation_key = key
        self._attr_name = name
        self._attr_entity_category = category
        if category is None:
            self._attr_device_class = SwitchDeviceClass.OUTLET

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self._attr_is_on = True
        self.async_write_ha_state()

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self._attr_is_on = False
        self.async_write_ha_state()


def socket() -> dict[str, list[Entity]]:
    """Return the entities of an energy socket, with the values that a real one told."""
    told = json.loads(TOLD.read_bytes())
    energy = {
        "device_class": SensorDeviceClass.ENERGY,
        "state_class": SensorStateClass.TOTAL_INCREASING,
        "native_unit_of_measurement": UnitOfEnergy.KILO_WATT_HOUR,
    }
    return {
        "sensor": [
            Reading(
                "wifi_strength", "Wi-Fi strength", told["wifi_strength"], entity_category=EntityCategory.DIAGNOSTIC
            ),
            Reading("total_energy_import_kwh", "Energy import", told["total_power_import_t1_kwh"], **energy),
            Reading(
                "total_energy_import_tariff_kwh", "Energy import tariff 1", told["total_power_import_t1_kwh"], **energy
            ),
            Reading("total_energy_export_kwh", "Energy export", told["total_power_export_t1_kwh"], **energy),
            Reading(
                "active_power",
                None,
                told["active_power_w"],
                device_class=SensorDeviceClass.POWER,
                native_unit_of_measurement=UnitOfPower.WATT,
            ),
            Reading(
                "active_voltage_v",
                "Voltage",
                231.5,
                device_class=SensorDeviceClass.VOLTAGE,
                native_unit_of_measurement=UnitOfElectricPotential.VOLT,
            ),
        ],
        "switch": [
            Outlet("cloud_connection", "Cloud connection", EntityCategory.CONFIG),
            Outlet("switch_lock", "Switch lock", EntityCategory.CONFIG),
            Outlet("power_on", None),
        ],
    }


async def plugged_in(
    hass: HomeAssistant, entities: Mapping[str, Sequence[Entity]], name: str = "Solar pump"
) -> MockConfigEntry:
    """Set the integration up with these entities of one device; loaded again, it has those that stand there then."""

    async def setup(hass: HomeAssistant, entry: ConfigEntry) -> bool:
        await hass.config_entries.async_forward_entry_setups(entry, list(entities))
        return True

    async def unload(hass: HomeAssistant, entry: ConfigEntry) -> bool:
        return await hass.config_entries.async_unload_platforms(entry, list(entities))

    mock_integration(hass, MockModule(PLUG, async_setup_entry=setup, async_unload_entry=unload))
    mock_platform(hass, f"{PLUG}.config_flow")
    for domain in entities:

        async def add(
            hass: HomeAssistant,
            entry: ConfigEntry,
            add_entities: AddConfigEntryEntitiesCallback,
            domain: str = domain,
        ) -> None:
            for entity in entities[domain]:
                entity._attr_device_info = DeviceInfo(identifiers={(PLUG, "0001")}, name=name, manufacturer="Plugs Inc")
            add_entities(entities[domain])

        mock_platform(hass, f"{PLUG}.{domain}", MockPlatform(async_setup_entry=add))
    entry = MockConfigEntry(domain=PLUG, title=name)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry
