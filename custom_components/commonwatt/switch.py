"""The breaker of a tap whose measuring device has one."""

from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import CommonwattConfigEntry
from .devices.breaker import ModbusBreaker
from .entity import TapEntity
from .errors import DeviceError
from .runtime import SiteRuntime
from .site import TapConfig

PARALLEL_UPDATES = 0  # the link to the device keeps requests in order

BREAKER = SwitchEntityDescription(key="breaker", translation_key="breaker")


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add a switch to each tap with a breaker that Home Assistant does not know otherwise."""
    runtime = entry.runtime_data
    for tap, breaker in runtime.breakers.items():
        if isinstance(breaker, ModbusBreaker):
            config = runtime.coordinator.taps[tap]
            async_add_entities([BreakerSwitch(runtime, config, breaker)], config_subentry_id=config.subentry_id)


class BreakerSwitch(TapEntity, SwitchEntity):
    """On while the breaker is closed."""

    def __init__(self, runtime: SiteRuntime, tap: TapConfig, breaker: ModbusBreaker) -> None:
        """Take the tap's breaker."""
        super().__init__(runtime, tap, BREAKER)
        self._breaker = breaker
        self._name_of_tap = tap.name

    @property
    @override
    def available(self) -> bool:
        return super().available and self._breaker.closed is not None

    @property
    @override
    def is_on(self) -> bool | None:
        return self._breaker.closed

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
            self.async_write_ha_state()
