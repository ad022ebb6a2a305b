"""Whether two sources are one device: the same register must not measure at two taps."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..devices.line import Line, SerialLine
from ..site import TapConfig
from ..sources import EntitiesSource, ModbusSource, Source, source_of


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
            return bool(_registers(one) & _registers(other))
        case ModbusSource(), ModbusSource():
            if one.part != other.part:
                return False
            same_place = (place(one.line), one.unit_id) == (place(other.line), other.unit_id)
            return same_place or (one.serial is not None and (one.profile, one.serial) == (other.profile, other.serial))
        case _:
            return False


def _registers(source: EntitiesSource) -> set[str]:
    """Return what a register is made of: energy entities, or the power of a device that has none."""
    energies = {source.import_entity, source.export_entity} - {None}
    return {entity for entity in energies or {source.power_entity} if entity is not None}
