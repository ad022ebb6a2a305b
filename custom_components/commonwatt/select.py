"""The mode of a device, in the device's own words."""

from dataclasses import dataclass
from typing import override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .command import CommandDescription, CommandEntity
from .coordinator import CommonwattConfigEntry
from .quantities import KINDS_WITH_A_BATTERY
from .site import TapConfig

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class CommandSelectDescription(CommandDescription, SelectEntityDescription):
    """A word that a device can be told; which words there are, the device says."""


SELECTS: tuple[CommandSelectDescription, ...] = (
    CommandSelectDescription(key="mode", translation_key="mode", quantity="mode", kinds=KINDS_WITH_A_BATTERY),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add one to every device with modes, now or later."""
    runtime = entry.runtime_data

    def make(tap: TapConfig, description: CommandSelectDescription) -> CommandSelect:
        return CommandSelect(runtime, tap, description)

    runtime.arrivals.async_join(Platform.SELECT, SELECTS, make, async_add_entities)


class CommandSelect(CommandEntity, SelectEntity):
    """Chooses one of a device's words."""

    entity_description: CommandSelectDescription

    @property
    @override
    def options(self) -> list[str]:
        return list(self._range.options)

    @property
    @override
    def current_option(self) -> str | None:
        value = self._value
        return value if isinstance(value, str) and value in self._range.options else None

    @override
    async def async_select_option(self, option: str) -> None:
        await self._async_tell(option)
