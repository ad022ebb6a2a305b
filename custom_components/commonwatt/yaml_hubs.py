"""Hubs of the `modbus:` section in configuration.yaml: each opens a client of its own, beside the shared connection."""

from collections.abc import Mapping

from homeassistant.components.modbus.const import DATA_MODBUS_HUBS
from homeassistant.core import HomeAssistant, callback

from .coordinator import CommonwattConfigEntry
from .devices.line import Line, SerialLine
from .issues import show_issue
from .site import TapConfig
from .sources import ModbusSource


@callback
def yaml_hub(hass: HomeAssistant, line: Line) -> str | None:
    """Return the name of the hub that leads to the same place; None if there is none."""
    wanted = ("serial", line.device) if isinstance(line, SerialLine) else ("tcp", line.host, line.port)
    hubs = hass.data.get(DATA_MODBUS_HUBS, {})
    return next((name for name, hub in hubs.items() if hub.endpoint == wanted), None)


@callback
def watch_yaml_hubs(hass: HomeAssistant, entry: CommonwattConfigEntry, taps: Mapping[str, TapConfig]) -> None:
    """Show an issue for as long as a hub leads to a line of these taps; hubs come and go without a restart."""
    lines = [(tap.name, tap.source.line) for tap in taps.values() if isinstance(tap.source, ModbusSource)]
    shown: set[tuple[str, str]] | None = None

    @callback
    def look() -> None:
        nonlocal shown
        found = {(name, hub) for name, line in lines if (hub := yaml_hub(hass, line)) is not None}
        if found != shown:
            shown = found
            hubs = ", ".join(sorted({hub for _, hub in found}))
            show_issue(hass, entry.entry_id, "yaml_hub", sorted(name for name, _ in found), hubs=hubs)

    look()
    if lines:
        entry.async_on_unload(entry.runtime_data.coordinator.async_add_listener(look))
