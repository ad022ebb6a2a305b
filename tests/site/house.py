"""What the tests of the site build it from."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry, ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.commonwatt.const import DOMAIN, FOLDER
from custom_components.commonwatt.coordinator import SiteCoordinator
from custom_components.commonwatt.link.signing import KEY_FILES

__all__ = [
    "MockConfigEntry",
    "entities_source",
    "entity_id",
    "key_files",
    "key_folders",
    "modbus_source",
    "site_of",
    "subentry",
    "value",
]

START = "2026-11-21T05:00:30+00:00"
START_S = 1795237200  # 2026-11-21T05:00:00Z, a boundary


def entities_source(import_entity: str | None, export_entity: str | None = None) -> dict[str, Any]:
    """Return a source of existing entities."""
    return {"source": "entities", "import_entity": import_entity, "export_entity": export_entity, "power_entity": None}


def modbus_source(port: int, serial: str | None = "T1-0001") -> dict[str, Any]:
    """Return a source on the loopback."""
    return {
        "source": "modbus",
        "host": "127.0.0.1",
        "port": port,
        "unit_id": 1,
        "profile": "commonwatt_tap",
        "serial": serial,
    }


def subentry(
    tap: str,
    kind: str = "tap",
    *,
    source: dict[str, Any],
    owner: str = "anna",
    owner_name: str | None = None,
    upstream: str = "grid",
    rated_power_w: int | None = None,
) -> ConfigSubentryData:
    """Return a subentry as the flow makes it."""
    data = {"tap": tap, "source": source, "owner": owner, "upstream": upstream, "rated_power_w": rated_power_w}
    if owner_name is not None:
        data["owner_name"] = owner_name
    return ConfigSubentryData(
        data=MappingProxyType(data),
        subentry_type=kind,
        title="Main meter" if kind == "meter" else f"Tap {tap}",
        unique_id=tap,
    )


def added(described: ConfigSubentryData) -> ConfigSubentry:
    """Return a subentry to add to a running site."""
    return ConfigSubentry(
        data=MappingProxyType(dict(described["data"])),
        subentry_type=described["subentry_type"],
        title=described["title"],
        unique_id=described["unique_id"],
    )


def site_of(entry: MockConfigEntry) -> SiteCoordinator:
    """Return a running site's pump."""
    coordinator: SiteCoordinator = entry.runtime_data.coordinator
    return coordinator


def entity_id(hass: HomeAssistant, platform: str, entry: MockConfigEntry, key: str) -> str:
    """Return the entity that a site has under a key."""
    found = er.async_get(hass).async_get_entity_id(platform, DOMAIN, f"{entry.data['key_id']}_{key}")
    assert found is not None, key
    return found


def value(hass: HomeAssistant, entry: MockConfigEntry, key: str, platform: str = "sensor") -> str:
    """Return the state of a site's entity."""
    state = hass.states.get(entity_id(hass, platform, entry, key))
    assert state is not None, key
    return str(state.state)


def key_folders(hass: HomeAssistant) -> list[Path]:
    """Return the folders of site keys there are."""
    folder = Path(hass.config.path(FOLDER))
    return sorted(folder.iterdir()) if folder.is_dir() else []


def key_files(hass: HomeAssistant, entry: MockConfigEntry) -> list[Path]:
    """Return the two files a site's key lies in."""
    return [Path(hass.config.path(FOLDER, entry.data["key_id"])) / name for name in KEY_FILES]
