"""The mode of a device, in the device's own words; and what a person lets a V2G cable do."""

from dataclasses import dataclass
from typing import cast, get_args, override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .command import CommandDescription, CommandEntity
from .coordinator import CommonwattConfigEntry
from .entity import TapEntity
from .quantities import KINDS_WITH_A_BATTERY
from .runtime import SiteRuntime
from .site import TapConfig
from .v2g.visit import Mode

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class CommandSelectDescription(CommandDescription, SelectEntityDescription):
    """A word that a device can be told; which words there are, the device says."""


SELECTS: tuple[CommandSelectDescription, ...] = (
    CommandSelectDescription(key="mode", translation_key="mode", quantity="mode", kinds=KINDS_WITH_A_BATTERY),
)

# kept here: within what the site allows, a person says how much of it the cable does
VISIT_MODE = SelectEntityDescription(key="v2g_mode", translation_key="v2g_mode", options=list(get_args(Mode.__value__)))


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add one to every device with modes, now or later."""
    runtime = entry.runtime_data

    def make(tap: TapConfig, description: CommandSelectDescription) -> CommandSelect:
        return CommandSelect(runtime, tap, description)

    runtime.arrivals.async_join(Platform.SELECT, SELECTS, make, async_add_entities)
    for tap in runtime.visits.guests:
        config = runtime.coordinator.taps[tap]
        async_add_entities([VisitMode(runtime, config)], config_subentry_id=config.subentry_id)


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


class VisitMode(TapEntity, SelectEntity):
    """Says how much a cable does of what it may: nothing, charge, or charge and give back. Kept over a restart."""

    def __init__(self, runtime: SiteRuntime, tap: TapConfig) -> None:
        """Share the mode with the site's visits."""
        super().__init__(runtime, tap, VISIT_MODE)
        self._visits = runtime.visits

    @property
    @override
    def available(self) -> bool:
        return True  # it is told to the cable when it answers again

    @property
    @override
    def current_option(self) -> str:
        return self._visits.guests[self._tap].mode

    @property
    @override
    def _face(self) -> object:
        return self.current_option

    @override
    async def async_select_option(self, option: str) -> None:
        self._visits.set_mode(self._tap, cast("Mode", option))
        self.async_show()
