"""Entities that command: what a person sets goes to the device at once, and what was refused is said in words."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, cast, override

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .arrivals import QuantityDescription
from .const import DOMAIN
from .devices.port import Command, Range, Value
from .entity import TapEntity
from .errors import DeviceError
from .runtime import SiteRuntime
from .site import TapConfig

# A read that was under way when the command was given still tells the old value, and a device may take a while: so long
# the command is shown. After that the device is believed, whatever it says.
HOLD_POLLS = 3


@dataclass(frozen=True, kw_only=True)
class CommandDescription(QuantityDescription):
    """An entity of what a device can be told; the command has the name of its quantity."""

    told: bool = True


class CommandEntity(TapEntity):
    """An entity whose value a person sets; unavailable while its device is silent or has nothing of it."""

    entity_description: CommandDescription
    _any_range: ClassVar[Range] = Range()

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, description: CommandDescription) -> None:
        """Take the device to be told."""
        super().__init__(runtime, tap, description)
        self._device = runtime.devices[tap.tap]
        self._command = cast("Command", description.quantity)
        self._last_range = self._device.commands.get(self._command, self._any_range)
        self._held: Value | None = None
        self._held_until = dt_util.utcnow()

    @property
    @override
    def available(self) -> bool:
        # a device that is met anew takes nothing for a moment; what it told still stands
        told = self.entity_description.quantity in self._tap_state.values
        return self._answers and (told or self._command in self._device.commands)

    @property
    def _range(self) -> Range:
        """What the command accepts; the last known while the device does not say."""
        self._last_range = self._device.commands.get(self._command, self._last_range)
        return self._last_range

    @property
    def _value(self) -> Value | None:
        """What was set, until the device has had time to follow; then what it says."""
        told = self._tap_state.values.get(self.entity_description.quantity)
        if self._held is not None and (told == self._held or dt_util.utcnow() >= self._held_until):
            self._held = None
        return told if self._held is None else self._held

    @property
    @override
    def _face(self) -> object:
        return self._value, self._range

    async def _async_tell(self, value: Value) -> None:
        """Tell the device, and show it; raises what Home Assistant shows to whoever asked."""
        words = {"tap": self._name_of_tap}
        try:
            await self._device.async_command(self._command, value)
        except ValueError as error:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="command_out_of_range",
                translation_placeholders=words | {"error": str(error)},
            ) from error
        except DeviceError as error:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="command_failed",
                translation_placeholders=words | {"error": error.detail},
            ) from error
        poll = self.coordinator.update_interval or timedelta()
        self._held, self._held_until = value, dt_util.utcnow() + HOLD_POLLS * poll
        self.async_show()
