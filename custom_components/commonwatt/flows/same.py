"""Whether two sources are one device: the same register must not measure at two taps."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from ..const import DOMAIN
from ..devices.line import Line, SerialLine
from ..site import TapConfig, tap_configs
from ..sources import EntitiesSource, ModbusSource, Source, source_of


def every_tap(hass: HomeAssistant, entry: ConfigEntry[Any]) -> list[TapConfig]:
    """Return the taps of a site and, named with their site, of every other one here: those count as much."""
    taps = list(tap_configs(entry).values())
    for other in hass.config_entries.async_entries(DOMAIN, include_ignore=False, include_disabled=False):
        if other.entry_id != entry.entry_id:
            taps += [replace(tap, name=f"{tap.name} ({other.title})") for tap in tap_configs(other).values()]
    return taps


def tap_with_source(taps: Iterable[TapConfig], source: Mapping[str, Any]) -> TapConfig | None:
    """Return the tap that already measures with the same register, if there is one."""
    wanted = source_of(source)
    return next((tap for tap in taps if _same(tap.source, wanted)), None)


def place(line: Line) -> tuple[str, int] | str:
    """Return where a line leads, however it is spoken on: the port of a gateway, or a serial port."""
    return line.device if isinstance(line, SerialLine) else (line.host, line.port)


def _same(one: Source, other: Source) -> bool:
    match one, other:
        case EntitiesSource(), EntitiesSource():
            return bool(_energies(one) & _energies(other)) or _power_counted_twice(one, other)
        case ModbusSource(), ModbusSource():
            if one.part != other.part:
                return False
            same_place = (place(one.line), one.unit_id) == (place(other.line), other.unit_id)
            return same_place or (one.serial is not None and (one.profile, one.serial) == (other.profile, other.serial))
        case _:
            return False


def _energies(source: EntitiesSource) -> set[str]:
    return {entity for entity in (source.import_entity, source.export_entity) if entity is not None}


def _power_counted_twice(one: EntitiesSource, other: EntitiesSource) -> bool:
    """Tell whether a register is made from a power that belongs to the other's register, or makes it too."""
    return bool(_powers(one) & _powers(other)) and not (_energies(one) and _energies(other))


def _powers(source: EntitiesSource) -> set[str]:
    return {entity for entity in (source.power_entity, source.entities.get("export_power_entity")) if entity}
