"""The icons: their places, and that every one of them is there to be shown."""

from functools import cache
import json
from pathlib import Path
from typing import Any

import hass_frontend
from homeassistant.helpers import config_validation as cv
import probatio

from .reading import against, read_json


@cache
def known() -> frozenset[str]:
    """Return the names of Material Design Icons that Home Assistant's frontend ships."""
    folder = Path(str(hass_frontend.where())) / "static" / "mdi"
    parts = json.loads((folder / "iconMetadata.json").read_text())["parts"]
    return frozenset(name for part in parts for name in json.loads((folder / f"{part['file']}.json").read_text()))


def _icon(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("mdi:"):
        raise probatio.Invalid(f"'{value}' is no icon such as mdi:name")
    if value.removeprefix("mdi:") not in known():
        raise probatio.Invalid(f"Home Assistant has no icon {value}")
    return value


STATES = {str: _icon}
RANGE = {probatio.All(str, probatio.Coerce(float)): _icon}
ENTITY = {
    probatio.Optional("default"): _icon,
    probatio.Optional("state"): STATES,
    probatio.Optional("range"): RANGE,
    probatio.Optional("state_attributes"): {
        str: {probatio.Optional("default"): _icon, probatio.Optional("state"): STATES}
    },
}
SERVICE = {probatio.Optional("service"): _icon, probatio.Optional("sections"): STATES}
SCHEMA = probatio.Schema(
    {
        probatio.Optional("entity"): {cv.slug: {str: ENTITY}},
        probatio.Optional("services"): {str: SERVICE},
        probatio.Optional("triggers"): {str: {probatio.Required("trigger"): _icon}},
        probatio.Optional("conditions"): {str: {probatio.Required("condition"): _icon}},
    }
)


def complaints(folder: Path) -> list[str]:
    """Return what is wrong with the icons of an integration."""
    icons = read_json(folder / "icons.json")
    if icons is None:
        return ["icons.json: there is none"]
    if found := against(SCHEMA, icons, "icons.json"):
        return found
    named = read_json(folder / "translations" / "en.json")
    for platform, entities in icons.get("entity", {}).items():
        for key, icon in entities.items():
            words = named.get("entity", {}).get(platform, {}).get(key)
            if words is None:
                found.append(f"icons.json: {platform}.{key} has an icon and no words")
            elif extra := icon.get("state", {}).keys() - words.get("state", icon.get("state", {})).keys():
                found.append(f"icons.json: {platform}.{key} has icons of states it does not have: {sorted(extra)}")
    return found
