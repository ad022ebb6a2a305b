"""The page of entities says what there is: every entity of every device, its type, and whether it is on at first."""

import json
from pathlib import Path
import re

from homeassistant.helpers.entity import EntityDescription

from custom_components.commonwatt import binary_sensor, event, number, select, switch, time, visit_sensors
from custom_components.commonwatt.quantities import QUANTITY_SENSORS
from custom_components.commonwatt.sensor import OWNER_SENSORS, SITE_SENSORS
from custom_components.commonwatt.tap_sensors import OWNER, POWER, QUALITY, REGISTERS

ROOT = Path(__file__).parents[2]
NAMES = json.loads((ROOT / "custom_components/commonwatt/translations/en.json").read_text())["entity"]
TYPES = "sensor|binary sensor|switch|number|select|time|event"
ROW = re.compile(rf"^\| ([^|]+) \| ({TYPES}) \|([^|]*)\| (on|off) \|", re.MULTILINE)

BY_PLATFORM: dict[str, tuple[EntityDescription, ...]] = {
    "sensor": (
        POWER,
        QUALITY,
        OWNER,
        *REGISTERS,
        *QUANTITY_SENSORS,
        *visit_sensors.REWARDS,
        *OWNER_SENSORS,
        *SITE_SENSORS,
    ),
    "binary sensor": (binary_sensor.CUT_OFF, *binary_sensor.CHARGING),
    "switch": (switch.BREAKER, *switch.SWITCHES),
    "number": (number.CHARGE_NEEDED, *number.NUMBERS),
    "select": (*select.SELECTS, select.VISIT_MODE),
    "time": (time.DEPARTURE,),
    "event": (*event.CHARGER, event.VISIT),
}


def name_of(platform: str, description: EntityDescription) -> str:
    """Return the English name: our own, else that of the device class."""
    if description.translation_key is None:
        return str(description.device_class).replace("_", " ").capitalize()
    return str(NAMES[platform.replace(" ", "_")][description.translation_key]["name"])


def test_the_page_lists_every_entity_of_a_device() -> None:
    """With its type, and on or off as it is at first; nothing is listed that there is not.

    What stands in for a command is told in the command's row; the export of a charger in the row of the others.
    """
    page = (ROOT / "docs/entities.md").read_text()
    told = {(name, platform, default) for name, platform, _, default in ROW.findall(page)}
    there = {
        (
            name_of(platform, description),
            platform,
            "on" if description.entity_registry_enabled_default else "off",
        )
        for platform, descriptions in BY_PLATFORM.items()
        for description in descriptions
        if not (getattr(description, "read_only", False) and platform == "sensor")
    } - {("Discharged energy", "sensor", "off")}
    assert told == there


def test_the_page_tells_the_units_people_see() -> None:
    """What a row says of a unit is what the entity has."""
    page = (ROOT / "docs/entities.md").read_text()
    told = {(name, platform): unit.strip() for name, platform, unit, _ in ROW.findall(page)}
    for platform, descriptions in BY_PLATFORM.items():
        for description in descriptions:
            unit = getattr(description, "suggested_unit_of_measurement", None) or getattr(
                description, "native_unit_of_measurement", None
            )
            if (place := (name_of(platform, description), platform)) in told:
                assert told[place] == (unit or ""), place
