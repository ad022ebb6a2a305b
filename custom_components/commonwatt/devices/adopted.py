"""A meter that Home Assistant already knows: reads the states of its energy and power entities."""

from collections.abc import Mapping
import math

from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfEnergy, UnitOfPower
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import BaseUnitConverter, EnergyConverter, PowerConverter

from ..errors import DeviceError
from ..metering.reading import RawReading
from .port import Answer, Command, Quantity, Range, Value


class AdoptedDevice:
    """Reads existing entities. An entity that is gone or unavailable is a silent device, never a register of zero."""

    quantities: frozenset[Quantity] = frozenset()
    commands: Mapping[Command, Range] = {}
    integrated = False

    def __init__(
        self, hass: HomeAssistant, import_entity: str | None, export_entity: str | None, power_entity: str | None
    ) -> None:
        """Take registry ids or entity ids; a register without an entity stands at zero for ever."""
        self._hass = hass
        self._import_entity = import_entity
        self._export_entity = export_entity
        self._power_entity = power_entity

    async def async_command(self, command: Command, value: Value) -> None:
        """Refuse: energy sensors obey nothing."""
        raise DeviceError(f"cannot be told {command}")

    async def async_read(self) -> Answer:
        """Return what the states say now, in Wh and W; power alone may be missing."""
        raw = RawReading(
            at_ms=int(dt_util.utcnow().timestamp() * 1000),
            import_wh=self._energy_wh(self._import_entity),
            export_wh=self._energy_wh(self._export_entity),
            power_w=self._power_w(),
        )
        return Answer(raw)

    def _energy_wh(self, entity_id: str | None) -> float:
        if entity_id is None:
            return 0
        return number_in(self._hass, entity_id, EnergyConverter, UnitOfEnergy.WATT_HOUR)

    def _power_w(self) -> float | None:
        if self._power_entity is None:
            return None
        try:
            return number_in(self._hass, self._power_entity, PowerConverter, UnitOfPower.WATT)
        except DeviceError:
            # energy is what is settled; a power entity that is away for a while must not cost a reading
            return None


def number_in(hass: HomeAssistant, reference: str, converter: type[BaseUnitConverter], unit: str) -> float:
    """Return an entity's state in the given unit; raise DeviceError when it has no finite number with such a unit."""
    entity_id = er.async_resolve_entity_id(er.async_get(hass), reference)
    state = None if entity_id is None else hass.states.get(entity_id)
    if state is None:
        raise DeviceError(f"{entity_id or 'the entity'} does not exist")
    try:
        value = float(state.state)
    except ValueError:
        raise DeviceError(f"{entity_id} is {state.state}") from None
    if not math.isfinite(value):
        raise DeviceError(f"{entity_id} is {state.state}")
    try:
        return converter.convert(value, state.attributes.get(ATTR_UNIT_OF_MEASUREMENT), unit)
    except HomeAssistantError as error:
        raise DeviceError(f"{entity_id}: {error}") from error
