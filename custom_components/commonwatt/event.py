"""What happens to an owner's supply: a low balance, a cut, a restore, a breaker that fails."""

from collections.abc import Mapping
from typing import Any, get_args, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import CommonwattConfigEntry
from .entity import OwnerEntity
from .runtime import SiteRuntime
from .supply import Happening, Supply

PARALLEL_UPDATES = 0

SUPPLY = EventEntityDescription(key="supply", translation_key="supply", event_types=list(get_args(Happening.__value__)))


async def async_setup_entry(
    hass: HomeAssistant, entry: CommonwattConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add one to every owner of a site that has a cloud."""
    runtime = entry.runtime_data
    if (supply := runtime.supply) is not None:
        async_add_entities([SupplyEvent(runtime, owner, supply) for owner in runtime.coordinator.owners])


class SupplyEvent(OwnerEntity, EventEntity):
    """Tells what happened last to an owner's supply."""

    def __init__(self, runtime: SiteRuntime, owner: str, supply: Supply) -> None:
        """Listen to the site's supply."""
        super().__init__(runtime, owner, SUPPLY)
        self._supply = supply

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self._supply.listen(self._owner, self._heard))

    @callback
    def _heard(self, happening: Happening, about: Mapping[str, Any]) -> None:
        self._trigger_event(happening, dict(about))
        self.async_write_ha_state()
