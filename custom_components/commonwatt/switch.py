"""What a person switches: the breaker of a tap whose measuring device has one, and whether a car may be charged."""

from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .command import CommandDescription, CommandEntity
from .const import DOMAIN
from .coordinator import CommonwattConfigEntry
from .devices.breaker import ModbusBreaker
from .entity import TapEntity
from .errors import DeviceError
from .runtime import SiteRuntime
from .site import TapConfig
from .wish import KINDS_WITH_A_CAR

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class CommandSwitchDescription(CommandDescription, SwitchEntityDescription):
    """Something that a device can be told to do or not to do."""


BREAKER = SwitchEntityDescription(key="breaker", translation_key="breaker")

SWITCHES: tuple[CommandSwitchDescription, ...] = (
    CommandSwitchDescription(key="charge", translation_key="charge", quantity="charge", kinds=KINDS_WITH_A_CAR),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add a switch to each tap with a breaker that Home Assistant does not know otherwise, and to chargers."""
    runtime = entry.runtime_data
    for tap, breaker in runtime.breakers.items():
        if isinstance(breaker, ModbusBreaker):
            config = runtime.coordinator.taps[tap]
            async_add_entities([BreakerSwitch(runtime, config, breaker)], config_subentry_id=config.subentry_id)

    def make(tap: TapConfig, description: CommandSwitchDescription) -> CommandSwitch:
        return CommandSwitch(runtime, tap, description)

    runtime.arrivals.async_join(Platform.SWITCH, SWITCHES, make, async_add_entities)


class CommandSwitch(CommandEntity, SwitchEntity):
    """On while a device is allowed to do it."""

    entity_description: CommandSwitchDescription

    @property
    @override
    def is_on(self) -> bool | None:
        value = self._value
        return None if value is None else bool(value)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self._async_tell(True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self._async_tell(False)


class BreakerSwitch(TapEntity, SwitchEntity):
    """On while the breaker is closed."""

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, breaker: ModbusBreaker) -> None:
        """Take the tap's breaker."""
        super().__init__(runtime, tap, BREAKER)
        self._breaker = breaker

    @property
    @override
    def available(self) -> bool:
        return super().available and self._breaker.closed is not None

    @property
    @override
    def is_on(self) -> bool | None:
        return self._breaker.closed

    @property
    @override
    def _face(self) -> object:
        return self.is_on

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self._async_switch(closed=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self._async_switch(closed=False)

    async def _async_switch(self, *, closed: bool) -> None:
        try:
            await self._breaker.async_switch(closed=closed)
        except DeviceError as error:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="breaker_failed",
                translation_placeholders={"tap": self._name_of_tap, "error": error.detail},
            ) from error
        finally:
            self.async_show()
