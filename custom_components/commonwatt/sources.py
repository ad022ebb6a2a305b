"""Where a device's values come from, as its subentry says it: entities that exist already, or a Modbus unit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homeassistant.const import CONF_DEVICE, CONF_HOST, CONF_PORT

from .const import (
    CONF_BAUDRATE,
    CONF_DIRECTION,
    CONF_ENTITIES,
    CONF_EXPORT_ENTITY,
    CONF_IMPORT_ENTITY,
    CONF_INVERTED,
    CONF_LINE,
    CONF_PARITY,
    CONF_PART,
    CONF_POWER_ENTITY,
    CONF_PROFILE,
    CONF_PUBLIC_KEY,
    CONF_SERIAL,
    CONF_SOURCE,
    CONF_STOPBITS,
    CONF_UNIT_ID,
    LINE_RTU_OVER_TCP,
    LINE_SERIAL,
    LINE_TCP,
    SOURCE_ENTITIES,
)
from .devices.adopted import Direction
from .devices.line import Line, RtuOverTcpLine, SerialLine, TcpLine


@dataclass(frozen=True, slots=True)
class EntitiesSource:
    """Existing entities tell of the device; registry ids, or entity ids of entities without one.

    `entities` are the others, by quantity or command. `inverted` is a power entity that is positive while energy is
    given back. `direction` is which way energy can flow, None where the entities tell.
    """

    import_entity: str | None
    export_entity: str | None
    power_entity: str | None
    entities: Mapping[str, str] = field(default_factory=dict)
    inverted: bool = False
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class ModbusSource:
    """A Modbus unit tells of itself; the serial number it had when it was set up, None where it has none.

    `part` is which of the models of a SunSpec device this is, None for a register profile. `public_key` is what a cable
    signs its intervals with (DER in hex), as it was met first.
    """

    line: Line
    unit_id: int
    profile: str
    serial: str | None
    part: str | None = None
    public_key: str | None = None


type Source = EntitiesSource | ModbusSource


def same_meter(former: Source, now: Source) -> bool:
    """Tell whether what was read before may still be the meter that is read now, so that its register goes on.

    A unit is known by its serial number; without one, by nothing but what it is read by. Of one device, another profile
    or part is another register. Registers of entities are carried over where they are made.
    """
    if isinstance(former, EntitiesSource) or isinstance(now, EntitiesSource):
        return isinstance(former, EntitiesSource) and isinstance(now, EntitiesSource)
    if (former.profile, former.part) != (now.profile, now.part):
        return False
    return former.serial == now.serial or None in (former.serial, now.serial)


def source_of(data: Mapping[str, Any]) -> Source:
    """Read where a device's values come from."""
    if data[CONF_SOURCE] == SOURCE_ENTITIES:
        return EntitiesSource(
            data.get(CONF_IMPORT_ENTITY),
            data.get(CONF_EXPORT_ENTITY),
            data.get(CONF_POWER_ENTITY),
            data.get(CONF_ENTITIES, {}),
            data.get(CONF_INVERTED, False),
            data.get(CONF_DIRECTION),
        )
    return ModbusSource(
        line_of(data),
        data[CONF_UNIT_ID],
        data[CONF_PROFILE],
        data.get(CONF_SERIAL),
        data.get(CONF_PART),
        data.get(CONF_PUBLIC_KEY),
    )


def line_of(data: Mapping[str, Any]) -> Line:
    """Read which line a Modbus unit is on."""
    match data.get(CONF_LINE, LINE_TCP):
        case kind if kind == LINE_SERIAL:
            return SerialLine(
                data[CONF_DEVICE], data[CONF_BAUDRATE], data.get(CONF_PARITY, "N"), data.get(CONF_STOPBITS, 1)
            )
        case kind if kind == LINE_RTU_OVER_TCP:
            return RtuOverTcpLine(data[CONF_HOST], data[CONF_PORT])
        case _:
            return TcpLine(data[CONF_HOST], data[CONF_PORT])
