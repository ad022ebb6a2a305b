"""Sets up the site as a person would in the browser: pairs it, adds meter and taps, waits for the first reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import re
from typing import Any

from .homeassistant import HomeAssistant
from .house import DEVICES
from .progress import until

DOMAIN = "commonwatt"
HOME = "Sunny Street 4"
MAIN_TAP = "T1"  # taps are numbered in the order they are added, and the main meter comes first
READ_S = 60
UNREAD = {"unavailable", "unknown"}
TAP_KEY = re.compile(r"_T[0-9]+_(\w+)$")
SENSOR_KINDS = ("import_energy", "export_energy", "power")


@dataclass(frozen=True, slots=True)
class Sensors:
    """The entities of one device: its two energy registers and its power."""

    import_energy: str
    export_energy: str
    power: str


@dataclass(frozen=True, slots=True)
class Entities:
    """The entities of every metered device by its key, of steered ones by name and key, of owners and site by key."""

    devices: Mapping[str, Sensors]
    steered: Mapping[str, Mapping[str, str]]
    site: Mapping[str, Sequence[str]]


async def pair(assistant: HomeAssistant, cloud_url: str, code: str) -> str:
    """Pair the home with the cloud; return the id of the config entry."""
    form = {"url": cloud_url, "code": code, "name": HOME, "send_place": True}
    step = await assistant.walk_flow("flow", DOMAIN, [{"next_step_id": "pair"}, form])
    entry: str = step["result"]["entry_id"]
    return entry


async def add_device(assistant: HomeAssistant, entry: str, device: Mapping[str, Any]) -> None:
    """Add one Modbus device of its kind: the main meter on the grid, everything else below it."""
    kind = device["kind"]
    where = {
        "host": device["host"],
        "port": device["port"],
        "profile": "commonwatt_tap" if kind in {"meter", "tap"} else f"commonwatt_{kind}",
        "more_options": {"unit_id": device["unit"]},
    }
    details = {"name": device["name"], "owner": device["owner"], "rated_power_w": device["rated_power_w"]}
    if kind != "meter":
        details["upstream"] = MAIN_TAP
    line = [{"next_step_id": "modbus"}, {"next_step_id": "tcp"}]
    await assistant.walk_flow("subentries/flow", [entry, kind], [*line, where, details])


async def wait_read(assistant: HomeAssistant, entry: str, count: int) -> Entities:
    """Wait until every one of so many devices has been read once; return what there is to be seen."""
    found = await _entities(assistant, entry)

    async def read() -> bool:
        nonlocal found
        found = await _entities(assistant, entry)
        states = await assistant.states()
        registers = [sensors.import_energy for sensors in found.devices.values()]
        registers += [entities.get("import_energy", "") for entities in found.steered.values()]
        return len(registers) == count and all(states.get(entity, "unknown") not in UNREAD for entity in registers)

    await until(read, READ_S, "not every meter has been read")
    return found


async def _entities(assistant: HomeAssistant, entry: str) -> Entities:
    subentries = await assistant.command("config_entries/subentries/list", entry_id=entry)
    titles = {subentry["subentry_id"]: subentry["title"] for subentry in subentries}
    of_taps: dict[str, dict[str, str]] = {}
    of_site: dict[str, list[str]] = {}
    for entity in await assistant.command("config/entity_registry/list"):
        if title := titles.get(entity["config_subentry_id"]):
            # Home Assistant itself names what has a device class, so the key is in the id
            if (key := TAP_KEY.search(entity["unique_id"])) is not None:
                of_taps.setdefault(title, {})[key[1]] = entity["entity_id"]
        elif entity["config_entry_id"] == entry:
            of_site.setdefault(entity["translation_key"], []).append(entity["entity_id"])
    devices = {
        device.key: Sensors(*(of_taps[device.name][kind] for kind in SENSOR_KINDS))
        for device in DEVICES
        if of_taps.get(device.name, {}).keys() >= set(SENSOR_KINDS)
    }
    metered = {device.name for device in DEVICES}
    steered = {title: entities for title, entities in of_taps.items() if title not in metered}
    return Entities(devices, steered, of_site)
