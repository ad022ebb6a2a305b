"""Breakers of taps: a switch that Home Assistant already knows, or registers of the Modbus unit that measures there."""

import asyncio

from homeassistant.components.switch.const import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import (
    ATTR_ENTITY_ID,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    STATE_OFF,
    STATE_ON,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er

from ..errors import DeviceError
from .modbus import ModbusDevice

TRIES = 3
PAUSE_S = 0.5  # between two tries, and between two looks at a switch that takes its time
LOOKS = 6  # at a switch after each try: a radio plug tells its state within 3 s
SWITCH_SECONDS_MAX = 20.0  # a radio that is away; the next turn tries again


class AdoptedBreaker:
    """Switches an existing switch entity; on is closed."""

    def __init__(self, hass: HomeAssistant, entity: str) -> None:
        """Take a registry id or an entity id."""
        self._hass = hass
        self._entity = entity

    @property
    def closed(self) -> bool | None:
        """Whether the switch is on; None while it says neither."""
        entity_id = self._entity_id
        state = None if entity_id is None else self._hass.states.get(entity_id)
        return {STATE_ON: True, STATE_OFF: False}.get("" if state is None else state.state)

    async def async_switch(self, *, closed: bool) -> None:
        """Turn it on or off; raise DeviceError unless it then says so."""
        error = "does not follow"
        for _ in range(TRIES):
            try:
                await self._async_call(SERVICE_TURN_ON if closed else SERVICE_TURN_OFF)
            except (DeviceError, HomeAssistantError, TimeoutError) as failure:
                error = str(failure) or "does not answer"
            for _ in range(LOOKS):
                if self.closed is closed:
                    return
                await asyncio.sleep(PAUSE_S)
        raise DeviceError(f"{self._entity_id or 'the switch'}: {error}")

    async def _async_call(self, service: str) -> None:
        if (entity_id := self._entity_id) is None:
            raise DeviceError("does not exist")
        async with asyncio.timeout(SWITCH_SECONDS_MAX):
            await self._hass.services.async_call(SWITCH_DOMAIN, service, {ATTR_ENTITY_ID: entity_id}, blocking=True)

    @property
    def _entity_id(self) -> str | None:
        return er.async_resolve_entity_id(er.async_get(self._hass), self._entity)


class ModbusBreaker:
    """Switches the breaker of the unit that measures the tap; its polls tell how it stands."""

    def __init__(self, device: ModbusDevice) -> None:
        """Take what measures at the tap."""
        self._device = device

    @property
    def closed(self) -> bool | None:
        """Whether the unit last said that it is closed; None while it is silent, or has no breaker."""
        return self._device.breaker_closed

    async def async_switch(self, *, closed: bool) -> None:
        """Write the command and read it back, several times if it must; raise DeviceError unless it is done."""
        error = DeviceError("does not follow")
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            try:
                await self._device.async_switch(closed=closed)
            except DeviceError as failure:
                error = failure
            if self.closed is closed:
                return
        raise error
